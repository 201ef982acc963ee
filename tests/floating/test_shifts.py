"""Moving the bits of integer tensors, and packing weights of few bits with it."""

import numpy as np
import pytest

import refquant
from refquant.errors import DtypeError


@pytest.mark.parametrize(
    ("values", "dtype", "left", "right"),
    [
        ([1, 5, 200], refquant.uint8, [4, 20, 32], [0, 1, 50]),
        ([1, -5, 100], refquant.int8, [4, -20, -112], [0, -2, 25]),
        ([1, -5, 2**40], refquant.int64, [4, -20, 2**42], [0, -2, 2**38]),
    ],
)
def test_moving_by_two(values, dtype, left, right):
    x = refquant.tensor(values, dtype=dtype)
    assert (x << 2).tolist() == left
    assert (x >> 2).tolist() == right
    assert (x << 2).dtype == (x >> 2).dtype == dtype


def test_beyond_the_bits_nothing_or_the_sign_is_left():
    x = refquant.tensor([100, -100], dtype=refquant.int8)
    for count in (8, 70, -1):
        assert (x << count).tolist() == [0, 0]
        assert (x >> count).tolist() == [0, -1]


def test_numbers_on_the_left():
    x = refquant.tensor([1, 3], dtype=refquant.int32)
    assert ((1 << x).tolist(), (12 >> x).tolist()) == ([2, 8], [6, 1])
    assert ((6 & x).tolist(), (6 | x).tolist(), (6 ^ x).tolist()) == ([0, 2], [7, 7], [7, 5])


def test_floats_and_bools_have_no_bits_to_move():
    for x in (refquant.ones(2), refquant.tensor([True])):
        with pytest.raises(DtypeError, match="integer tensors"):
            x << x


def test_four_integers_of_two_bits_in_a_byte():
    packed = refquant.zeros(1, dtype=refquant.uint8)
    for place, code in enumerate(refquant.tensor([1, 0, 3, 2], dtype=refquant.uint8)):
        packed[0] |= code << 2 * place
    assert packed.tolist() == [0b10_11_00_01]
    assert [((packed >> 2 * place) & 3).item() for place in range(4)] == [1, 0, 3, 2]


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_an_installed_pytorch_moves_the_same(torch, dtype):
    rng = np.random.default_rng(0)
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max, 50, dtype, endpoint=True)
    counts = rng.integers(0 if dtype == "uint8" else -3, 70, 50).astype(dtype)

    def moved(library):
        a, n = library.from_numpy(x), library.from_numpy(counts)
        results = [a << n, a >> n, a << 1, a >> 1, a << 9, 3 << n, 100 >> n, 5 & a, 5 | a, 5 ^ a]
        return [(result.tolist(), str(result.dtype).split(".")[-1]) for result in results]

    assert moved(refquant) == moved(torch)
