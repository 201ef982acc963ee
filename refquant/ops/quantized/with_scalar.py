"""A quantized tensor and a number: the operation chooses the parameters of the result itself."""

import math
from typing import Any

import numpy as np

from refquant import arguments, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.engines import Operands
from refquant.engines.rules.elementwise import SHIFT_OF_INTEGERS
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.ops import checks, layout
from refquant.ops.quantized.affine import dequantize, quantize_array
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["add_scalar", "add_scalar_relu", "mul_scalar", "mul_scalar_relu"]


def _number(argument: str, value: Any) -> float:
    if isinstance(value, Tensor) and value.array.size == 1:
        value = value.item()
    if isinstance(value, int | float) or (
        isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0
    ):
        return arguments.real(argument, value)
    raise ArgumentTypeError(
        argument=argument,
        expected="a number, or a tensor of one",
        got=type(value).__name__,
        hint="use quantized.add or quantized.mul for two tensors",
    )


@operation("number", "elementwise_requantize", "quantize_per_tensor")
def add_scalar(qa: Any, number: float) -> QuantizedTensor:
    r"""Add a number to a quantized tensor.

    The number is rounded to :math:`n = round(c / s)` steps. Where :math:`z - n` is in the range
    of the dtype, it becomes the zero point of the result and the integers stay. Otherwise the
    scale grows until the range reaches it:

    .. math:: s' = \frac{q_{max} - (z - n)}{q_{max} - q_{min}} s, \; z' = q_{min}
        \quad\text{or}\quad
        s' = \frac{(z - n) - q_{min}}{q_{max} - q_{min}} s, \; z' = q_{max}

    and the integers are requantized as the engine's record says (steps ``add_scalar``,
    ``elementwise_requantize``).

    %(and_number)s

    Notes
    -----
    Source: ATen ``qadd`` with a scalar.

    %(one_to_two)s
    >>> y = refquant.ops.quantized.add_scalar(x, 1.5)
    >>> y.dequantize(), y.q_zero_point()
    (tensor([2.5000, 3.5000]), 5)
    """
    return _add_scalar(qa, number, False)


@operation("number", "elementwise_requantize", "quantize_per_tensor")
def add_scalar_relu(qa: Any, number: float) -> QuantizedTensor:
    """Add a number to a quantized tensor; sums below 0 become 0, by the integers of `add_scalar`.

    %(and_number)s

    %(one_and_less)s
    >>> refquant.ops.quantized.add_scalar_relu(x, 0.5).dequantize()
    tensor([1.5000, 0.0000])
    """
    return _add_scalar(qa, number, True)


def _add_scalar(qa: Any, number: Any, relu: bool) -> QuantizedTensor:
    a = checks.quantized_per_tensor("qa", qa)
    value = _number("number", number)
    low, high, z = a.dtype.quant_min, a.dtype.quant_max, a.zero_point
    quotient = value / a.scale
    steps = int(np.rint(quotient)) if math.isfinite(quotient) else None
    if steps is None or not -(2**31) <= steps < 2**31:
        raise ArgumentError(
            argument="number",
            expected=f"finite and at most 2**31 steps of {a.scale}",
            got=value,
        )
    moved = z - steps
    if low <= moved <= high:
        return _clamped(a, a.scale, moved, relu)
    if moved < low:
        scale, zero_point = (high - moved) / (high - low) * a.scale, low
    else:
        scale, zero_point = (moved - low) / (high - low) * a.scale, high
    checks.scale_value("number", scale)
    record, operands = engines.current(), Operands(a.dtype)
    if record.rule("add_scalar", operands) is not SHIFT_OF_INTEGERS:
        with np.errstate(all="ignore"):
            shifted = dequantize(a).array + np.float32(steps * a.scale)
        q = a.like(quantize_array(shifted, scale, zero_point, a.dtype))
        return _clamped(q, scale, zero_point, relu)
    requantize = record.rule("elementwise_requantize", operands)
    flat, memory_format = layout.flatten(a.array)
    output = scale, zero_point, zero_point if relu else low, high
    runs = flat.size, layout.vector_length(flat.size, requantize.block)
    q = kernels.add_scalar(flat, steps - z, a.scale, output, runs, requantize)
    restored = layout.restore(q, a.array.shape, memory_format)
    return QuantizedTensor._unchecked(restored, a.dtype, scale, zero_point)


def _clamped(a: QuantizedTensor, scale: float, zero_point: int, relu: bool) -> QuantizedTensor:
    """Copy the integers, with relu not below the zero point, under other parameters."""
    if not relu:
        return QuantizedTensor._unchecked(layout.dense_copy(a.array), a.dtype, scale, zero_point)
    flat, memory_format = layout.flatten(a.array)
    q = kernels.clamp(flat, zero_point, a.dtype.quant_max)
    restored = layout.restore(q, a.array.shape, memory_format)
    return QuantizedTensor._unchecked(restored, a.dtype, scale, zero_point)


@operation("number")
def mul_scalar(qa: Any, number: float) -> QuantizedTensor:
    """Multiply a quantized tensor by a number, on the integers' parameters alone.

    A positive number scales the scale, :math:`s' = |c| s`. A negative one mirrors the integers,
    :math:`q' = q_{max} + q_{min} - q`, and the zero point too. Zero gives zeros with scale 1 and
    zero point 0.

    %(and_number)s

    Notes
    -----
    Source: ATen ``qmul`` with a scalar, PyTorch 1.4 and 2.13.

    %(one_to_two)s
    >>> refquant.ops.quantized.mul_scalar(x, -3.0).dequantize()
    tensor([-3., -6.])
    """
    return _mul_scalar(qa, number, False)


@operation("number")
def mul_scalar_relu(qa: Any, number: float) -> QuantizedTensor:
    """Multiply a quantized tensor by a number, as `mul_scalar`; products below 0 become 0.

    %(and_number)s

    %(one_and_less)s
    >>> refquant.ops.quantized.mul_scalar_relu(x, 3.0).dequantize()
    tensor([3., 0.])
    """
    return _mul_scalar(qa, number, True)


def _mul_scalar(qa: Any, number: Any, relu: bool) -> QuantizedTensor:
    a = checks.quantized_per_tensor("qa", qa)
    value = _number("number", number)
    if not math.isfinite(value):
        raise ArgumentError(argument="number", expected="a finite number", got=value)
    low, high = a.dtype.quant_min, a.dtype.quant_max
    if value == 0:
        zeros = layout.dense_copy(a.array)
        zeros[...] = 0
        return QuantizedTensor._unchecked(zeros, a.dtype, 1.0, 0)
    scale = checks.scale_value("number", abs(value) * a.scale)
    if value > 0:
        return _clamped(a, scale, a.zero_point, relu)
    # q_max + q_min is -1 for signed types and 255 for quint8: the complement of all bits.
    mirrored = layout.dense_copy(a.array)
    np.bitwise_not(mirrored, out=mirrored)
    return _clamped(a.like(mirrored), scale, high + low - a.zero_point, relu)


document(
    __name__,
    and_number="""
Parameters
----------
qa : QuantizedTensor
    Quantized per tensor, any shape and layout.
number : float or Tensor
    Real number, or a tensor of one element; as a summand it is at most 2**31 steps of `qa`.

Returns
-------
QuantizedTensor
    Of the shape and memory format of `qa`.

Raises
------
QuantizerError
    If `qa` is not quantized per tensor.
ArgumentError
    If `number` is NaN, infinite, or too many steps.
QuantizationParameterError
    If the scale of the result is not valid.""",
)
enclose(__name__)
