"""Strides of a tensor: memory formats, and views with given strides."""

import math
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant._documentation import document
from refquant.errors import OperationError
from refquant.ops import checks, layout
from refquant.ops.moved import movable, moved
from refquant.ops.views import integers, lost_axis
from refquant.tensors import QuantizedTensor, Tensor, differentiable

MOST_STEPS = 2**31  # longer ones reach no second window either

__all__ = [
    "as_strided",
    "contiguous",
    "is_contiguous",
    "nelement",
    "numel",
    "storage_offset",
    "unfold",
]


def numel(input: Tensor) -> int:
    """Count the elements.

    %(any_shape)s

    Returns
    -------
    int

    %(example)s
    >>> refquant.numel(refquant.tensor([[1, 2], [3, 4]]))
    4
    """
    return checks.any_tensor("input", input).array.size


def nelement(input: Tensor) -> int:
    """Count the elements; see `numel`."""
    return numel(input)


def contiguous(
    input: Any, memory_format: dtypes.memory_format = dtypes.contiguous_format
) -> Tensor:
    """Lay the elements out without gaps, in the order of a memory format.

    %(plain_or_quantized)s
    memory_format : memory_format
        ``contiguous_format`` (row-major), ``channels_last`` (4 dimensions), ``channels_last_3d``
        (5 dimensions) or ``preserve_format``.

    Returns
    -------
    Tensor
        `input` itself if it lies like that already, else a copy.

    Raises
    ------
    ShapeError
        If the tensor does not have the dimensions that the format needs.

    %(example)s
    >>> x = refquant.zeros(1, 2, 3, 4).contiguous(memory_format=refquant.channels_last)
    >>> x.shape, x.stride()
    (refquant.Size([1, 2, 3, 4]), (24, 1, 8, 2))
    """
    x = checks.any_tensor("input", input)
    array = layout.to_format(x.array, memory_format)
    if array is x.array:
        return x
    if isinstance(x, QuantizedTensor):
        return x.like(array)
    return differentiable(array, (x,), lambda g: (g,))


def is_contiguous(
    input: Any, memory_format: dtypes.memory_format = dtypes.contiguous_format
) -> bool:
    """Return whether the elements lie without gaps in the order of a memory format."""
    return layout.is_contiguous(input.array, memory_format)


def _storage(array: np.ndarray) -> tuple[np.ndarray, int]:
    """View all elements of the memory that an array lies in, and return where it starts there."""
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    low, high = np.lib.array_utils.byte_bounds(root)
    start = array.__array_interface__["data"][0] - low
    first = root
    for axis, stride in enumerate(root.strides):
        if stride < 0:
            first = np.flip(first, axis)
    count = (high - low) // array.itemsize if array.itemsize == root.itemsize else 0
    flat = np.lib.stride_tricks.as_strided(first, (count,), (array.itemsize,))
    return flat, start // array.itemsize


def storage_offset(input: Tensor) -> int:
    """Count the elements between the start of the tensor's memory and its first element."""
    return _storage(input.array)[1]


def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """View the memory of a tensor with a given shape and strides.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized per tensor.
    size : sequence of int
        Shape of the result.
    stride : sequence of int
        For each dimension the elements to step over; not negative.
    storage_offset : int, optional
        Where the result starts, in elements from the start of the memory; where `input` starts
        if not given.

    %(shares_storage)s

    Raises
    ------
    OperationError
        If sizes and strides do not match or reach outside the memory.
    QuantizerError
        If `input` is quantized per channel.

    %(example)s
    >>> refquant.tensor([0, 1, 2, 3]).as_strided((3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    x = checks.any_tensor("input", input)
    if isinstance(x, QuantizedTensor) and x.axis is not None:
        raise lost_axis(x, "dequantize() first, or use view() or permute()")
    shape = integers("size", (size,))
    steps = integers("stride", (stride,))
    flat, start = _storage(x.array)
    offset = start
    if storage_offset is not None:
        offset = arguments.integer("storage_offset", storage_offset)
    if len(shape) != len(steps) or min((*shape, *steps, offset), default=0) < 0:
        raise OperationError(
            argument="stride",
            expected="one for each size, none of them negative",
            got=f"size {arguments.describe(shape)}, stride {arguments.describe(steps)}, "
            f"storage_offset {offset}",
        )
    last = offset + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    if (math.prod(shape) and last >= flat.size) or max((*shape, *steps), default=0) >= 2**59:
        raise OperationError(
            argument="size",
            got=f"size {arguments.describe(shape)}, stride {arguments.describe(steps)}, "
            f"storage_offset {offset}, which reach too far",
            expected=f"inside the {flat.size} elements of the memory",
        )

    def strided(memory, extents, strides, begin):
        return np.lib.stride_tricks.as_strided(
            memory[begin:], extents, [s * memory.itemsize for s in strides]
        )

    view = strided(flat, shape, steps, min(offset, flat.size))
    if isinstance(x, QuantizedTensor):
        return x.like(view)

    size, before, strides = flat.size, x.array.shape, x.stride()

    def backward(g):
        places = np.arange(size)
        memory = np.zeros(size, g.dtype)
        np.add.at(memory, strided(places, shape, steps, min(offset, size)), g)
        return (memory[strided(places, before, strides, start)],)

    return differentiable(view, (x,), backward)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """View the windows along a dimension; a new last dimension runs over the elements of each.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized per tensor.
    dimension : int
        The dimension.
    size : int
        Elements of a window.
    step : int
        From one window to the next.

    %(shares_storage)s

    Raises
    ------
    OperationError
        If a window is longer than the dimension, or there is no step.
    QuantizerError
        If `input` is quantized per channel.

    %(example)s
    >>> refquant.tensor([0, 1, 2, 3]).unfold(0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    x = movable("input", input)
    array = x.array
    axis = checks.dimension("dimension", dimension, array.ndim)
    extent = array.shape[axis] if array.ndim else 1
    size = arguments.integer("size", size, 0)
    step = min(arguments.integer("step", step, 1), MOST_STEPS)
    if size > extent:
        raise OperationError(
            argument="size", expected=f"at most the extent {extent} of the dimension", got=size
        )
    if array.ndim == 0:
        return x.reshape((size,))
    shape, steps = [*array.shape, size], [*array.strides, array.strides[axis]]
    shape[axis] = (extent - size) // step + 1
    steps[axis] *= step
    view = np.lib.stride_tricks.as_strided(array, shape, steps)
    before = array.shape

    def backward(g):
        gradient = np.zeros(before, g.dtype)
        for place in range(size):
            taken = slice(place, place + step * (g.shape[axis] - 1) + 1, step)
            gradient[(slice(None),) * axis + (taken,)] += g[..., place]
        return gradient

    return moved(x, view, backward)


document(__name__)
