"""The comparison itself finds what it should find."""

import numpy as np
import pytest
from parity.bits import difference

A = np.array([1.0, np.nan, -0.0], np.float32)


@pytest.mark.parametrize(
    "same",
    [A, (A, 3, None, 2.5), (), np.zeros((0, 3)), 7, True, float("nan"), np.float32(2), A[:2]],
)
def test_a_copy_is_the_same(same):
    copy = same.copy() if isinstance(same, np.ndarray) else same
    assert difference(same, copy) is None


def test_nans_of_different_payload_are_the_same():
    other = np.array([0x7FC00001], np.uint32).view(np.float32)
    assert difference(np.array([np.nan], np.float32), other) is None


@pytest.mark.parametrize(
    ("wanted", "got", "word"),
    [
        (A, np.array([1.0, np.nan, 0.0], np.float32), "1 of 3 elements"),
        (A, np.array([np.nan, np.nan, -0.0], np.float32), "first at (0,)"),
        (A, A.astype(np.float64), "dtype"),
        (A, A[:2], "shape"),
        (np.ones((2, 3)), np.ones((3, 2)).T, "strides"),
        (A, [1.0, 2.0, 3.0], "expected an array"),
        ((1, 2), (1, 3), "result[1]"),
        ((1, 2), (1, 2, 3), "expected (1, 2)"),
        (1, 1.0, "expected 1"),
        (0.0, -0.0, "not 0.0"),
        (True, 1, "expected True"),
        (None, 0, "expected None"),
        (A, None, "expected an array"),
    ],
)
def test_a_difference_is_found(wanted, got, word):
    assert word in difference(wanted, got)
