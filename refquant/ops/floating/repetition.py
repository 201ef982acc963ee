"""Repetition of tensors and of their elements; for quantized tensors, too."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentTypeError, OperationError, ShapeError
from refquant.ops import checks
from refquant.ops.floating.operands import operand
from refquant.ops.moved import movable, moved, scattered
from refquant.ops.rows import row
from refquant.ops.views import sizes
from refquant.tensors import Tensor


@row("Tensor", input="Plain, or quantized per tensor.", returns="Row-major.")
def repeat(input: Any, *repeats) -> Tensor:
    """Repeat the whole tensor along its dimensions, and new ones in front.

    Parameters
    ----------
    *repeats : int
        How often along each dimension, one by one or as one sequence.

    >>> refquant.tensor([1, 2]).repeat(2)
    tensor([1, 2, 1, 2])
    """
    x = movable("input", input)
    counts = sizes("repeats", repeats)
    if len(counts) < x.array.ndim:
        raise ShapeError(
            argument="repeats", got=counts, expected=f"at least {x.array.ndim} numbers"
        )
    return _repeated(x, counts)


def _repeated(x: Tensor, counts: tuple[int, ...]) -> Tensor:
    before = x.array.shape
    shape = (1,) * (len(counts) - x.array.ndim) + before
    arguments.shape("repeats", tuple(n * m for n, m in zip(counts, shape, strict=True)))
    between = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)

    def backward(g):
        return g.reshape(between).sum(axis=tuple(range(0, 2 * len(shape), 2))).reshape(before)

    return moved(x, np.ascontiguousarray(np.tile(x.array, counts)), backward)


@row(input="Plain, or quantized per tensor.", returns="Row-major.")
def tile(input: Any, *dims) -> Tensor:
    """Repeat the whole tensor along its last dimensions; see `repeat`.

    Parameters
    ----------
    *dims : int
        How often, one by one or as one sequence; dimensions in front stay.

    >>> refquant.tile(refquant.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    x = movable("input", input)
    counts = sizes("dims", dims)
    return _repeated(x, (1,) * (x.array.ndim - len(counts)) + counts)


@row(
    input="Plain, or quantized per tensor.",
    repeats="How often each: one number, or one for each slice along `dim`.",
    dim="Along which; not given, all elements are taken in one row.",
    output_size="Accepted: the sum of `repeats`.",
    returns="Row-major.",
)
def repeat_interleave(
    input: Any, repeats: Any, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Repeat each element, or each slice along a dimension, in its place.

    >>> refquant.repeat_interleave(refquant.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    x = movable("input", input)
    if dim is None:
        x, dim = x.reshape(-1), 0
    axis = checks.dimension("dim", dim, x.array.ndim)
    if x.array.ndim == 0:
        x = x.reshape(1)
    extent = x.array.shape[axis]
    if isinstance(repeats, Tensor):
        counts = operand("repeats", repeats).array
        if counts.dtype.kind not in "iu" or counts.ndim > 1:
            raise ArgumentTypeError(
                argument="repeats",
                expected="a whole number, or integers in one dimension",
                got=arguments.describe(repeats),
            )
    else:
        counts = np.asarray(arguments.integer("repeats", repeats, 0, 2**31))
    if counts.size not in (1, extent) or (counts < 0).any():
        raise OperationError(
            argument="repeats",
            expected=f"one number, or {extent}, none of them negative",
            got=arguments.describe(counts.tolist()),
        )
    total = int(np.broadcast_to(counts, extent if counts.size == 1 else counts.shape).sum())
    arguments.shape("repeats", (*x.array.shape[:axis], total, *x.array.shape[axis + 1 :]))
    if not isinstance(repeats, Tensor):
        times = int(counts)
        between = (*x.array.shape[: axis + 1], times, *x.array.shape[axis + 1 :])
        repeated = np.ascontiguousarray(np.repeat(x.array, times, axis))
        return moved(x, repeated, lambda g: g.reshape(between).sum(axis=axis + 1))
    places = np.repeat(np.arange(extent), counts.reshape(-1))
    taken = np.ascontiguousarray(np.take(x.array, places, axis))
    return moved(x, taken, lambda g: scattered(g, places, axis, extent))
