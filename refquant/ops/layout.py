"""Memory layout of tensors, and the order in which the real engines iterate over them.

The only file that knows either. Memory formats are strides: a ``channels_last`` tensor of shape
(N, C, H, W) has the strides of a contiguous (N, H, W, C). Operations ask here which elements are
neighbors (`flatten`), in which format the result belongs (`restore`, `format_of`), and how many
elements of a run an engine takes in whole vectors (`vector_length`).
"""

import math
from functools import lru_cache

import numpy as np

from refquant import dtypes
from refquant.arguments import describe
from refquant.errors import ArgumentError, ShapeError

__all__ = [
    "as_stored",
    "dense",
    "dense_copy",
    "empty",
    "flatten",
    "format_of",
    "in_own_format",
    "is_contiguous",
    "order_of",
    "pair",
    "restore",
    "row_major",
    "slices",
    "to_format",
    "vector_length",
    "with_channels_last",
    "with_channels_second",
]

# Dimensions from the slowest to the fastest in memory.
_ORDER = {dtypes.channels_last: (0, 2, 3, 1), dtypes.channels_last_3d: (0, 2, 3, 4, 1)}
_BY_NDIM = {4: dtypes.channels_last, 5: dtypes.channels_last_3d}


def _known(memory_format) -> None:
    """Check that a memory format is one in which a tensor can be laid out."""
    if type(memory_format) is not dtypes.memory_format:
        raise ArgumentError(
            argument="memory_format",
            expected="contiguous_format, channels_last, channels_last_3d or preserve_format",
            got=describe(memory_format),
        )


def order_of(memory_format) -> tuple[int, ...]:
    """Dimensions of a channels-last format from the slowest to the fastest in memory."""
    return _ORDER[memory_format]


@lru_cache(maxsize=8)
def _inverse(order):
    return tuple(order.index(i) for i in range(len(order)))


def _order(array: np.ndarray, memory_format) -> tuple[int, ...]:
    order = _ORDER[memory_format]
    if array.ndim != len(order):
        raise ShapeError(
            f"memory_format={memory_format}",
            argument="input",
            expected=f"a tensor of {len(order)} dimensions",
            got=f"shape {array.shape}",
        )
    return order


@lru_cache(maxsize=8)
def _to_last(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim), 1)


def with_channels_last(array: np.ndarray) -> np.ndarray:
    """View an array whose axis 1 comes last."""
    return array.transpose(_to_last(array.ndim))


def with_channels_second(array: np.ndarray) -> np.ndarray:
    """View an array whose last axis comes second."""
    return array.transpose(_inverse(_to_last(array.ndim)))


def is_contiguous(array: np.ndarray, memory_format=dtypes.contiguous_format) -> bool:
    """Whether the elements lie without gaps in the order of `memory_format`.

    Dimensions of extent 1 do not count, so an array can be contiguous in several formats. An array
    without elements is always contiguous in the row-major one.
    """
    if memory_format is dtypes.contiguous_format:
        return array.flags.c_contiguous
    if type(memory_format) is not dtypes.memory_format or memory_format not in _ORDER:
        raise ArgumentError(
            argument="memory_format",
            expected="contiguous_format, channels_last or channels_last_3d",
            got=describe(memory_format),
        )
    order = _ORDER[memory_format]
    if array.ndim != len(order):
        return False
    if array.size:
        return array.transpose(order).flags.c_contiguous
    expected = array.itemsize
    for dimension in reversed(order):
        extent = array.shape[dimension]
        if extent != 1 and array.strides[dimension] != expected:
            return False
        expected *= extent
    return True


def format_of(array: np.ndarray):
    """Return the memory format that the strides of an array suggest, as PyTorch decides it.

    A contiguous array is row-major unless its strides can only be channels-last: going from
    channels to width, height and batch, strides must not fall, and a dimension of extent 1 still
    has the stride that the format gives it. Ties (a batch stride equal to the channel stride)
    mean row-major. Source: ``is_channels_last_strides_2d`` of ATen's MemoryFormat, checked on
    PyTorch 2.13.
    """
    found = _BY_NDIM.get(array.ndim)
    if found is None:
        return dtypes.contiguous_format
    shape, strides, smallest = array.shape, array.strides, 0
    if strides[1] == 0:
        return dtypes.contiguous_format
    for dimension in reversed(_ORDER[found]):
        extent, stride = shape[dimension], strides[dimension]
        if extent == 0 or stride < smallest:
            return dtypes.contiguous_format
        if dimension == 0 and smallest == strides[1]:
            return dtypes.contiguous_format
        smallest = stride * max(extent, 1)
    return found


def empty(shape, storage, memory_format=dtypes.contiguous_format) -> np.ndarray:
    """Allocate an array whose strides are those of `memory_format`."""
    _known(memory_format)
    order = _ORDER.get(memory_format)
    if order is None:
        return np.empty(shape, storage)
    if len(shape) != len(order):
        raise ShapeError(
            argument="size",
            expected=f"{len(order)} sizes for memory_format={memory_format}",
            got=tuple(shape),
        )
    return np.empty([shape[i] for i in order], storage).transpose(_inverse(order))


def to_format(array: np.ndarray, memory_format) -> np.ndarray:
    """Convert an array to a memory format: the array itself if it is in it, else a copy."""
    if memory_format is dtypes.preserve_format:
        memory_format = format_of(array)
    if memory_format is dtypes.contiguous_format:
        return array if array.flags.c_contiguous else np.array(array, order="C")
    _known(memory_format)
    order = _order(array, memory_format)
    if is_contiguous(array, memory_format):
        return array
    return np.array(array.transpose(order), order="C").transpose(_inverse(order))


def dense_copy(array: np.ndarray) -> np.ndarray:
    """Copy an array without gaps, in the memory format that it has; other strides row-major."""
    memory_format = dtypes.contiguous_format if array.ndim < 4 else format_of(array)
    order = _ORDER.get(memory_format)
    if order is None:
        return array.copy(order="C")
    return array.transpose(order).copy(order="C").transpose(_inverse(order))


def flatten(array: np.ndarray, memory_format=None) -> tuple[np.ndarray, dtypes.memory_format]:
    """Flatten the elements to one contiguous run, in the order of the format that is meant.

    Parameters
    ----------
    array : ndarray
        The elements.
    memory_format : memory_format, optional
        An order to take them in instead, such as that of another operand.

    Returns
    -------
    flat : ndarray, shape (n,)
        A view where the elements lie without gaps, else a copy.
    memory_format : memory_format
        What `restore` needs to give a result the format of this operand.
    """
    if array.ndim < 4:
        return array.ravel(), dtypes.contiguous_format
    if memory_format is None:
        memory_format = format_of(array)
    if memory_format is dtypes.contiguous_format:
        return array.ravel(), memory_format
    return array.transpose(_ORDER[memory_format]).ravel(), memory_format


def dense(array: np.ndarray) -> tuple[np.ndarray, dtypes.memory_format]:
    """Lay the elements out as `flatten` does, in their shape where they lie so already."""
    if 0 < array.ndim < 4 and array.flags.c_contiguous:
        return array, dtypes.contiguous_format
    return flatten(array)


def restore(flat: np.ndarray, shape, memory_format) -> np.ndarray:
    """Undo `flatten`: give elements their shape, in a memory format."""
    if memory_format is dtypes.contiguous_format:
        return flat if flat.shape == shape else flat.reshape(shape)
    order = _ORDER[memory_format]
    return flat.reshape([shape[i] for i in order]).transpose(_inverse(order))


def slices(
    array: np.ndarray, axis: int, memory_format=None
) -> tuple[np.ndarray, dtypes.memory_format]:
    """Flatten the elements around an axis to one contiguous block, in the order of their format.

    Parameters
    ----------
    array : ndarray
        The elements.
    axis : int
        The dimension that becomes the middle one.
    memory_format : memory_format, optional
        An order to take them in instead, such as that of another operand.

    Returns
    -------
    dense : ndarray, shape (outer, channels, inner)
        The middle axis is `axis`; a view where the elements lie without gaps, else a copy.
    memory_format : memory_format
        What `restore` needs, given the elements in one run.
    """
    if memory_format is None:
        memory_format = format_of(array)
    if memory_format is dtypes.contiguous_format:
        shape, position = array.shape, axis
        dense = np.ascontiguousarray(array)
    else:
        order = _ORDER[memory_format]
        dense = np.ascontiguousarray(array.transpose(order))
        shape, position = dense.shape, order.index(axis)
    outer, inner = math.prod(shape[:position]), math.prod(shape[position + 1 :])
    return dense.reshape(outer, shape[position], inner), memory_format


def is_channels_last(array: np.ndarray) -> bool:
    """Whether engines walk over an image as one whose channels lie innermost.

    They do wherever the elements lie in that order without gaps, also where the strides mean a
    row-major image: with one channel or one pixel, both orders are one. Found on PyTorch 2.13.
    """
    return array.ndim in _BY_NDIM and is_contiguous(array, _BY_NDIM[array.ndim])


def image(array: np.ndarray, spatial: int = 2):
    """Lay an image out as (outer, height, width, inner), in the order in which engines walk.

    Parameters
    ----------
    array : ndarray, shape (batch, channels, height, width) or (channels, height, width)
        The image; of three spatial dimensions there is a depth before the height.
    spatial : int
        How many spatial dimensions there are, 2 or 3.

    Returns
    -------
    dense : ndarray, shape (outer, height, width, inner)
        Channels are `inner` where `is_channels_last` holds; else they and the batch are `outer`.
    restore : callable
        Takes such an array of other extents back to the shape and format of the image; an image
        with gaps becomes a row-major one.
    """
    if array.ndim not in (spatial + 1, spatial + 2):
        named = "depth, height, width" if spatial == 3 else "height, width"
        raise ShapeError(
            argument="input",
            expected=f"an image (batch, channels, {named}), or one without batch",
            got=f"shape {array.shape}",
        )
    if array.ndim == spatial + 2 and is_channels_last(array):
        order = _ORDER[_BY_NDIM[array.ndim]]
        dense, inverse = array.transpose(order), _inverse(order)
        if format_of(array) is _BY_NDIM[array.ndim]:
            return dense, lambda result: result.transpose(inverse)
        return dense, lambda result: _row_major(result.transpose(inverse))
    lead, extents = array.shape[:-spatial], array.shape[-spatial:]
    dense = np.ascontiguousarray(array).reshape(math.prod(lead), *extents, 1)
    return dense, lambda result: result.reshape(*lead, *result.shape[1:-1])


def _row_major(image: np.ndarray) -> np.ndarray:
    """Give an image row-major strides, those of extents of 1 too."""
    return image.ravel().reshape(image.shape)


def vector_length(length: int, block: int) -> int:
    """Count the leading elements of a run that an engine takes in whole blocks."""
    return length - length % block


def pair(a: np.ndarray, b: np.ndarray):
    """Lay two operands side by side, in the order in which ATen's TensorIterator walks.

    The result is dense in the format of the first operand; the walk follows it. Neighboring
    dimensions along which both operands step evenly are one run. The engine takes a run in
    vectors if each operand is dense along it, or one of them a single element.

    Parameters
    ----------
    a, b : ndarray
        Operands that broadcast against each other.

    Returns
    -------
    a, b : ndarray
        Elements in the order of the walk, without gaps: as they came, or in one dimension.
    run : int
        How many of them the engine takes in one loop.
    vectors : bool
        Whether that loop takes whole vectors.
    shape : tuple of int
        Shape of the result.
    memory_format : memory_format
        What `restore` needs.
    """
    shape = a.shape
    if b.shape == shape and a.flags.c_contiguous and b.flags.c_contiguous:
        memory_format = dtypes.contiguous_format if len(shape) < 4 else format_of(a)
        return a, b, a.size, True, shape, memory_format
    try:
        shape = np.broadcast_shapes(shape, b.shape)
    except ValueError:
        raise ShapeError(
            argument="other",
            expected=f"of a shape that broadcasts against {a.shape}",
            got=f"shape {b.shape}",
        ) from None
    memory_format = format_of(a) if a.ndim == len(shape) else dtypes.contiguous_format
    a, b = np.broadcast_to(a, shape), np.broadcast_to(b, shape)
    if memory_format in _ORDER:
        order = _ORDER[memory_format]
        a, b = a.transpose(order), b.transpose(order)
    run, steps = _run(a, b)
    vectors = steps in ((1, 1), (0, 1), (1, 0))
    return a.ravel(), b.ravel(), run, vectors, shape, memory_format


def row_major(array: np.ndarray) -> tuple[np.ndarray, int, bool]:
    """Lay an operand out as ATen's TensorIterator walks whose result is always row-major.

    Returns
    -------
    flat : ndarray, shape (n,)
        Elements in row-major order.
    run : int
        How many of them the engine takes in one loop.
    vectors : bool
        Whether that loop takes whole vectors: where the operand is dense along it, or repeats a
        single element.
    """
    if array.flags.c_contiguous:
        return array.ravel(), array.size, True
    flat = array.ravel()
    run, steps = _run(flat.reshape(array.shape), array)
    return flat, run, steps in ((1, 1), (1, 0))


def in_own_format(array: np.ndarray):
    """Lay an operand out as ATen's TensorIterator walks whose result takes the operand's format.

    Returns
    -------
    flat : ndarray, shape (n,)
        Elements in the order of the format.
    run : int
        How many of them the engine takes in one loop.
    vectors : bool
        Whether that loop takes whole vectors; see `row_major`.
    memory_format : memory_format
        What `restore` needs.
    """
    memory_format = dtypes.contiguous_format if array.ndim < 4 else format_of(array)
    if memory_format is dtypes.contiguous_format:
        return *row_major(array), memory_format
    return *row_major(array.transpose(_ORDER[memory_format])), memory_format


def as_stored(array: np.ndarray) -> np.ndarray:
    """View an operand with its dimensions as ATen's TensorIterator orders those of a target."""
    return array.transpose(sorted(range(array.ndim), key=lambda d: -array.strides[d]))


def _run(a: np.ndarray, b: np.ndarray) -> tuple[int, tuple[int, int]]:
    """Length of the run along the last dimensions, and the steps of both operands along it."""
    run, steps = 1, (1, 1)
    for extent, *strides in zip(a.shape[::-1], a.strides[::-1], b.strides[::-1], strict=True):
        step = (strides[0] // a.itemsize, strides[1] // b.itemsize)
        if extent == 1:
            continue
        if run == 1:
            run, steps = extent, step
        elif step == (run * steps[0], run * steps[1]):
            run *= extent
        else:
            break
    return run, steps
