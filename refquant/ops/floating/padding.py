"""Padding with a number, or with elements of the tensor itself; for quantized tensors, too."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import NotSupportedError, OperationError
from refquant.ops import layout
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import element, operand
from refquant.ops.moved import moved, scattered
from refquant.ops.rows import row
from refquant.ops.views import integers
from refquant.tensors import Tensor, differentiable

# How many of the last dimensions are padded for how many there are, but for a constant.
_PADDED = {2: (1,), 3: (1, 2), 4: (2, 3), 5: (3,)}


@row("nn.functional", returns="Of the padded shape.")
@dispatched
def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad a tensor.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized per tensor.
    pad : sequence of int
        Sizes before and after, beginning with the last dimension; negative ones cut off.
    mode : {'constant', 'reflect', 'replicate', 'circular'}
        What the border holds: a number, the elements mirrored at the last one, the last one, or
        those of the other end. All but a number are for the last 1 to 3 dimensions of a batch.
    value : number, optional
        The number, 0 if not given.

    >>> F.pad(refquant.tensor([1, 2]), (1, 0))
    tensor([0, 1, 2])
    """
    x = operand("input", input)
    pairs = padding_pairs(pad, mode, x.array.ndim)
    if mode != "constant":
        made = mirrored(x, pairs, mode, value)
        if mode == "circular":
            return made
        return made.contiguous(memory_format=layout.format_of(x.array))
    border = element("value", 0 if value is None else value, x.array.dtype)
    inner, taken = places(x.array.shape, pairs)
    padded = layout.to_format(framed(x.array, pairs, border), layout.format_of(x.array))
    before = x.array.shape

    def backward(g):
        gradient = np.zeros(before, g.dtype)
        gradient[taken] = g[inner]
        return (gradient,)

    return differentiable(padded, (x,), backward)


def padding_pairs(pad: Any, mode: Any, ndim: int) -> list[tuple[int, int]]:
    """Return sizes before and after for every dimension, the first one first, or raise."""
    sizes = integers("pad", (pad,))
    if not isinstance(mode, str) or mode not in ("constant", *_INDICES):
        raise NotSupportedError(
            argument="mode",
            expected="'constant', 'reflect', 'replicate' or 'circular'",
            got=arguments.describe(mode),
        )
    count, rest = divmod(len(sizes), 2)
    if rest or count > ndim or (mode != "constant" and count not in _PADDED.get(ndim, ())):
        known = f"at most {ndim}" if mode == "constant" else " or ".join(
            map(str, _PADDED.get(ndim, ("no",)))
        )  # fmt: skip
        raise OperationError(
            argument="pad",
            expected=f"pairs for {known} dimensions of {ndim} with mode={mode!r}",
            got=arguments.describe(sizes),
        )
    pairs = [(0, 0)] * (ndim - count)
    return pairs + [(sizes[i], sizes[i + 1]) for i in range(len(sizes) - 2, -1, -2)]


def places(shape: tuple[int, ...], pairs: list[tuple[int, int]]) -> tuple[tuple, tuple]:
    """Return where elements lie in the padded tensor, and which of them are not cut off."""
    inner, taken = [], []
    for extent, (before, after) in zip(shape, pairs, strict=True):
        if extent + before + after < 0:
            raise OperationError(
                argument="pad",
                expected=f"to cut off at most the {extent} elements of a dimension",
                got=(before, after),
            )
        first, last = max(-before, 0), extent - max(-after, 0)
        last = max(first, last)
        start = max(before, 0)
        inner.append(slice(start, start + last - first))
        taken.append(slice(first, last))
    return tuple(inner), tuple(taken)


def framed(array: np.ndarray, pairs: list[tuple[int, int]], border: Any) -> np.ndarray:
    """Copy an array with a constant border, row-major."""
    inner, taken = places(array.shape, pairs)
    sizes = tuple(n + b + a for n, (b, a) in zip(array.shape, pairs, strict=True))
    result = np.full(arguments.shape("pad", sizes), border, array.dtype)
    result[inner] = array[taken]
    return result


def _reflect(index: np.ndarray, size: int) -> np.ndarray:
    return size - 1 - np.abs(size - 1 - np.abs(index))


_INDICES = {
    "reflect": _reflect,
    "replicate": lambda index, size: np.clip(index, 0, size - 1),
    "circular": lambda index, size: index % size,
}


def mirrored(x: Tensor, pairs: list[tuple[int, int]], mode: str, value: Any) -> Tensor:
    """Pad with elements of the tensor itself; row-major."""
    if value is not None:
        raise OperationError(argument="value", expected=f"left out for mode={mode!r}", got=value)
    shape = x.array.shape
    taken, plans = x.array, []
    for axis, (before, after) in enumerate(pairs):
        if (before, after) == (0, 0):
            continue
        size = shape[axis]
        most = {"reflect": size - 1, "circular": size}.get(mode)
        fits = size + before + after > 0 and size > 0
        if not fits or (most is not None and max(before, after) > most):
            limit = f"at most {most} on each side" if most is not None else "to leave elements"
            raise OperationError(
                argument="pad",
                expected=f"{limit} of a dimension of {size} with mode={mode!r}",
                got=(before, after),
            )
        index = _INDICES[mode](np.arange(-before, size + after), size)
        arguments.shape("pad", (*taken.shape[:axis], index.size, *taken.shape[axis + 1 :]))
        taken = np.take(taken, index, axis)
        plans.append((index, axis, size))

    def backward(g):
        for index, axis, size in reversed(plans):
            g = scattered(g, index, axis, size)
        return g

    return moved(x, np.array(taken, order="C"), backward)
