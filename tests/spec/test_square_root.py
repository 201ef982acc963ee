"""Square roots of float32 are those of MKL on Intel's processors with AVX-512."""

import numpy as np
import pytest

import refquant
from refquant.engines.rules.square_root import square_root

F = np.float32


def drawn(count, seed=0):
    """Draw positive numbers of every exponent, subnormal ones too."""
    bits = np.random.default_rng(seed).integers(1, 0x7F800000, count, dtype=np.uint32)
    return bits.view(F)


def test_squares_have_exact_roots():
    x = np.arange(4096, dtype=F)
    assert np.array_equal(square_root(x * x), x)


def test_results_are_rounded_or_a_unit_too_small():
    x = drawn(200_000)
    below = np.sqrt(x).view(np.int32) - square_root(x).view(np.int32)
    assert set(below.tolist()) == {0, 1}
    assert 0.004 < below.mean() < 0.009


def test_what_has_no_finite_root():
    x = np.array([0.0, -0.0, np.inf, -np.inf, -1.0, np.nan], F)
    roots = square_root(x)
    assert roots[:3].tolist() == [0.0, 0.0, np.inf]
    assert np.signbit(roots[1])
    assert np.isnan(roots[3:]).all()
    assert square_root(np.zeros((0, 3), F)).shape == (0, 3)


def test_float64_is_rounded():
    x = np.array([2.0, 3.0])
    assert np.array_equal(square_root(x), np.sqrt(x))


@pytest.mark.usefixtures("library_of_records")
def test_the_operation_of_pytorch(torch):
    x = drawn(1_000_000, seed=1)
    expected = torch.from_numpy(x.copy()).sqrt().numpy()
    assert np.array_equal(refquant.sqrt(refquant.from_numpy(x)).numpy(), expected)
