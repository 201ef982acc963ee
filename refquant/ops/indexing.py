"""Indexing of tensors with Python's square brackets."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant._documentation import documented
from refquant._operation import named
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    IndexRangeError,
    QuantizerError,
    ShapeError,
)
from refquant.ops import checks, layout
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.inplace import assign, check_writable
from refquant.ops.views import lost_axis
from refquant.tensors import QuantizedTensor, Tensor, autograd, differentiable

__all__ = ["FULL_SLICE", "basic_index", "getitem", "index_items", "placed", "setitem"]


FULL_SLICE = slice(None)


def index_items(array: np.ndarray, index: Any) -> list:
    """Expand an index to one item for each dimension (and None for new ones)."""
    if isinstance(index, list) and any(
        isinstance(i, slice | Tensor | np.ndarray | list | tuple) or i is None for i in index
    ):
        index = tuple(index)
    items = [_item(i) for i in (index if isinstance(index, tuple) else (index,))]
    used = sum(i.ndim if _is_mask(i) else i is not None and i is not Ellipsis for i in items)
    rest = array.ndim - used
    if rest < 0 or sum(i is Ellipsis for i in items) > 1:
        raise IndexRangeError(
            argument="index",
            got=f"{used} items" if rest < 0 else "several ellipses",
            expected=f"at most {array.ndim} items for shape {array.shape} and one ellipsis",
        )
    place = next((n for n, i in enumerate(items) if i is Ellipsis), len(items))
    return items[:place] + [FULL_SLICE] * rest + items[place + 1 :]


def _is_mask(item) -> bool:
    return isinstance(item, np.ndarray) and item.dtype == np.bool_


def _item(item: Any):
    """Return one item of an index as an int, slice, None, Ellipsis or array, or raise."""
    if isinstance(item, slice):
        bounds = [
            None if b is None else arguments.integer("slice", b)
            for b in (item.start, item.stop, item.step)
        ]
        if bounds[2] is not None and bounds[2] <= 0:
            raise ArgumentError(
                argument="step", expected="greater than zero", got=bounds[2], hint="use flip()"
            )
        return slice(*bounds)
    if item is None or item is Ellipsis or type(item) is int:
        return item
    try:
        array = np.asarray(item.array if isinstance(item, Tensor) else item)
    except (ValueError, OverflowError):  # sequences of several lengths
        array = np.empty(1, object)
    if isinstance(item, QuantizedTensor) or array.dtype.kind not in "iub":
        if array.size == 0 and isinstance(item, list | tuple):
            return array.astype(np.int64)
        raise ArgumentTypeError(
            argument="index",
            expected="integers, slices, None, ... or integer and bool tensors",
            got=arguments.describe(item),
        )
    if array.dtype == np.uint8 and array.ndim:
        return array.astype(np.bool_)  # the old type of masks
    return array if array.ndim or array.dtype == np.bool_ else int(array)


def placed(array: np.ndarray, index: tuple) -> np.ndarray:
    """Return the part of an array that an index describes, or raise."""
    try:
        # The ellipsis makes single entries views of 0 dimensions instead of copies.
        return array[(*index, Ellipsis)]
    except (IndexError, OverflowError) as error:
        raise IndexRangeError(
            argument="index", expected=f"inside shape {array.shape}", got=str(error)
        ) from None


def _kept_channels(x: QuantizedTensor, index: tuple):
    """Follow the channels through a basic index: their new dimension and which of them stay."""
    old = new = 0
    for item in index:
        if item is None:
            new += 1
        elif old == x.axis:
            if not isinstance(item, slice):
                raise lost_axis(
                    x,
                    f"keep the dimension with a slice, [{item}:"
                    f"{item + 1 if item != -1 else ''}], or dequantize() first",
                )
            return new, item
        else:
            old += 1
            new += isinstance(item, slice)
    return new + x.axis - old, FULL_SLICE


def basic_index(x: Tensor, index: tuple) -> Tensor:
    """Return the view that an index of integers, slices and None describes."""
    array = placed(x.array, index)
    if isinstance(x, QuantizedTensor):
        if x.axis is None:
            return x.like(array)
        axis, kept = _kept_channels(x, index)
        scale, zero_point = (
            np.ascontiguousarray(x.scale[kept]),
            np.ascontiguousarray(x.zero_point[kept]),
        )
        return QuantizedTensor._unchecked(array, x.dtype, scale, zero_point, axis)

    before = x.array.shape

    def backward(g):
        gradient = np.zeros(before, g.dtype)
        gradient[index] = g
        return (gradient,)

    return differentiable(array, (x,), backward)


def _advanced(x: Tensor, index: tuple) -> Tensor:
    array = placed(x.array, index)
    if isinstance(x, QuantizedTensor):
        if x.axis is not None:
            raise QuantizerError(
                "indexing with tensors",
                argument="input",
                expected="quantized per tensor",
                got=x.qscheme(),
                hint="use slices, or dequantize() first",
            )
        first = index[0]
        batch = (
            isinstance(first, np.ndarray)
            and first.ndim == 1
            and all(isinstance(item, slice) for item in index[1:])
        )
        memory_format = layout.format_of(x.array) if batch else dtypes.contiguous_format
        return x.like(layout.to_format(array, memory_format))

    before = x.array.shape

    def backward(g):
        gradient = np.zeros(before, g.dtype)
        np.add.at(gradient, index, g)  # an element may be taken several times
        return (gradient,)

    return differentiable(array, (x,), backward)


def _two_steps(items: list) -> tuple[tuple, tuple | None]:
    """Split an index into a basic one and, if there are arrays in it, one of arrays and slices.

    Integers are taken first; NumPy alone would treat those beside an array as arrays too, and
    put the dimensions of the result in another order.
    """
    if not any(isinstance(i, np.ndarray) for i in items):
        return tuple(items), None
    basic: list = []
    arrays: list = []
    for item in items:
        if isinstance(item, np.ndarray):
            basic += [FULL_SLICE] * (item.ndim if item.dtype == np.bool_ else 1)
            arrays.append(item)
        else:
            basic.append(item)
            if not isinstance(item, int):
                arrays.append(FULL_SLICE)
    return tuple(basic), tuple(arrays)


@named("indexing")
@documented()
def getitem(input: Tensor, index: Any) -> Tensor:
    """Return a part of a tensor, as Python's ``input[index]``.

    %(plain_or_quantized)s
    index : int, slice, None, Ellipsis, integer or bool tensor, or a tuple of these
        Integers and slices give views, tensors copies.

    Returns
    -------
    Tensor

    Raises
    ------
    IndexRangeError
        If the index lies outside the tensor.
    QuantizerError
        If the channels of a per-channel tensor would be lost.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([[1, 2, 3], [4, 5, 6]])
    >>> x[0, ::2], x[x > 4]
    (tensor([1, 3]), tensor([5, 6]))
    """
    if type(index) is int and input.array.ndim:
        return basic_index(input, (index,))
    basic, arrays = _two_steps(index_items(input.array, index))
    part = basic_index(input, basic)
    return part if arrays is None else _advanced(part, arrays)


@named("assignment to a part")
def setitem(input: Tensor, index: Any, value: Any) -> None:
    """Overwrite a part of a tensor, as Python's ``input[index] = value``.

    A quantized tensor quantizes real values with its own parameters. While gradients are
    recorded, a tensor that requires one gets new elements, and so does not change others that
    shared the old ones.

    Raises
    ------
    GradientError
        If `input` is a leaf that requires a gradient.
    """
    basic, arrays = _two_steps(index_items(input.array, index))
    if isinstance(input, QuantizedTensor):
        _set_quantized(input, basic, arrays, value)
        return
    if not isinstance(value, Tensor):
        value = Tensor(arguments.numbers("value", value))
    value = checks.plain_tensor("value", value)
    recorded = autograd.is_grad_enabled() and (input.requires_grad or value.requires_grad)
    changed = input.array.copy(order="K") if recorded else input.array
    _assign(changed, basic, arrays, value.array)
    if not recorded:
        return

    shape = value.array.shape

    def backward(g):
        kept, part = g.copy(), placed(g, basic)
        _assign(kept, basic, arrays, np.zeros((), g.dtype))
        return kept, unbroadcast(part if arrays is None else part[arrays], shape)

    assign(input, differentiable(changed, (input, value), backward))


def _is_mask_of(part: np.ndarray, item: Any) -> bool:
    boolean = isinstance(item, np.ndarray) and item.dtype == np.bool_
    return boolean and item.ndim > 0 and item.shape == part.shape


def _assign(array: np.ndarray, basic: tuple, arrays: tuple | None, value: np.ndarray) -> None:
    part = placed(array, basic)
    if arrays is not None and len(arrays) == 1 and _is_mask_of(part, arrays[0]):
        arrays = np.nonzero(arrays[0])  # a mask takes values of one dimension only
    try:
        with np.errstate(all="ignore"):
            part[... if arrays is None else arrays] = value
    except IndexError as error:
        raise IndexRangeError(
            argument="index", expected=f"inside shape {part.shape}", got=str(error)
        ) from None
    except ValueError:
        check_writable(array)
        raise ShapeError(
            argument="value",
            got=f"shape {value.shape}",
            expected=f"a number or of a shape that broadcasts to {part.shape}",
        ) from None


def _set_quantized(input: QuantizedTensor, basic: tuple, arrays: tuple | None, value: Any) -> None:
    if isinstance(value, QuantizedTensor):
        value = value.dequantize()
    elif not isinstance(value, Tensor):
        value = Tensor(arguments.numbers("value", value, np.float32))
    part = basic_index(input, basic)
    if arrays is None:
        part.copy_(value)
        return
    taken = _advanced(part, arrays)
    taken.copy_(value)
    part.array[arrays] = taken.array
