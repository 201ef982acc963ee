"""Real numbers written into parts of a quantized tensor."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.errors import DtypeError, NotSupportedError, ShapeError
from refquant.ops import checks
from refquant.ops.floating.index_put import places, spread_to
from refquant.ops.floating.operands import operand, scalar
from refquant.ops.indexing import placed
from refquant.ops.inplace import check_writable
from refquant.ops.quantized.affine import quantize_one_by_one
from refquant.tensors import QuantizedTensor

__all__ = ["index_put_", "masked_fill", "masked_fill_"]


def masked_fill_(input: Any, mask: Any, value: Any) -> QuantizedTensor:
    """Overwrite elements where a mask is true by one real number, in place.

    %(per_tensor)s
    mask : Tensor of bool
        Broadcasts to `input`.
    value : number or Tensor
        The real number; quantized as the engine's scalar code does.

    %(input_itself)s

    %(unless_per_tensor)s
    DtypeError, ShapeError
        If the mask is not one.

    Notes
    -----
    Source: ATen ``masked_fill__quantized_cpu``.

    %(one_to_two)s
    >>> x.masked_fill_(refquant.tensor([True, False]), 3.0).int_repr()
    tensor([14, 12], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("self", input)
    where = _mask(mask, q.array.shape)
    check_writable(q.array)
    q.array[where] = quantize_one_by_one(q, _number(value))[0]
    return q


def _number(value: Any) -> np.ndarray:
    """Return the number, or that of a tensor of one element, as float32, or raise."""
    found = value.dequantize() if isinstance(value, QuantizedTensor) else value
    number = arguments.real("value", scalar("value", found))
    with np.errstate(over="ignore"):
        return np.full(1, number, np.float32)


def _mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    where = operand("mask", mask).array
    if where.dtype != np.bool_:
        raise DtypeError(
            argument="mask",
            expected="a bool tensor",
            got=f"a {operand('mask', mask).dtype} tensor",
            hint="compare it, as in mask != 0",
        )
    try:
        return np.broadcast_to(where, shape)
    except ValueError:
        raise ShapeError(
            argument="mask",
            expected=f"of a shape that broadcasts to {shape}",
            got=f"shape {where.shape}",
        ) from None


def masked_fill(input: Any, mask: Any, value: Any) -> QuantizedTensor:
    """Replace elements where a mask is true by one real number, in a row-major copy.

    %(per_tensor)s
    mask : Tensor of bool
        Shapes broadcast.
    value : number or Tensor
        The real number; quantized as the engine's scalar code does.

    Returns
    -------
    QuantizedTensor
        With the parameters of `input`.

    %(unless_per_tensor)s
    DtypeError, ShapeError
        If the mask is not one.

    %(one_to_two)s
    >>> x.masked_fill(refquant.tensor([True, False]), 3.0).int_repr()
    tensor([14, 12], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("input", input)
    shape = operand("mask", mask).array.shape
    try:
        shape = np.broadcast_shapes(q.array.shape, shape)
    except ValueError:
        shape = q.array.shape
    copy = np.array(np.broadcast_to(q.array, shape), order="C")
    return masked_fill_(q.like(copy), mask, value)


def index_put_(input: Any, indices: Any, values: Any, accumulate: bool = False) -> QuantizedTensor:
    """Overwrite elements by tensors of indices with real numbers, in place.

    %(per_tensor)s
    indices : sequence of Tensor
        Integer or bool tensors, one for each leading dimension.
    values : Tensor
        Real numbers, which broadcast to what the indices take; quantized as the engine's scalar
        code does. Where indices repeat, the last one counts.
    accumulate : bool
        Not supported.

    %(input_itself)s

    %(unless_per_tensor)s
    NotSupportedError
        If `values` are quantized, or are to be added.
    IndexRangeError, ShapeError
        If indices lie outside, or `values` do not fit.

    Notes
    -----
    Source: ATen ``_index_put_impl_quantized_cpu_``.

    %(one_to_two)s
    >>> x.index_put_((refquant.tensor([1]),), refquant.tensor(3.0)).int_repr()
    tensor([10, 14], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("self", input)
    if arguments.flag("accumulate", accumulate):
        raise NotSupportedError(
            f"{operation_name()} of a quantized tensor",
            argument="accumulate",
            expected="False",
            got=True,
            hint="call .dequantize() first",
        )
    if isinstance(values, QuantizedTensor):
        raise NotSupportedError(
            argument="values",
            expected="real numbers",
            got=f"a {values.dtype} tensor",
            hint="call .dequantize() on it first",
        )
    numbers = operand("values", values).array
    where = places(q, indices)
    taken = placed(q.array, where)
    with np.errstate(all="ignore"):
        real = spread_to(numbers.astype(np.float32), taken.shape)
    check_writable(q.array)
    q.array[where] = quantize_one_by_one(q, real)
    return q


document(__name__)
enclose(__name__)
