"""Ranges of evenly spaced numbers."""

import math
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError
from refquant.ops.floating.creation import storage
from refquant.ops.floating.operands import cast, scalar
from refquant.ops.rows import row
from refquant.reference.random_numbers import fused
from refquant.tensors import Tensor


@row("refquant", returns="Shape (n,); int64 for integers, else float32.")
def arange(
    start, end=None, step=1, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Count from `start` (0 if only one number is given) up to, not including, `end`.

    Parameters
    ----------
    start : number
        The first number; 0 if `end` is not given.
    end : number, optional
        Not included.
    step : number, default 1
        The distance.

    >>> refquant.arange(3), refquant.arange(0.0, 1.0, 0.5)
    (tensor([0, 1, 2]), tensor([0.0000, 0.5000]))
    """
    start, end = (0, start) if end is None else (start, end)
    start = scalar("start", start)
    end = scalar("end", end)
    step = scalar("step", step)
    integral = all(isinstance(v, int | np.integer) for v in (start, end, step))
    kind = storage(dtype, device, dtypes.int64 if integral else dtypes.float32)
    if not _counts(start, end, step, integral):
        return Tensor(np.zeros(0, kind), requires_grad)
    if integral or kind.char not in _LANES:
        return Tensor(cast(np.arange(start, end, step), kind), requires_grad)
    return Tensor(_spaced(float(start), float(end), float(step), kind), requires_grad)


# Elements of a vector of AVX2, which PyTorch makes two of at a time.
_LANES = {"f": 8, "d": 4}


def _spaced(start: float, end: float, step: float, kind: np.dtype) -> np.ndarray:
    """Count as PyTorch: each vector from its first element on, what is left from `start` on."""
    lanes = _LANES[kind.char]
    place = np.arange(math.ceil((end - start) / step))
    lane = place % lanes
    with np.errstate(all="ignore"):
        alone = fused(place.astype(np.float64), step, start).astype(kind)
        first = fused((place - lane).astype(np.float64), step, start).astype(kind)
        inside = fused(lane.astype(np.float64), step, first.astype(np.float64)).astype(kind)
    whole = place < len(place) // (2 * lanes) * (2 * lanes)
    return np.where(whole, inside, alone)


def _counts(start: Any, end: Any, step: Any, integral: bool) -> bool:
    """Return whether a range has elements; raise if they cannot be counted or stored."""
    for name, value in (("start", start), ("end", end), ("step", step)):
        if not (-(2**63) <= value < 2**63 if integral else math.isfinite(value)):
            expected = "in the range of int64" if integral else "finite"
            raise ArgumentError(argument=name, expected=expected, got=value)
    if step == 0:
        raise ArgumentError(argument="step", expected="other than 0", got=step)
    # In Python's numbers, which do not wrap around.
    length = int(end) - int(start) if integral else float(end) - float(start)
    length = length if step > 0 else -length
    if not length > 0:
        return False
    size = abs(arguments.real("step", step))
    count = length / size if size and length / size < 2.0**63 else 2.0**63
    arguments.shape("end", int(count))
    return True


@row(
    "refquant",
    returns="Shape (steps,).",
    start="The first number.",
    end="The last number.",
    steps="How many.",
)
def linspace(
    start: float, end: float, steps: int, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Make evenly spaced numbers from `start` to `end`, both included.

    >>> refquant.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    kind = storage(dtype, device)
    first = arguments.real("start", start, finite=True)
    last = arguments.real("end", end, finite=True)
    (count,) = arguments.shape("steps", arguments.integer("steps", steps))
    with np.errstate(all="ignore"):
        return Tensor(_between(first, last, count, kind), requires_grad)


def _between(first: float, last: float, count: int, kind: np.dtype) -> np.ndarray:
    """Count up from the first number in the first half, down from the last in the second."""
    exact = kind if kind.kind == "f" else np.dtype(np.float64)
    if kind.kind in "iu":  # PyTorch truncates the ends first
        first, last = math.trunc(first), math.trunc(last)
    low, high = exact.type(first), exact.type(last)
    step = (high - low) / exact.type(max(count - 1, 1))
    up = np.arange(count).astype(exact)
    rising, falling = _stepped(low, step, up), _stepped(high, -step, up[::-1])
    first_half = np.arange(count) < max(count // 2, 2 - count)
    return cast(np.where(first_half, rising, falling), kind)


def _stepped(start: Any, step: Any, steps: np.ndarray) -> np.ndarray:
    """Compute start + steps * step with one rounding, in float16 with two."""
    if steps.dtype == np.float16:
        return start + steps * step
    wide = (np.asarray(v, np.float64) for v in (steps, step, start))
    return fused(*wide).astype(steps.dtype)
