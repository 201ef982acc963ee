"""Copies, other dtypes, and overwriting a tensor's elements."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant._operation import named
from refquant.errors import (
    ArgumentTypeError,
    DtypeError,
    GradientError,
    ShapeError,
)
from refquant.ops import checks, layout, views
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.dispatch import dispatched, float_only
from refquant.ops.floating.operands import cast, element, operand
from refquant.ops.inplace import assign
from refquant.ops.rows import row
from refquant.tensors import QuantizedTensor, Tensor, differentiable


@row(returns="Gradients flow through it.")
@dispatched
def clone(input: Any, *, memory_format=dtypes.preserve_format) -> Tensor:
    """Copy a tensor.

    Parameters
    ----------
    input : Tensor
        Plain or quantized.
    memory_format : memory_format
        That of the copy; ``preserve_format`` keeps dense strides as they are, a quantized tensor
        becomes row-major unless a format is given.

    >>> x = refquant.tensor([1.0, 2.0])
    >>> refquant.clone(x) is x
    False
    """
    x = operand("input", input)
    if memory_format is dtypes.preserve_format:
        array = x.array.copy(order="K")
    else:
        array = layout.to_format(x.array, memory_format)
        array = array.copy(order="K") if array is x.array else array
    return differentiable(array, (x,), lambda g: (g,))


@row("Tensor", returns="`input`.")
@dispatched
def copy_(input: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite the elements with those of another tensor, converted and broadcast.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized: it takes real values and quantizes them with its own
        parameters.
    src : Tensor or ndarray
        The new values.
    non_blocking : bool
        Accepted; there is one device.

    Raises
    ------
    QuantizerError
        If quantized values come to a plain tensor.
    ShapeError
        If `src` does not broadcast to the shape.
    """
    if isinstance(src, QuantizedTensor):
        raise float_only("src", src)
    x = src if isinstance(src, Tensor) else Tensor(arguments.numbers("src", src))
    target = input.array
    try:
        spread = np.broadcast_to(x.array, target.shape)
    except ValueError:
        raise ShapeError(
            argument="src",
            expected=f"of a shape that broadcasts to {target.shape}",
            got=f"shape {x.array.shape}",
        ) from None
    array = cast(spread, target.dtype)
    result = differentiable(array, (x,), lambda g: (unbroadcast(g, x.array.shape),))
    if result.requires_grad:
        result.array = np.array(array)
    return assign(input, result)


@row("Tensor")
@dispatched
def fill_(input: Tensor, value: Any) -> Tensor:
    """Overwrite all elements with a number."""
    number = element("value", value, input.array.dtype)
    return assign(input, Tensor(np.broadcast_to(number, input.array.shape)))


@row("Tensor")
@dispatched
def zero_(input: Tensor) -> Tensor:
    """Overwrite all elements with 0."""
    return fill_(input, 0)


@row("Tensor")
@dispatched
def resize_(input: Tensor, *sizes) -> Tensor:
    """Give a tensor another number of elements; new ones are 0.

    Parameters
    ----------
    input : Tensor
        Plain or quantized per tensor, without gradient.
    *sizes : int
        New shape, one by one or as one sequence.

    Returns
    -------
    Tensor
        `input`, with the leading elements that it had in row-major order.
    """
    if input.requires_grad:
        raise GradientError(
            argument="self",
            expected="a tensor that requires no gradient",
            got="one that does",
            hint="call .detach() first",
        )
    shape = views.sizes("sizes", sizes)
    result = np.zeros(shape, input.array.dtype)
    kept = min(result.size, input.array.size)
    result.reshape(-1)[:kept] = input.array.reshape(-1)[:kept]
    input.array = result
    return input


# -- other dtypes ------------------------------------------------------------------------------


def _converted(x: Tensor, dtype: dtypes.dtype, memory_format, copy: bool) -> Tensor:
    if dtype.is_quantized:
        raise ArgumentTypeError(
            argument="dtype",
            expected="a plain dtype",
            got=dtype,
            hint="use refquant.quantize_per_tensor()",
        )
    array = x.array
    if array.dtype != dtype.numpy:
        with np.errstate(all="ignore"):
            array = array.astype(dtype.numpy, order="K")
    array = (
        layout.to_format(array, memory_format)
        if (memory_format is not dtypes.preserve_format)
        else array
    )
    if array is x.array:
        if not copy:
            return x
        array = array.copy(order="K")
    before = x.array.dtype
    result = Tensor(array)
    if dtype.is_floating_point and x.requires_grad:
        result = differentiable(array, (x,), lambda g: (g.astype(before, copy=False),))
    return result


@row("Tensor", returns="`input` itself if nothing changes.")
def to(
    input: Tensor,
    *target,
    dtype=None,
    device=None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format=dtypes.preserve_format,
) -> Tensor:
    """Convert to another dtype or memory format.

    Parameters
    ----------
    input : Tensor
        Plain; a quantized tensor changes its memory format only.
    *target : dtype, 'cpu' or Tensor
        What to convert to; a tensor stands for its dtype.
    dtype : dtype, optional
        The same by keyword.
    device : 'cpu', optional
        There is no other.
    non_blocking : bool
        Accepted.
    copy : bool
        Whether to copy where nothing changes.
    memory_format : memory_format
        That of the result.

    >>> refquant.tensor([1, 2]).to(refquant.float32)
    tensor([1., 2.])
    """
    for item in target:
        if isinstance(item, dtypes.dtype):
            dtype = item
        elif isinstance(item, Tensor):
            dtype = item.dtype
        elif isinstance(item, str):
            device = item
        elif not isinstance(item, bool):
            raise ArgumentTypeError(
                argument="target",
                expected="a dtype, a tensor or 'cpu'",
                got=arguments.describe(item),
            )
    if device is not None:
        dtypes.device(device)
    if dtype is not None and not isinstance(dtype, dtypes.dtype):
        raise DtypeError(argument="dtype", expected="a dtype", got=arguments.describe(dtype))
    copy = arguments.flag("copy", copy)
    if isinstance(input, QuantizedTensor):
        if dtype not in (None, input.dtype):
            raise float_only("input", input)
        array = layout.to_format(input.array, memory_format)
        return input.like(array.copy(order="K") if copy else array)
    return _converted(input, dtype if dtype is not None else input.dtype, memory_format, copy)


@row("Tensor")
def cpu(input: Tensor) -> Tensor:
    """Return the tensor; there is no other device."""
    return input


@row("Tensor")
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """Convert to the dtype of another tensor."""
    return to(input, checks.any_tensor("other", other))


@row("Tensor")
@named("float")
def float_(input: Tensor) -> Tensor:
    """Convert to float32."""
    return to(input, dtypes.float32)


@row("Tensor")
def double(input: Tensor) -> Tensor:
    """Convert to float64."""
    return to(input, dtypes.float64)


@row("Tensor")
def half(input: Tensor) -> Tensor:
    """Convert to float16."""
    return to(input, dtypes.float16)


@row("Tensor")
def long(input: Tensor) -> Tensor:
    """Convert to int64."""
    return to(input, dtypes.int64)


@row("Tensor")
@named("int")
def int_(input: Tensor) -> Tensor:
    """Convert to int32."""
    return to(input, dtypes.int32)


@row("Tensor")
def short(input: Tensor) -> Tensor:
    """Convert to int16."""
    return to(input, dtypes.int16)


@row("Tensor")
@named("bool")
def bool_(input: Tensor) -> Tensor:
    """Convert to bool: true is what is not 0."""
    return to(input, dtypes.bool_)


# Names that `type` returns and takes; the same without the package, too.
_TYPE_NAMES = {
    "FloatTensor": dtypes.float32,
    "DoubleTensor": dtypes.float64,
    "HalfTensor": dtypes.float16,
    "ByteTensor": dtypes.uint8,
    "CharTensor": dtypes.int8,
    "ShortTensor": dtypes.int16,
    "IntTensor": dtypes.int32,
    "LongTensor": dtypes.int64,
    "BoolTensor": dtypes.bool_,
}


@row(
    "Tensor",
    returns="Of the dtype; without one, the name of the present type, such as 'torch.FloatTensor'.",
    dtype="A dtype, or a name such as 'torch.FloatTensor'.",
)
def type(input: Tensor, dtype=None) -> Any:
    """Convert to a dtype, or name the type."""
    x = operand("input", input)
    if dtype is None:
        names = {kind: name for name, kind in _TYPE_NAMES.items()}
        return f"torch.{names[x.dtype]}"
    if isinstance(dtype, str):
        name = arguments.choice("dtype", dtype.rpartition(".")[2], _TYPE_NAMES)
        dtype = _TYPE_NAMES[name]
    return to(input, dtype)
