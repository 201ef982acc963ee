"""Ranges of evenly spaced numbers."""

import math
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError
from refquant.ops.floating.creation import storage
from refquant.ops.floating.operands import cast, scalar
from refquant.ops.rows import row
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
    (tensor([0, 1, 2]), tensor([0. , 0.5]))
    """
    start, end = (0, start) if end is None else (start, end)
    start = scalar("start", start)
    end = scalar("end", end)
    step = scalar("step", step)
    integral = all(isinstance(v, int | np.integer) for v in (start, end, step))
    kind = storage(dtype, device, dtypes.int64 if integral else dtypes.float32)
    counted = np.arange(start, end, step) if _counts(start, end, step, integral) else np.arange(0)
    return Tensor(cast(counted, kind), requires_grad)


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
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    kind = storage(dtype, device)
    first = arguments.real("start", start, finite=True)
    last = arguments.real("end", end, finite=True)
    (count,) = arguments.shape("steps", arguments.integer("steps", steps))
    with np.errstate(all="ignore"):
        return Tensor(np.linspace(first, last, count).astype(kind), requires_grad)
