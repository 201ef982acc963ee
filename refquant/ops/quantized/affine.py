"""Affine quantization: quantize and dequantize."""

import math
from typing import Any

import numpy as np

from refquant import arguments, dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.engines import Operands
from refquant.engines.rules.quantize import SUBTRACT
from refquant.errors import ArgumentTypeError, IndexRangeError, QuantizationParameterError
from refquant.ops import checks, layout
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor, Tensor
from refquant.tensors.quantizer import channel_quantizer

__all__ = [
    "dequantize",
    "quantize_array",
    "quantize_one_by_one",
    "quantize_per_channel",
    "quantize_per_tensor",
    "rule_for",
]


def rule_for(step: str, dtype: dtypes.dtype | None = None, per_channel: bool = False) -> Any:
    """Look up what the engine does in a step for operands of a dtype; its record keeps that."""
    record, key = engines.current(), (step, dtype, per_channel)
    found = record.plans.get(key)
    if found is None:
        found = (record.rule(step, Operands(dtype, per_channel=per_channel)),)
        record.plans[key] = found
    return found[0]


def quantize_array(
    array: np.ndarray, scale: float, zero_point: int, dtype, step: str = "quantize_per_tensor"
) -> np.ndarray:
    """Quantize float32 with the rule that the chosen engine has for a step."""
    output = scale, zero_point, dtype.quant_min, dtype.quant_max
    if dtype.bits < 8:
        return kernels.quantize_few_bits(array.ravel(), output).reshape(array.shape)
    split = rule_for(step, dtype)
    if split.row_major:
        flat, memory_format = array.ravel(), dtypes.contiguous_format
    else:
        flat, memory_format = layout.dense(array)
    vector_length = layout.vector_length(flat.size, split.block)
    q = kernels.quantize_per_tensor(flat, output, dtype.numpy, vector_length, split)
    return layout.restore(q, array.shape, memory_format)


def quantize_one_by_one(q: QuantizedTensor, numbers: np.ndarray) -> np.ndarray:
    """Quantize float32 with the parameters of a tensor, as the engine's scalar code does."""
    split = rule_for("elementwise_quantize", q.dtype)
    output = q.scale, q.zero_point, q.dtype.quant_min, q.dtype.quant_max
    codes = kernels.quantize_per_tensor(numbers.ravel(), output, q.array.dtype, 0, split)
    return codes.reshape(numbers.shape)


@operation("reals")
def quantize_per_tensor(
    input: Any, scale: float, zero_point: int, dtype: dtypes.dtype
) -> QuantizedTensor:
    r"""Quantize with one scale and zero point.

    .. math:: q = \mathrm{clip}(\mathrm{round}(x / s + z), q_{min}, q_{max})

    The engine's record says how the quotient is formed and rounded, and what NaN becomes
    (``refquant.engines.current().rule("quantize_per_tensor", ...)``). Infinities saturate.

    A list of tensors takes scales and zero points in tensors of one dimension, and gives a tuple.

    %(real_input)s
    scale : float
        Real units of one quantized step; its float32 value and reciprocal must be finite and
        positive.
    zero_point : int
        The integer that stands for real zero, in the range of `dtype`.
    dtype : dtype
        quint8, qint8, qint32, quint4x2 or quint2x4.

    Returns
    -------
    QuantizedTensor
        Of the shape and memory format of `input`; other strides become row-major. Under an engine
        of PyTorch 1.4 all do, and of 4 and 2 bits.

    Raises
    ------
    %(unless_valid_quantizer)s

    Notes
    -----
    Source: FBGEMM ``QuantizeAvx2`` and ATen ``quantize_val``; see
    `refquant.engines.rules.quantize`. With 4 and 2 bits all engines round alike, see
    `refquant.reference.affine.quantize_few_bits`.

    Examples
    --------
    >>> import refquant
    >>> q = refquant.quantize_per_tensor(refquant.tensor([-1.0, 0.0, 0.26, 9.9]), 0.1, 10,
    ...                                  refquant.quint8)
    >>> q.int_repr()
    tensor([  0,  10,  13, 109], dtype=refquant.uint8)
    """
    if not isinstance(input, Tensor) and isinstance(input, list | tuple):
        return _each_with_its_own(input, scale, zero_point, dtype)
    tensor = checks.float32_tensor("input", input)
    dtype = checks.quantized_dtype("dtype", dtype, sub_byte=True)
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    q = quantize_array(tensor.array, scale, zero_point, dtype)
    return QuantizedTensor._unchecked(q, dtype, scale, zero_point)


def _each_with_its_own(inputs: Any, scales: Any, zero_points: Any, dtype: Any) -> Any:
    """Quantize several tensors, each with its element of `scales` and `zero_points`."""
    scales, zero_points = (
        _of_each(name, value, len(inputs))
        for name, value in (("scale", scales), ("zero_point", zero_points))
    )
    return tuple(
        quantize_per_tensor(tensor, scale, zero_point, dtype)
        for tensor, scale, zero_point in zip(
            inputs, map(float, scales), map(int, zero_points), strict=True
        )
    )


def _of_each(argument: str, value: Any, count: int) -> list[float]:
    """Return a number for each tensor; fractions of zero points are cut off."""
    if not isinstance(value, Tensor) or value.is_quantized:
        raise ArgumentTypeError(
            argument=argument,
            expected="a plain tensor, as the input is a list",
            got=arguments.describe(value),
        )
    numbers = value.reshape(-1).tolist()[:count]
    if not value.dim() or len(numbers) < count:
        raise IndexRangeError(
            argument=argument,
            expected=f"a tensor with an element for each of {count} tensors",
            got=arguments.describe(value),
        )
    if not all(map(math.isfinite, numbers)):
        raise QuantizationParameterError(
            argument=argument, expected="of finite numbers", got=arguments.describe(value)
        )
    return numbers


@operation("reals")
def quantize_per_channel(
    input: Any, scales: Any, zero_points: Any, axis: int, dtype: dtypes.dtype
) -> QuantizedTensor:
    r"""Quantize each slice along an axis with its own scale and zero point.

    .. math:: q_{\dots c \dots} =
        \mathrm{clip}(\mathrm{round}(x_{\dots c \dots} / s_c + z_c), q_{min}, q_{max})

    Parameters
    ----------
    input : Tensor or ndarray of float32
        Real values, any shape of at least one dimension, any layout.
    scales : Tensor or ndarray, shape (channels,)
        Real units of one quantized step; kept in float64, with float zero points in float32.
    zero_points : Tensor or ndarray, shape (channels,)
        The integers that stand for real zero, kept in int64; or floats, which need not be in the
        range of the integers, kept in float32.
    axis : int
        The dimension of the channels; not negative.
    dtype : dtype
        quint8, qint8 or qint32; with float zero points quint8, qint8, quint4x2 or quint2x4.

    Returns
    -------
    QuantizedTensor
        Of the shape and memory format of `input`; other strides become row-major, and with float
        zero points all do.

    Raises
    ------
    %(unless_valid_quantizer)s
    IndexRangeError
        If `axis` is not a dimension of `input`.
    NotSupportedError
        If zero points are integers for 4 or 2 bits, or floats for 32.

    Notes
    -----
    Source: ATen ``quantize_tensor_per_channel_affine``; see `refquant.engines.rules.quantize`. With
    float zero points all engines round alike, see
    `refquant.reference.affine.quantize_per_channel_float`.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([[1.0, 2.0], [1.0, 2.0]])
    >>> q = refquant.quantize_per_channel(x, refquant.tensor([0.1, 0.5]),
    ...                                   refquant.tensor([0, 1]), 0, refquant.qint8)
    >>> q.int_repr()
    tensor([[10, 20],
            [ 3,  5]], dtype=refquant.int8)
    """
    array = checks.float32_tensor("input", input).array
    dtype = checks.quantized_dtype("dtype", dtype, sub_byte=True)
    scales, zero_points, axis = channel_quantizer(scales, zero_points, axis, array, dtype)
    if zero_points.dtype == np.float32:
        slices, memory_format = layout.slices(np.ascontiguousarray(array), axis)
        q = kernels.quantize_per_channel_float(
            slices, scales, zero_points, dtype.quant_min, dtype.quant_max, dtype.numpy
        )
        restored = layout.restore(q.reshape(-1), array.shape, memory_format)
        return QuantizedTensor._unchecked(restored, dtype, scales, zero_points, axis)
    split = rule_for("quantize_per_channel", dtype, True)
    ordered = np.ascontiguousarray(array) if split.row_major else array
    slices, memory_format = layout.slices(ordered, axis)
    q = kernels.quantize_per_channel(
        slices, scales, zero_points, dtype.quant_min, dtype.quant_max, dtype.numpy, split.vector
    )
    restored = layout.restore(q.reshape(-1), array.shape, memory_format)
    return QuantizedTensor._unchecked(restored, dtype, scales, zero_points, axis)


@operation()
def dequantize(input: Any) -> Any:
    r"""Turn integers into the real numbers that they stand for, :math:`x = s (q - z)`.

    Parameters
    ----------
    input : QuantizedTensor or Tensor, or a sequence of these
        A plain tensor is converted to float32; one of float32 is returned as it is.

    Returns
    -------
    Tensor, or tuple of Tensor for a sequence
        float32, of the shape and memory format of `input`.

    Notes
    -----
    Per tensor and with float zero points the product is formed in float32, per channel in float64
    and rounded once. Source:
    ATen ``dequantize_val`` and ``dequantize_tensor_per_channel_affine``.

    Examples
    --------
    >>> import refquant
    >>> q = refquant.quantize_per_tensor(refquant.tensor([1.0, 0.26]), 0.1, 10, refquant.quint8)
    >>> refquant.dequantize(q)
    tensor([1.0000, 0.3000])
    """
    if isinstance(input, list | tuple):
        return tuple(dequantize(part) for part in input)
    if not isinstance(input, QuantizedTensor):
        return checks.plain_tensor("input", input).to(dtypes.float32)
    dtype = input.dtype
    if input.axis is None:
        rule = SUBTRACT if dtype.bits < 8 else rule_for("dequantize_per_tensor", dtype)
        flat, memory_format = layout.dense(input.array)
        x = kernels.dequantize_per_tensor(flat, (input.scale, input.zero_point), rule)
        return Tensor(layout.restore(x, input.array.shape, memory_format))
    slices, memory_format = layout.slices(input.array, input.axis)
    channels = slices.shape[1:2]
    if not np.shape(input.scale) == np.shape(input.zero_point) == channels:
        raise QuantizationParameterError(
            argument="self.scale, self.zero_point",
            expected=f"of shape {channels}, as the tensor has channels along axis {input.axis}",
            got=f"shapes {np.shape(input.scale)} and {np.shape(input.zero_point)}",
            hint="make a new tensor instead of assigning to the attributes of one",
        )
    if input.zero_point.dtype == np.float32:
        x = kernels.dequantize_per_channel_float(slices, input.scale, input.zero_point)
    else:
        rule = rule_for("dequantize_per_channel", dtype, True)
        x = kernels.dequantize_per_channel(slices, input.scale, input.zero_point, rule)
    return Tensor(layout.restore(x.reshape(-1), input.array.shape, memory_format))


document(__name__)
enclose(__name__)
