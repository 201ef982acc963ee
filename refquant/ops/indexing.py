"""Parts of tensors: slices, single entries, Python's square brackets."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    IndexRangeError,
    OperationError,
    QuantizerError,
    RefquantError,
    ShapeError,
)
from refquant.ops import checks
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.inplace import become, check_writable
from refquant.ops.views import lost_axis
from refquant.tensors import QuantizedTensor, Tensor, autograd, differentiable

__all__ = ["chunk", "getitem", "narrow", "select", "setitem", "split", "unbind"]

_WHOLE = slice(None)


# -- one entry or a range along a dimension ----------------------------------------------------


def _along(ndim: int, dim: int, item) -> tuple:
    return (_WHOLE,) * dim + (item,) + (_WHOLE,) * (ndim - dim - 1)


def _extended(asked: str, x: Tensor, dim: Any, error: type[RefquantError] = ShapeError) -> int:
    """Take a dimension to cut along, which a tensor without dimensions does not have."""
    if x.array.ndim == 0:
        raise error(
            asked,
            argument="input",
            expected="a tensor with dimensions",
            got="a 0-dimensional tensor",
            mend="give it one with unsqueeze(0)",
        )
    return checks.dimension(asked, "dim", dim, x.array.ndim)


def select(input: Any, dim: int, index: int) -> Tensor:
    """Take one entry along a dimension, and drop the dimension.

    Parameters
    ----------
    input : Tensor
        Plain or quantized.
    dim, index : int
        The dimension, and the entry; negative ones count from the end.

    Returns
    -------
    Tensor
        Shares storage with `input`.

    Raises
    ------
    IndexRangeError
        If there is no such dimension or entry.
    QuantizerError
        If that would drop the channels of a per-channel tensor.

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
    """
    x = checks.any_tensor("select", "input", input)
    dim = _extended("select", x, dim, IndexRangeError)
    return _basic(
        "select", x, _along(x.array.ndim, dim, arguments.integer("select", "index", index))
    )


def narrow(input: Any, dim: int, start: int, length: int) -> Tensor:
    """Take `length` entries along a dimension, from `start` on; shares storage.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int
        The dimension.
    start : int
        The first entry.
    length : int
        How many.

    Returns
    -------
    Tensor
        Shares storage with `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([1, 2, 3, 4]).narrow(0, 1, 2)
    tensor([2, 3])
    """
    x = checks.any_tensor("narrow", "input", input)
    dim = _extended("narrow", x, dim)
    extent = x.array.shape[dim]
    start = arguments.integer("narrow", "start", start)
    length = arguments.integer("narrow", "length", length)
    first = start + (extent if start < 0 else 0)
    if not (first >= 0 and length >= 0 and first + length <= extent):
        raise OperationError(
            "narrow",
            argument="start",
            expected=f"such that start + length <= {extent}",
            got=f"start {start}, length {length}",
        )
    return _basic("narrow", x, _along(x.array.ndim, dim, slice(first, first + length)))


def split(input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple:
    """Cut along a dimension into parts of one size (the last may be smaller) or of given sizes.

    Parameters
    ----------
    input : Tensor
        Plain or quantized.
    split_size_or_sections : int or sequence of int
        Size of each part, or their sizes one by one.
    dim : int
        Where to cut.

    Returns
    -------
    tuple of Tensor
        Views of `input`.

    Raises
    ------
    ArgumentError
        If the sizes do not add up.

    Examples
    --------
    >>> import refquant
    >>> [part.tolist() for part in refquant.split(refquant.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    x = checks.any_tensor("split", "input", input)
    dim = _extended("split", x, dim)
    extent = x.array.shape[dim]
    if isinstance(split_size_or_sections, tuple | list):
        sizes = [
            arguments.integer("split", "split_size_or_sections", n) for n in split_size_or_sections
        ]
    else:
        size = arguments.integer("split", "split_size_or_sections", split_size_or_sections)
        if size <= 0 < extent or size < 0:
            raise OperationError(
                "split", argument="split_size_or_sections", expected="positive", got=size
            )
        sizes = [min(size, extent - i) for i in range(0, extent, max(size, 1))] or [0]
    if sum(sizes) != extent or min(sizes, default=0) < 0:
        raise OperationError(
            "split",
            argument="split_size_or_sections",
            expected=f"sizes that add up to {extent}, the extent of dimension {dim}",
            got=sizes,
        )
    starts = np.cumsum([0, *sizes]).tolist()
    return tuple(narrow(x, dim, s, n) for s, n in zip(starts, sizes, strict=False))


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple:
    """Cut along a dimension into at most `chunks` parts of one size (the last may be smaller).

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    chunks : int
        How many parts at most.
    dim : int, default 0
        The dimension.

    Returns
    -------
    tuple of Tensor
        They share storage with `input`.

    Examples
    --------
    >>> import refquant
    >>> [part.tolist() for part in refquant.chunk(refquant.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    x = checks.any_tensor("chunk", "input", input)
    chunks = arguments.integer("chunk", "chunks", chunks, most=2**63 - 1)
    if chunks < 1:
        raise OperationError("chunk", argument="chunks", expected="at least 1", got=chunks)
    dim = _extended("chunk", x, dim)
    extent = x.array.shape[dim]
    return split(x, max(-(-extent // chunks), 1), dim) if extent else (x,) * chunks


def unbind(input: Any, dim: int = 0) -> tuple:
    """Take all entries along a dimension, one by one; see `select`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, default 0
        The dimension.

    Returns
    -------
    tuple of Tensor
        They share storage with `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.unbind(refquant.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    x = checks.any_tensor("unbind", "input", input)
    dim = _extended("unbind", x, dim, IndexRangeError)
    return tuple(select(x, dim, i) for i in range(x.array.shape[dim]))


# -- Python's square brackets ------------------------------------------------------------------


def _items(asked: str, array: np.ndarray, index: Any) -> list:
    """Write an index as one item for each dimension (and None for new ones)."""
    if isinstance(index, list) and any(
        isinstance(i, slice | Tensor | np.ndarray | list | tuple) or i is None for i in index
    ):
        index = tuple(index)
    items = [_item(asked, i) for i in (index if isinstance(index, tuple) else (index,))]
    used = sum(i.ndim if _is_mask(i) else i is not None and i is not Ellipsis for i in items)
    rest = array.ndim - used
    if rest < 0 or sum(i is Ellipsis for i in items) > 1:
        raise IndexRangeError(
            asked,
            argument="index",
            got=f"{used} items" if rest < 0 else "several ellipses",
            expected=f"at most {array.ndim} items for shape {array.shape} and one ellipsis",
        )
    place = next((n for n, i in enumerate(items) if i is Ellipsis), len(items))
    return items[:place] + [_WHOLE] * rest + items[place + 1 :]


def _is_mask(item) -> bool:
    return isinstance(item, np.ndarray) and item.dtype == np.bool_


def _item(asked: str, item: Any):
    """Take one item of an index: an int, slice, None, Ellipsis or an array."""
    if isinstance(item, slice):
        bounds = [
            None if b is None else arguments.integer(asked, "slice", b)
            for b in (item.start, item.stop, item.step)
        ]
        if bounds[2] is not None and bounds[2] <= 0:
            raise ArgumentError(
                asked,
                argument="step",
                expected="greater than zero",
                got=bounds[2],
                mend="use flip()",
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
            asked,
            argument="index",
            expected="integers, slices, None, ... or integer and bool tensors",
            got=arguments.describe(item),
        )
    if array.dtype == np.uint8 and array.ndim:
        return array.astype(np.bool_)  # the old type of masks
    return array if array.ndim or array.dtype == np.bool_ else int(array)


def _placed(asked: str, array: np.ndarray, index: tuple) -> np.ndarray:
    try:
        # The ellipsis makes single entries views of 0 dimensions instead of copies.
        return array[(*index, Ellipsis)]
    except (IndexError, OverflowError) as error:
        raise IndexRangeError(
            asked, argument="index", expected=f"inside shape {array.shape}", got=str(error)
        ) from None


def _kept_channels(asked: str, x: QuantizedTensor, index: tuple):
    """Follow the channels through a basic index: their new dimension and which of them stay."""
    old = new = 0
    for item in index:
        if item is None:
            new += 1
        elif old == x.axis:
            if not isinstance(item, slice):
                raise lost_axis(
                    asked,
                    x,
                    f"keep the dimension with a slice, [{item}:"
                    f"{item + 1 if item != -1 else ''}], or dequantize() first",
                )
            return new, item
        else:
            old += 1
            new += isinstance(item, slice)
    return new + x.axis - old, _WHOLE


def _basic(asked: str, x: Tensor, index: tuple) -> Tensor:
    array = _placed(asked, x.array, index)
    if isinstance(x, QuantizedTensor):
        if x.axis is None:
            return x.like(array)
        axis, kept = _kept_channels(asked, x, index)
        scale, zero_point = (
            np.ascontiguousarray(x.scale[kept]),
            np.ascontiguousarray(x.zero_point[kept]),
        )
        return QuantizedTensor._unchecked(array, x.dtype, scale, zero_point, axis)

    before = x.array.shape

    def backward(g):
        whole = np.zeros(before, g.dtype)
        whole[index] = g
        return (whole,)

    return differentiable(array, (x,), backward)


def _advanced(x: Tensor, index: tuple) -> Tensor:
    array = _placed("indexing", x.array, index)
    if isinstance(x, QuantizedTensor):
        if x.axis is not None:
            raise QuantizerError(
                "indexing with tensors",
                argument="input",
                expected="quantized per tensor",
                got=x.qscheme(),
                mend="use slices, or dequantize() first",
            )
        return x.like(array)

    before = x.array.shape

    def backward(g):
        whole = np.zeros(before, g.dtype)
        np.add.at(whole, index, g)  # an element may be taken several times
        return (whole,)

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
            basic += [_WHOLE] * (item.ndim if item.dtype == np.bool_ else 1)
            arrays.append(item)
        else:
            basic.append(item)
            if not isinstance(item, int):
                arrays.append(_WHOLE)
    return tuple(basic), tuple(arrays)


def getitem(input: Tensor, index: Any) -> Tensor:
    """Take a part of a tensor, as Python's ``input[index]``.

    Parameters
    ----------
    input : Tensor
        Plain or quantized.
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
        return _basic("indexing", input, (index,))
    basic, arrays = _two_steps(_items("indexing", input.array, index))
    part = _basic("indexing", input, basic)
    return part if arrays is None else _advanced(part, arrays)


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
    basic, arrays = _two_steps(_items("indexing", input.array, index))
    if isinstance(input, QuantizedTensor):
        _set_quantized(input, basic, arrays, value)
        return
    if not isinstance(value, Tensor):
        value = Tensor(arguments.numbers("indexing", "value", value))
    value = checks.plain_tensor("indexing", "value", value)
    recorded = autograd.is_grad_enabled() and (input.requires_grad or value.requires_grad)
    whole = input.array.copy(order="K") if recorded else input.array
    _assign(whole, basic, arrays, value.array)
    if not recorded:
        return

    shape = value.array.shape

    def backward(g):
        kept, part = g.copy(), _placed("indexing", g, basic)
        _assign(kept, basic, arrays, np.zeros((), g.dtype))
        return kept, unbroadcast(part if arrays is None else part[arrays], shape)

    become("assignment to a part", input, differentiable(whole, (input, value), backward))


def _assign(whole: np.ndarray, basic: tuple, arrays: tuple | None, value: np.ndarray) -> None:
    part = _placed("indexing", whole, basic)
    try:
        with np.errstate(all="ignore"):
            part[... if arrays is None else arrays] = value
    except IndexError as error:
        raise IndexRangeError(
            "indexing", argument="index", expected=f"inside shape {part.shape}", got=str(error)
        ) from None
    except ValueError:
        check_writable("indexing", whole)
        raise ShapeError(
            "indexing",
            argument="value",
            got=f"shape {value.shape}",
            expected=f"a number or of a shape that broadcasts to {part.shape}",
        ) from None


def _set_quantized(input: QuantizedTensor, basic: tuple, arrays: tuple | None, value: Any) -> None:
    if isinstance(value, QuantizedTensor):
        value = value.dequantize()
    elif not isinstance(value, Tensor):
        value = Tensor(arguments.numbers("indexing", "value", value, np.float32))
    part = _basic("indexing", input, basic)
    if arrays is None:
        part.copy_(value)
        return
    taken = _advanced(part, arrays)
    taken.copy_(value)
    part.array[arrays] = taken.array
