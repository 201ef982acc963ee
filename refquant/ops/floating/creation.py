"""Tensors filled with one value, or not at all."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.ops import layout
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import element, operand
from refquant.ops.from_data import plain_dtype, tensor
from refquant.ops.rows import row
from refquant.ops.views import sizes
from refquant.tensors import Tensor


def storage(dtype: Any, device: Any = None, default=dtypes.float32) -> np.dtype:
    """Return the NumPy dtype of a new plain tensor; raise if its dtype or device is not valid."""
    if device is not None:
        dtypes.device(device)
    return plain_dtype(default if dtype is None else dtype).numpy


@row("refquant", dtype="float32 if not given.")
def zeros(*size, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros.

    >>> refquant.zeros(2, 3).shape
    refquant.Size([2, 3])
    """
    return Tensor(np.zeros(sizes("size", size), storage(dtype, device)), requires_grad)


@row("refquant")
def ones(*size, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones; see `zeros`.

    >>> refquant.ones(2, 2)
    tensor([[1., 1.],
            [1., 1.]])
    """
    return Tensor(np.ones(sizes("size", size), storage(dtype, device)), requires_grad)


@row("refquant")
def empty(
    *size,
    dtype=None,
    device=None,
    requires_grad: bool = False,
    memory_format=dtypes.contiguous_format,
) -> Tensor:
    """Make a tensor of uninitialized elements; see `zeros`.

    Parameters
    ----------
    memory_format : memory_format
        Order of the elements in memory.

    >>> refquant.empty(2, 3).shape
    refquant.Size([2, 3])
    """
    array = layout.empty(sizes("size", size), storage(dtype, device), memory_format)
    return Tensor(array, requires_grad)


@row("refquant", returns="Of the given shape.")
def full(
    size, fill_value: float, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of one number; its dtype follows the number if not given.

    Parameters
    ----------
    size : int or sequence of int
        The shape.

    >>> refquant.full((2,), 7.5)
    tensor([7.5000, 7.5000])
    """
    default = dtypes.float32
    if isinstance(fill_value, bool):
        default = dtypes.bool_
    elif isinstance(fill_value, int):
        default = dtypes.int64
    kind = storage(dtype, device, default)
    value = element("fill_value", fill_value, kind)
    return Tensor(np.full(arguments.shape("size", size), value), requires_grad)


# -- of the shape of another -------------------------------------------------------------------


def _like(input: Any, dtype: Any, value: Any, requires_grad: bool) -> Tensor:
    x = operand("input", input)
    kind = storage(dtype, default=x.dtype)
    number = element("fill_value", value, kind)
    return Tensor(np.full_like(x.array, number, dtype=kind), requires_grad)


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
def zeros_like(input: Any, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros of the shape, memory format and dtype of another.

    >>> refquant.zeros_like(refquant.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return _like(input, dtype, 0, requires_grad)


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
def ones_like(input: Any, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones of the shape, memory format and dtype of another.

    >>> refquant.ones_like(refquant.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return _like(input, dtype, 1, requires_grad)


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
def full_like(input: Any, fill_value: float, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of one number of the shape, memory format and dtype of another.

    >>> refquant.full_like(refquant.tensor([1.0, 2.0]), 7.0)
    tensor([7., 7.])
    """
    return _like(input, dtype, fill_value, requires_grad)


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
@dispatched
def empty_like(input: Any, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make an uninitialized tensor of the shape, memory format and dtype of another.

    >>> refquant.empty_like(refquant.tensor([1.0, 2.0])).shape
    refquant.Size([2])
    """
    return _like(input, dtype, 0, requires_grad)


# -- of the dtype of another -------------------------------------------------------------------


def _own(input: Any, dtype: Any) -> Any:
    """Return the requested dtype, or that of a plain tensor."""
    return operand("input", input).dtype if dtype is None else dtype


@row("Tensor", input="Gives the dtype.")
def new_zeros(input: Tensor, *size, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros of the dtype of another."""
    return zeros(*size, dtype=_own(input, dtype), device=device, requires_grad=requires_grad)


@row("Tensor", input="Gives the dtype.")
def new_ones(input: Tensor, *size, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones of the dtype of another."""
    return ones(*size, dtype=_own(input, dtype), device=device, requires_grad=requires_grad)


@row("Tensor", input="Gives the dtype.")
def new_empty(input: Tensor, *size, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Make an uninitialized tensor of the dtype of another."""
    return empty(*size, dtype=_own(input, dtype), device=device, requires_grad=requires_grad)


@row("Tensor", input="Gives the dtype.", size="The shape.", returns="Of the given shape.")
def new_full(
    input: Tensor,
    size: Any,
    fill_value: float,
    *,
    dtype=None,
    device=None,
    requires_grad: bool = False,
) -> Tensor:
    """Make a tensor of one number of the dtype of another."""
    kind = _own(input, dtype)
    return full(size, fill_value, dtype=kind, device=device, requires_grad=requires_grad)


@row("Tensor", input="Gives the dtype.", data="Numbers, nested.", returns="A copy of the data.")
def new_tensor(
    input: Tensor, data: Any, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of numbers, of the dtype of another."""
    kind = storage(_own(input, dtype), device)
    return tensor(data, dtypes.BY_STORAGE[kind], requires_grad=requires_grad)
