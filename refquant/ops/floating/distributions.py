"""Runs of random numbers: what the operations of `refquant.ops.floating.random` draw."""

import numpy as np

from refquant import kernels
from refquant.ops.floating.generator import Generator
from refquant.reference import random_numbers

# From this many elements on, normal numbers are made in blocks.
BLOCK = 16
# The largest whole number up to which a floating-point type has all of them.
_WHOLE = {"e": 2**11, "f": 2**24, "d": 2**53}


def uniforms(source: Generator, count: int, kind: np.dtype) -> np.ndarray:
    """Draw uniform numbers of float64, or of float32 for any other type."""
    words = source.words(2 * count if kind == np.float64 else count)
    return random_numbers.uniforms(words, kind)


def uniform(
    source: Generator, count: int, kind: np.dtype, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """Draw from the uniform distribution from `low` to `high`."""
    u = uniforms(source, count, kind)
    if (low, high) == (0, 1) and kind.itemsize >= 4:
        return u
    return random_numbers.stretched(u, low, high, kind)


def normal(
    source: Generator,
    count: int,
    kind: np.dtype,
    mean: float = 0.0,
    std: float = 1.0,
    row_major: bool = True,
) -> np.ndarray:
    """Draw from the normal distribution: by pairs if there are few, or not row-major, numbers."""
    if count < BLOCK or not row_major:
        drawn = random_numbers.stretched_normals(_by_pairs(source, count), mean, std)
        return _narrowed(drawn, kind)
    drawn = _blocks(uniforms(source, count // BLOCK * BLOCK, kind), mean, std)
    if count % BLOCK == 0:
        return _narrowed(drawn, kind)
    # The last block takes the place of the end of the one before, with numbers of its own.
    uniforms(source, count % BLOCK, kind)
    last = _blocks(uniforms(source, BLOCK, kind), mean, std)
    head = drawn[: count - BLOCK]
    return _narrowed(np.concatenate([head, last]), kind)


def _blocks(u: np.ndarray, mean: float, std: float) -> np.ndarray:
    u = u.reshape(-1, BLOCK)
    if u.dtype == np.float32:
        return kernels.normal_blocks(u, mean, std).ravel()
    z = random_numbers.double_blocks(u).ravel()
    return random_numbers.stretched_normals(z, mean, std)


def _by_pairs(source: Generator, count: int) -> np.ndarray:
    """Draw with mean 0 and deviation 1; of a pair that is not used up, one is kept."""
    if count == 0:
        return np.empty(0)
    kept = [] if source.kept is None else [source.kept]
    pairs = (count - len(kept) + 1) // 2
    u = random_numbers.uniforms(source.words(4 * pairs), np.dtype(np.float64)).reshape(-1, 2)
    drawn = np.concatenate([kept, random_numbers.normal_pairs(u).ravel()])
    source.kept = float(drawn[count]) if len(drawn) > count else None
    return drawn[:count]


def _narrowed(drawn: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Convert to a type, float16 by way of float32."""
    with np.errstate(all="ignore"):
        return drawn.astype(np.float32).astype(kind) if kind.itemsize < 4 else drawn.astype(kind)


def integers(source: Generator, count: int, low: int, span: int) -> np.ndarray:
    """Draw int64 from `low` on, `span` of them."""
    words = source.words(2 * count if span >= 2**28 else count)
    return random_numbers.integers(words, low, span)


def whole_numbers(source: Generator, count: int, kind: np.dtype) -> np.ndarray:
    """Draw from all numbers from 0 on of an integer type, or all exact ones of a float type."""
    last = _WHOLE[kind.char] if kind.kind == "f" else 1 if kind.kind == "b" else np.iinfo(kind).max
    if kind.itemsize == 8:
        words = random_numbers.wide(source.words(2 * count))
    else:
        words = source.words(count)
    return (words % np.uint64(int(last) + 1)).astype(kind)


def permutation(source: Generator, n: int) -> np.ndarray:
    """Draw an order of 0 to n - 1."""
    swaps = max(n - 1, 0)
    if n >= 2**32 // 20:
        numbers = random_numbers.wide(source.words(2 * swaps))
    else:
        numbers = source.words(swaps)
    return np.array(random_numbers.permutation(numbers, n), np.int64)


def doubles(source: Generator, count: int) -> np.ndarray:
    """Draw uniform numbers of float64."""
    return uniforms(source, count, np.dtype(np.float64))


def exponential(source: Generator, count: int, rate: float) -> np.ndarray:
    """Draw from the exponential distribution, float64."""
    return random_numbers.exponentials(doubles(source, count), rate)
