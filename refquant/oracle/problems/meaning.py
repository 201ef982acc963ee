r"""Exact values of operations on codes, and how far arithmetic of a family may be from them.

For each operation :math:`r` is what the real result stands for, in steps of the output and with its
zero point, computed in float64. `refquant.oracle.error_bounds` names the families of arithmetic.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.neutral import pads_of
from refquant.oracle.problems.neutral_codes import NeutralCodes

__all__ = [
    "MIDDLE",
    "NARROW",
    "SHORT",
    "Meaning",
    "first_rounding",
    "gamma",
    "meaning_of",
    "sums_of",
]

UNIT = 2.0**-24
NARROW = 2.0**-21  # relative errors of multipliers of 22 bits
MIDDLE = 2.0**-15  # of 15 bits: half a unit, or a whole one below a power of two
SHORT = 2.0**-9  # half a unit of multipliers that are multiples of 1/256
PLACE = 2.0**-11  # half a unit of places with 10 bits
DOUBLE = 2.0**-48  # relative errors of float64 here


def gamma(count: Any) -> Any:
    """Bound the relative error of so many roundings in float32."""
    return count * UNIT / (1 - count * UNIT)


def first_rounding(multiplier: Any) -> np.ndarray:
    r"""Bound what a rounding before the last shift moves, in steps.

    With :math:`m = f 2^{-k}`, :math:`\frac12 \le f < 1`, integers times f are rounded first.
    """
    m = np.asarray(multiplier, np.float64)
    shift = np.maximum(-np.frexp(np.where(m > 0, m, 1.0))[1], 0)
    return np.where((m > 0) & (shift > 0), 2.0 ** -(shift + 1.0), 0.0)


class Meaning(NamedTuple):
    """What the elements of a result stand for.

    Attributes
    ----------
    real : ndarray of float64
        Exact values, in steps and including the zero point; of a dequantization in real units.
    magnitude : ndarray of float64
        Sums of the magnitudes of what is added, in steps.
    terms : int
        How many numbers are added.
    slope : float
        By how much an error of the operand is multiplied at most.
    operand : ndarray of float64
        Magnitudes of the operand, in steps of the output.
    multiplier : float
        By which fixed-point arithmetic scales integers; 0 if it does not.
    place : float
        How far a place in an image of 10 bits may be off, times the difference of neighbors.
    exact : bool
        Whether nothing is rounded but the result.
    """

    real: np.ndarray
    magnitude: np.ndarray
    terms: int = 1
    slope: float = 1.0
    operand: Any = 0.0
    multiplier: Any = 0.0
    place: Any = 0.0
    exact: bool = False

    def bound(self, family: str, zero: float) -> np.ndarray:
        """Bound the error before rounding, in steps."""
        if self.exact:
            return np.zeros_like(self.real)
        size = np.abs(self.real) + abs(zero)
        bound = gamma(self.terms + 8) * self.magnitude + 4 * UNIT * size
        bound = bound + self.slope * gamma(3) * np.abs(self.operand) + DOUBLE * size
        if family.startswith("float32"):
            return bound + self.place * UNIT * 8
        bound = bound + self.place * PLACE
        if family == "multipliers_of_15_bits":
            return bound + MIDDLE * self.magnitude
        bound = bound + first_rounding(self.multiplier) + NARROW * self.magnitude
        if family == "fixed_point":
            return bound
        m = np.asarray(self.multiplier, np.float64)
        return bound + np.where(m > 0, SHORT * self.magnitude / np.where(m > 0, m, 1.0), 0.0)


def _of_codes(codes: Codes) -> np.ndarray:
    return codes.scale * (codes.array.astype(np.float64) - codes.zero_point)


def _function(function: Callable[..., Any], slope: float, scaled: bool = False) -> Any:
    """Make the meaning of a function of single codes."""

    def meaning(a: dict[str, Any], to: Output) -> Meaning:
        x = _of_codes(a["x"])
        y = function(x, a) if "negative_slope" in a else function(x)
        multiplier = a["x"].scale / to.scale if scaled else 0.0
        if "negative_slope" in a:
            multiplier = multiplier * np.where(x < 0, abs(a["negative_slope"]), 1.0)
        steps = np.abs(y) / to.scale
        return Meaning(y / to.scale + to.zero_point, steps, 1, slope, x / to.scale, multiplier)

    return meaning


def _leaky(x: np.ndarray, a: dict[str, Any]) -> np.ndarray:
    return np.where(x < 0, x * float(np.float32(a["negative_slope"])), x)


def _softmax(a: dict[str, Any], to: Output) -> Meaning:
    x = _of_codes(a["x"])
    powers = np.exp(x - x.max(-1, keepdims=True))
    share = powers / powers.sum(-1, keepdims=True)
    # An error of the exponent is a relative one of a share, its own and that of the sum.
    spread = share * np.abs(x - x.max(-1, keepdims=True)) / to.scale
    return Meaning(share / to.scale + to.zero_point, share / to.scale, x.shape[-1] + 4, 2.0, spread)


def _quantize(a: dict[str, Any], to: Output) -> Meaning:
    x = np.nan_to_num(np.asarray(a["x"], np.float32)).astype(np.float64) / to.scale
    return Meaning(x + to.zero_point, np.abs(x))


def _pieces(a: dict[str, Any], to: Output) -> Meaning:
    steps = [_of_codes(piece) / to.scale for piece in a["x"]]
    whole = np.concatenate(steps, a["axis"])
    factors = [np.full(p.shape, p.scale / to.scale) for p in a["x"]]
    return Meaning(
        whole + to.zero_point, np.abs(whole), multiplier=np.concatenate(factors, a["axis"])
    )


def _averaged(
    x: np.ndarray, count: Any, to: Output, factor: float, axes: Any, keep: bool
) -> Meaning:
    total, size = (v.sum(axes, keepdims=keep) / count / to.scale for v in (x, np.abs(x)))
    # Divided by the count, the fraction of a multiplier may be as small as one quarter.
    multiplier = 2 * factor / np.max(count)
    return Meaning(total + to.zero_point, size, int(np.max(count)), multiplier=multiplier)


def _mean(a: dict[str, Any], to: Output) -> Meaning:
    x, dims = _of_codes(a["x"]), a["x"].array.ndim
    given = a["axes"] if isinstance(a["axes"], list | tuple) else (a["axes"],)
    axes = tuple(axis % dims for axis in given)
    count = np.prod([x.shape[axis] for axis in axes])
    return _averaged(x, count, to, a["x"].scale / to.scale, axes, bool(a["keepdims"]))


def _global(a: dict[str, Any], to: Output) -> Meaning:
    x, axes = _of_codes(a["x"]), (2, 3) if a["layout"] == "NCHW" else (1, 2)
    count = np.prod([x.shape[axis] for axis in axes])
    return _averaged(x, count, to, a["x"].scale / to.scale, axes, True)


def _windows(a: dict[str, Any], outside: float) -> tuple[np.ndarray, np.ndarray]:
    """Collect what windows cover, along the last axis, and what of it lies in the image."""
    x = _of_codes(a["x"])
    first = x if a["layout"] == "NCHW" else np.moveaxis(x, -1, 1)
    pads = ((0, 0), (0, 0), *pads_of(a["padding"], 2))
    kernel = np.broadcast_to(a["kernel"], 2)
    stride = kernel if a["stride"] is None else np.broadcast_to(a["stride"], 2)
    found = []
    for image, value in ((first, outside), (np.ones_like(first), 0.0)):
        padded = np.pad(image, pads, constant_values=value)
        views = np.lib.stride_tricks.sliding_window_view(padded, tuple(kernel), (2, 3))
        taps = views[:, :, :: stride[0], :: stride[1]]
        taps = taps.reshape(*taps.shape[:4], -1)
        found.append(taps if a["layout"] == "NCHW" else np.moveaxis(taps, 1, 3))
    return found[0], found[1]


def _average(a: dict[str, Any], to: Output) -> Meaning:
    taps, inside = _windows(a, 0.0)
    return _averaged(taps, inside.sum(-1), to, 0.0, -1, False)


def _largest(a: dict[str, Any], to: Output) -> Meaning:
    taps, _ = _windows(a, -np.inf)
    largest = taps.max(-1) / a["x"].scale + a["x"].zero_point
    return Meaning(largest, np.abs(largest), exact=True)


def _places(count: int, size: int, corners: bool, half: bool) -> np.ndarray:
    if corners and count > 1:
        return np.arange(count) * ((size - 1) / (count - 1))
    step = size / count
    return np.arange(count) * step + (step / 2 - 0.5 if half else 0.0)


def _resize(a: dict[str, Any], to: Output) -> Meaning:
    x = a["x"].array.astype(np.float64)
    images = np.moveaxis(x, 1, -1) if a["layout"] == "NCHW" else x
    counts = np.broadcast_to(a["size"], 2)
    off, moved = 0.0, images
    for axis, count in ((1, int(counts[0])), (2, int(counts[1]))):
        size = images.shape[axis]
        place = _places(count, size, bool(a["align_corners"]), bool(a["half_pixel_centers"]))
        place = np.clip(place, 0, size - 1)
        low = np.minimum(np.floor(place).astype(int), size - 1)
        shape = [-1 if k == axis else 1 for k in range(4)]
        part = (place - low).reshape(shape)
        ends = (np.take(moved, i, axis) for i in (low, np.minimum(low + 1, size - 1)))
        moved = next(ends) * (1 - part) + next(ends) * part
        jump = np.abs(np.diff(images, axis=axis)).max(initial=0.0)
        off = off + jump * (1 + np.arange(count).reshape(shape))
    back = np.moveaxis(moved, -1, 1) if a["layout"] == "NCHW" else moved
    spread = np.broadcast_to(off, moved.shape)
    place = np.moveaxis(spread, -1, 1) if a["layout"] == "NCHW" else spread
    return Meaning(back, np.abs(back), 4, place=place)


def _hardswish(x: np.ndarray) -> np.ndarray:
    return x * np.clip(x + 3, 0, 6) / 6


_MEANINGS: dict[str, Callable[[dict[str, Any], Output], Meaning]] = {
    "requantize": _function(lambda x: x, 1.0, True),
    "leaky_relu": _function(_leaky, 1.0, True),
    "sigmoid": _function(lambda x: 1 / (1 + np.exp(-x)), 0.25),
    "tanh": _function(np.tanh, 1.0),
    "elu": _function(lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x), 1.0),
    "hardswish": _function(_hardswish, 1.5, True),
    "softmax": _softmax,
    "quantize": _quantize,
    "cat": _pieces,
    "mean": _mean,
    "global_avg_pool2d": _global,
    "avg_pool2d": _average,
    "max_pool2d": _largest,
    "resize_bilinear": _resize,
}


def sums_of(task: NeutralCodes) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the sums of codes that an average is made of, and of how many; None of others."""
    if task.operation not in ("mean", "global_avg_pool2d", "avg_pool2d"):
        return None
    codes = task.arguments["x"]
    plain = {**task.arguments, "x": Codes(codes.array, 1.0)}
    if task.operation == "avg_pool2d":
        taps, inside = _windows(plain, 0.0)
        return taps.sum(-1), inside.sum(-1)
    averages = _MEANINGS[task.operation](plain, Output(1.0)).real
    count = codes.array.size // max(averages.size, 1)
    return averages * count, np.full(averages.shape, count)


def _keeps(x: Codes, to: Output) -> bool:
    """Whether a result has the quantizer of its operand."""
    return (x.scale, x.zero_point) == (to.scale, to.zero_point)


def meaning_of(task: Problem) -> Meaning | None:
    """Return what the elements of a result stand for; None if that is not known."""
    make = _MEANINGS.get(task.operation) if isinstance(task, NeutralCodes) else None
    if make is None or task.output is None:
        return None
    moved = task.operation in ("max_pool2d", "resize_bilinear")
    if moved and not _keeps(task.arguments["x"], task.output):
        return None  # rounded twice, the second time by another rule
    with np.errstate(all="ignore"):
        return make(task.arguments, task.output)
