"""What results of operations on codes stand for."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.meaning import Meaning, gamma
from refquant.oracle.problems.neutral import pads_of
from refquant.oracle.problems.neutral_codes import NeutralCodes
from refquant.oracle.problems.real_functions import elu, hardswish, leaky_relu, sigmoid

__all__ = ["copied", "meaning_of_codes", "near_places", "sums_of"]


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
        return Meaning(y / to.scale + to.zero_point, steps, to, 1, slope, x / to.scale, multiplier)

    return meaning


def _leaky(x: np.ndarray, a: dict[str, Any]) -> np.ndarray:
    return leaky_relu(x, float(np.float32(a["negative_slope"])))


def _softmax(a: dict[str, Any], to: Output) -> Meaning:
    x = _of_codes(a["x"])
    powers = np.exp(x - x.max(-1, keepdims=True))
    share = powers / powers.sum(-1, keepdims=True)
    # An error of the exponent is a relative one of a share, its own and that of the sum.
    spread = share * np.abs(x - x.max(-1, keepdims=True)) / to.scale
    steps = share / to.scale
    return Meaning(steps + to.zero_point, steps, to, x.shape[-1] + 4, 2.0, spread)


def _quantize(a: dict[str, Any], to: Output) -> Meaning:
    x = np.nan_to_num(np.asarray(a["x"], np.float32)).astype(np.float64) / to.scale
    return Meaning(x + to.zero_point, np.abs(x), to)


def _pieces(a: dict[str, Any], to: Output) -> Meaning:
    steps = [_of_codes(piece) / to.scale for piece in a["x"]]
    whole = np.concatenate(steps, a["axis"])
    factors = [np.full(p.shape, p.scale / to.scale) for p in a["x"]]
    return Meaning(
        whole + to.zero_point, np.abs(whole), to, multiplier=np.concatenate(factors, a["axis"])
    )


def _averaged(
    x: np.ndarray, count: Any, to: Output, factor: float, axes: Any, keep: bool
) -> Meaning:
    total, size = (v.sum(axes, keepdims=keep) / count / to.scale for v in (x, np.abs(x)))
    # Divided by the count, the fraction of a multiplier may be as small as one quarter.
    multiplier = 2 * factor / np.max(count)
    return Meaning(total + to.zero_point, size, to, int(np.max(count)), multiplier=multiplier)


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
    taps, _ = _windows({**a, "x": Codes(a["x"].array, 1.0)}, -np.inf)
    return _moved(taps.max(-1), a["x"], to)


def _moved(codes: np.ndarray, x: Codes, to: Output, *others: np.ndarray) -> Meaning:
    """Requantize codes that are those of the operand, at other places."""
    if _keeps(x, to):
        return Meaning(codes, np.abs(codes), to, exact=True, others=others)
    factor = x.scale / to.scale
    steps, *more = ((q - x.zero_point) * factor for q in (codes, *others))
    others = tuple(other + to.zero_point for other in more)
    return Meaning(steps + to.zero_point, np.abs(steps), to, multiplier=factor, others=others)


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
    if _keeps(a["x"], to):
        return Meaning(back, np.abs(back), to, 4, place=place)
    # The codes are rounded before they are requantized.
    factor = a["x"].scale / to.scale
    steps = (back - a["x"].zero_point) * factor
    return Meaning(
        steps + to.zero_point, np.abs(back) * factor, to, 4, multiplier=factor,
        place=place * factor, more=factor / 2,
    )  # fmt: skip


def near_places(index: np.ndarray, step: float, added: float, size: int) -> list[np.ndarray]:
    """Find the pixels of places, :math:`index * step + added`, rounded down.

    If float32 does not hold the step, a sound implementation may find the pixels before and behind
    a border that the place lies on.
    """
    places = index * step + added
    off = 0.0 if np.float32(step) == step else gamma(8) * np.maximum(np.abs(places), 1.0)
    found = (np.floor(places), np.floor(places - off), np.floor(places + off))
    return [np.clip(p, 0, size - 1).astype(np.int64) for p in found]


def copied(image: np.ndarray, places: list[list[np.ndarray]], first: int) -> Iterator[np.ndarray]:
    """Copy pixels along the axes from `first` on, from each choice of places along each axis."""
    kept = [[p for k, p in enumerate(along) if k == 0 or (p != along[0]).any()] for along in places]
    for chosen in product(*kept):
        taken = image
        for axis, index in enumerate(chosen, first):
            taken = np.take(taken, index, axis)
        yield taken


def _nearest(a: dict[str, Any], to: Output) -> Meaning:
    x = a["x"]
    first = 2 if a["layout"] == "NCHW" else 1
    corners, half = bool(a["align_corners"]), bool(a["half_pixel_centers"])
    places = []
    for axis, count in enumerate(np.broadcast_to(a["size"], 2).tolist(), first):
        size = x.shape[axis]
        aligned = corners and count > 1
        step = (size - 1) / (count - 1) if aligned else size / count
        index, added = np.arange(count) + (0.5 if half else 0.0), 0.5 if corners else 0.0
        near = near_places(index, step, added, size)
        if corners:  # a place in the middle of two pixels is a tie
            near.append(np.clip(np.ceil(index * step + added) - 1, 0, size - 1).astype(np.int64))
        places.append(near)
    codes, *others = copied(x.array.astype(np.float64), places, first)
    return _moved(codes, x, to, *others)


def _dequantize(a: dict[str, Any], to: None) -> Meaning:
    x = a["x"]
    # The products of scale and code, and of scale and zero point, may be rounded apart.
    apart = x.scale * (np.abs(x.array.astype(np.float64)) + abs(x.zero_point))
    return Meaning(_of_codes(x), apart, to)


def _dynamic(a: dict[str, Any], to: Output) -> Meaning:
    """Quantize by a range that the numbers have, whose zero point may lie beside a tie."""
    x = np.asarray(a["x"], np.float32).astype(np.float64)
    low, high = min(x.min(initial=0.0), 0.0), max(x.max(initial=0.0), 0.0)
    scale = (high - low) / 255 if high > low else 1.0
    zero = -low / scale
    ends = [float(np.rint(zero + off)) for off in (-zero * gamma(8), zero * gamma(8))]
    middle = (ends[0] + ends[1]) / 2
    return Meaning(x / scale + middle, np.abs(x) / scale, to, more=middle - ends[0])


_MEANINGS: dict[str, Callable[[dict[str, Any], Any], Meaning]] = {
    "requantize": _function(lambda x: x, 1.0, True),
    "leaky_relu": _function(_leaky, 1.0, True),
    "sigmoid": _function(sigmoid, 0.25),
    "tanh": _function(np.tanh, 1.0),
    "elu": _function(elu, 1.0),
    "hardswish": _function(hardswish, 1.5, True),
    "softmax": _softmax,
    "quantize": _quantize,
    "cat": _pieces,
    "mean": _mean,
    "global_avg_pool2d": _global,
    "avg_pool2d": _average,
    "max_pool2d": _largest,
    "resize_bilinear": _resize,
    "resize_nearest": _nearest,
    "dequantize": _dequantize,
    "dynamic_quantize": _dynamic,
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


def meaning_of_codes(task: NeutralCodes) -> Meaning | None:
    """Return what the elements of a result stand for; None if that is not known."""
    make = _MEANINGS.get(task.operation)
    if make is None:
        return None
    with np.errstate(all="ignore"):
        return make(task.arguments, task.output)
