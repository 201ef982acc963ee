"""Views: other shapes and orders of the same elements, for plain and quantized tensors.

Storage is shared and the quantizer stays. A tensor that is quantized per channel keeps track of
the dimension of its channels; a view that would lose it is an error.
"""

import math
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import document
from refquant.errors import OperationError, QuantizerError, ShapeError
from refquant.ops import checks
from refquant.tensors import QuantizedTensor, Tensor, differentiable

__all__ = [
    "flatten",
    "integers",
    "ravel",
    "reshape",
    "reshape_as",
    "squeeze",
    "unflatten",
    "unsqueeze",
    "view",
    "view_as",
    "with_axis",
]


# -- shared by all views -----------------------------------------------------------------------


def with_axis(x: QuantizedTensor, array: np.ndarray, axis: int) -> QuantizedTensor:
    """Make a view of a per-channel tensor whose channels lie along another dimension."""
    return QuantizedTensor._unchecked(array, x.dtype, x.scale, x.zero_point, axis)


def lost_axis(x: QuantizedTensor, hint: str) -> QuantizerError:
    """Describe a view in which the dimension of the channels would be lost."""
    return QuantizerError(
        argument="input",
        expected=f"quantized per tensor, or to keep dimension {x.axis} of the channels",
        got=f"shape {x.array.shape} quantized per channel",
        hint=hint,
    )


def integers(argument: str, values: Any) -> tuple[int, ...]:
    """Return sizes or dimensions that came one by one or as one sequence, or raise."""
    if len(values) == 1 and isinstance(values[0], tuple | list):
        values = values[0]
    return tuple([v if type(v) is int else arguments.integer(argument, v) for v in values])


def sizes(argument: str, values: Any) -> tuple[int, ...]:
    """Return the sizes of a new tensor, which came one by one or as one sequence, or raise."""
    if len(values) == 1 and isinstance(values[0], tuple | list):
        values = values[0]
    return arguments.shape(argument, tuple(values))


def _complete(array: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Infer the one size that is -1."""
    if array.size == 0 or len(shape) > arguments.MOST_DIMENSIONS:
        arguments.shape("shape", tuple(max(s, 0) for s in shape))
    known = math.prod(s for s in shape if s != -1)
    if shape.count(-1) == 1 and known > 0 and array.size % known == 0:
        return tuple(array.size // known if s == -1 else s for s in shape)
    if min(shape, default=0) < 0 or known != array.size:
        raise ShapeError(
            argument="shape",
            expected=f"sizes whose product is {array.size}, at most one of them -1",
            got=f"{arguments.describe(shape)} for an input of shape {array.shape}",
        )
    return shape


# -- the same elements in another shape --------------------------------------------------------


def _followed(x: QuantizedTensor, shape: tuple[int, ...]) -> int:
    """Find the dimension of `shape` that runs over the channels."""
    before = math.prod(x.array.shape[: x.axis])
    for axis, extent in enumerate(shape):
        if extent == x.array.shape[x.axis] and math.prod(shape[:axis]) == before:
            return axis
    raise lost_axis(
        x,
        f"shape {shape} merges or splits the channels; dequantize() first, or keep them "
        "as one dimension",
    )


def _reshaped(x: Tensor, array: np.ndarray) -> Tensor:
    if isinstance(x, QuantizedTensor):
        if x.axis is None:
            return x.like(array)
        return with_axis(x, array, _followed(x, array.shape))
    before = x.array.shape
    return differentiable(array, (x,), lambda g: (g.reshape(before),))


def reshape(input: Any, *shape: Any) -> Tensor:
    """Reshape the elements in row-major order: a view if possible, else a copy.

    %(plain_or_quantized)s
    *shape : int
        Sizes, one by one or as one sequence; one may be -1 and is worked out.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If the number of elements differs.
    QuantizerError
        If the channels of a per-channel tensor would not be one dimension of the result.

    %(example)s
    >>> refquant.tensor([[1, 2], [3, 4]]).reshape(-1)
    tensor([1, 2, 3, 4])
    """
    x = checks.any_tensor("input", input)
    shape = _complete(x.array, integers("shape", shape))
    return _reshaped(x, x.array.reshape(shape))


def view(input: Tensor, *shape: Any) -> Tensor:
    """View the elements in another shape, without copying them.

    %(plain_or_quantized)s
    *shape : int
        Sizes, one by one or as one sequence; one may be -1 and is worked out.

    %(shares_storage)s

    Raises
    ------
    ShapeError
        If the number of elements differs, or the strides do not allow the shape without a copy.
    QuantizerError
        If the channels of a per-channel tensor would not be one dimension of the result.

    %(example)s
    >>> refquant.tensor([[1, 2], [3, 4]]).view(4)
    tensor([1, 2, 3, 4])
    """
    array = input.array
    shape = _complete(array, integers("shape", shape))
    result = array.reshape(shape)
    if not array.flags.c_contiguous and array.size and not np.may_share_memory(result, array):
        raise ShapeError(
            argument="shape",
            expected="one that the strides of the input allow",
            got=f"{shape} for shape {array.shape} with strides {input.stride()}",
            hint="use reshape(), which copies where it has to",
        )
    return _reshaped(input, result)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """View the elements in the shape of another tensor; see `view`."""
    return view(input, checks.any_tensor("other", other).array.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """Reshape to the shape of another tensor; see `reshape`."""
    return reshape(input, checks.any_tensor("other", other).array.shape)


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge a range of dimensions into one.

    %(plain_or_quantized)s
    start_dim, end_dim : int
        First and last of the dimensions.

    Returns
    -------
    Tensor
        A view where strides allow, else a copy; a 0-dimensional tensor gets one dimension.

    Raises
    ------
    OperationError
        If the range is empty.

    %(example)s
    >>> refquant.tensor([[[1, 2]], [[3, 4]]]).flatten(1)
    tensor([[1, 2],
            [3, 4]])
    """
    x = checks.any_tensor("input", input)
    first = checks.dimension("start_dim", start_dim, x.array.ndim)
    last = checks.dimension("end_dim", end_dim, x.array.ndim)
    if first > last:
        raise OperationError(
            argument="start_dim", expected=f"not after end_dim {end_dim}", got=start_dim
        )
    shape = x.array.shape
    merged = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    return _reshaped(x, x.array.reshape(merged))


def ravel(input: Any) -> Tensor:
    """Merge all dimensions into one; see `flatten`.

    %(any_shape)s

    Returns
    -------
    Tensor
        One dimension; shares storage where it can.

    %(example)s
    >>> refquant.ravel(refquant.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return flatten(input)


def unflatten(input: Any, dim: int, sizes: Any) -> Tensor:
    """Split one dimension into several; see `view`."""
    x = checks.any_tensor("input", input)
    dim = checks.dimension("dim", dim, x.array.ndim)
    shape = x.array.shape
    return reshape(x, (*shape[:dim], *integers("sizes", (sizes,)), *shape[dim + 1 :]))


# -- dimensions of extent 1 --------------------------------------------------------------------


def unsqueeze(input: Any, dim: int) -> Tensor:
    """Insert a dimension of extent 1 before dimension `dim`; shares storage.

    %(any_shape)s
    dim : int
        Where the new dimension will be.

    %(shares_storage)s

    %(example)s
    >>> refquant.unsqueeze(refquant.ones(3), 0).shape
    refquant.Size([1, 3])
    """
    x = checks.any_tensor("input", input)
    array = x.array
    dim = checks.dimension("dim", dim, array.ndim + 1)
    # The stride of the new dimension tells the memory format, as in PyTorch.
    stride = array.shape[dim] * array.strides[dim] if dim < array.ndim else array.itemsize
    result = np.lib.stride_tricks.as_strided(
        array,
        (*array.shape[:dim], 1, *array.shape[dim:]),
        (*array.strides[:dim], stride, *array.strides[dim:]),
    )
    if isinstance(x, QuantizedTensor):
        if x.axis is None:
            return x.like(result)
        return with_axis(x, result, x.axis + (dim <= x.axis))
    before = array.shape
    return differentiable(result, (x,), lambda g: (g.reshape(before),))


def squeeze(input: Any, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Remove dimensions of extent 1: all, or those of `dim`; shares storage.

    %(any_shape)s
    dim : int or tuple of int, optional
        Which dimensions; all of extent 1 if not given.

    %(shares_storage)s

    %(example)s
    >>> refquant.squeeze(refquant.ones(1, 3, 1)).shape
    refquant.Size([3])
    """
    x = checks.any_tensor("input", input)
    array, ndim = x.array, x.array.ndim
    if dim is None:
        named = list(range(ndim))
    else:
        named = list(checks.dimensions("dim", dim, ndim))
    gone = tuple(d for d in named if d < ndim and array.shape[d] == 1)
    result = array.squeeze(gone)
    if isinstance(x, QuantizedTensor):
        if x.axis is None:
            return x.like(result)
        if x.axis in gone:
            raise lost_axis(x, "name the dimensions to remove, or dequantize() first")
        return with_axis(x, result, x.axis - sum(d < x.axis for d in gone))
    before = array.shape
    return differentiable(result, (x,), lambda g: (g.reshape(before),))


document(__name__)
