"""What cases of neutral operands are drawn from."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refquant.oracle.problems.codes import Codes

__all__ = [
    "ACTIVATIONS",
    "ODD_SIZES",
    "ZEROS",
    "Draw",
    "filters",
    "int8",
    "near",
    "same_border",
    "scale",
    "sets",
    "small",
]

# Yields names and operands of cases.
Draw = Callable[[Any], Iterator[tuple[str, dict[str, Any]]]]
ZEROS = (0, -128, 127, 13)
ACTIVATIONS = ("none", "relu", "relu6", "relu_n1_to_1")
# Sizes around those of vectors.
ODD_SIZES = (1, 7, 8, 9, 15, 16, 17, 31, 33)


def int8(rng, *shape, low=-128) -> np.ndarray:
    """Draw integers, of the whole range or of a symmetric one."""
    return rng.integers(low, -low, shape).astype(np.int8)


def scale(rng, ties: bool) -> float:
    """Draw a scale: a power of two where results are to be ties."""
    return float(2.0 ** -rng.integers(2, 6) if ties else np.float32(rng.uniform(0.01, 0.1)))


def sets(rng) -> Iterator[tuple[str, bool, int, int]]:
    """Name sets of quantizers: whether they make ties, and two zero points."""
    for number, zero in enumerate(ZEROS):
        for ties in (True, False):
            word = "ties" if ties else "decimal"
            yield f"{word}-z{zero}".replace("z-", "zm"), ties, zero, ZEROS[-1 - number]


def near(rng, zero: int, *shape) -> np.ndarray:
    """Draw integers near a zero point, so that sums are small."""
    low, high = max(zero - 9, -128), min(zero + 9, 127)
    return rng.integers(low, high + 1, shape).astype(np.int8)


def small(rng, ties: bool, x: Codes, w_scale: float) -> float:
    """Choose a scale under which small sums differ by how they are rounded."""
    multiplier = 2.0 ** -rng.integers(1, 4) if ties else rng.uniform(0.1, 0.6)
    return float(np.float32(x.scale * w_scale / multiplier))


def filters(rng, shape, ties: bool, axis: int = 0) -> tuple[Codes, np.ndarray]:
    """Draw filters with scales along an axis, and a bias of int32."""
    scales = [2.0 ** -rng.integers(4, 6) if ties else scale(rng, ties) for _ in range(shape[axis])]
    w = Codes(int8(rng, *shape, low=-4), scales, axis=axis)
    return w, rng.integers(-40, 40, shape[axis]).astype(np.int32)


def same_border(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the border under which an output is as large as the image, over the stride."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
