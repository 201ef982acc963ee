"""The rectifier whose slopes are learned, on quantized tensors."""

from typing import Any

import numpy as np

from refquant import kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import DtypeError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.quantized.activation import rules_of
from refquant.ops.quantized.elementwise import stored
from refquant.tensors import QuantizedTensor

__all__ = ["prelu"]


def prelu(qx: Any, weight: Any, output_scale: float, output_zero_point: int) -> QuantizedTensor:
    r"""Multiply negative numbers by slopes, one for each channel or one for all.

    .. math:: y = \begin{cases} x & x > 0 \\ w x & x \le 0 \end{cases}

    Parameters
    ----------
    qx : QuantizedTensor
        Quantized per tensor, any layout; dimension 1 are the channels.
    weight : QuantizedTensor
        The slopes w, quantized per tensor with the dtype of `qx`: one element, one for each
        channel, or a shape that broadcasts.
    %(output_quantizer)s

    Returns
    -------
    QuantizedTensor
        Of the dtype and memory format of `qx`.

    Raises
    ------
    QuantizerError
        If an operand is not quantized per tensor.
    DtypeError, ShapeError
        If `weight` does not fit to `qx`.
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.

    Notes
    -----
    Source: ATen ``qprelu_kernel``. Nothing is dequantized: the integer of a positive number is
    multiplied by that of a slope 1, with the parameters of `weight`, and the product requantized
    (step ``elementwise_requantize``). `refquant.prelu` keeps the parameters of its operand.

    %(one_and_less)s
    >>> w = refquant.quantize_per_tensor(refquant.tensor([0.25]), 0.25, 0, refquant.quint8)
    >>> refquant.ops.quantized.prelu(x, w, 0.125, 8).dequantize()
    tensor([ 1.0000, -0.5000])
    """
    q = checks.quantized_per_tensor("qx", qx)
    scale = checks.scale_value("output_scale", output_scale)
    zero_point = checks.zero_point_value("output_zero_point", output_zero_point, q.dtype)
    return _with_slopes(q, weight, scale, zero_point)


def _with_slopes(q: QuantizedTensor, weight: Any, scale: float, zero_point: int):
    w = checks.quantized_per_tensor("weight", weight)
    if w.dtype is not q.dtype:
        raise DtypeError(
            argument="weight",
            expected=f"the dtype of the input, {q.dtype}",
            got=w.dtype,
            hint="quantize the slopes with that dtype",
        )
    (requantize,) = rules_of(q, "elementwise_requantize")
    flat, of_slopes, run, vectors, shape, memory_format = _side_by_side(q.array, w.array)
    vector_length = layout.vector_length(run, requantize.block) if vectors else 0
    result = kernels.prelu(
        flat, (q.scale, q.zero_point), of_slopes, (w.scale, w.zero_point),
        _wrapped(stored(w, 1.0) - w.zero_point),
        (scale, zero_point, q.dtype.quant_min, q.dtype.quant_max), (run, vector_length),
        requantize,
    )  # fmt: skip
    restored = layout.restore(result, shape, memory_format)
    return QuantizedTensor._unchecked(restored, q.dtype, scale, zero_point)


def _wrapped(steps: int) -> int:
    """Return what int32 arithmetic makes of a difference."""
    return (steps + 2**31) % 2**32 - 2**31


def _side_by_side(array: np.ndarray, slopes: np.ndarray):
    """Lay out elements and slopes; a single slope of elements without gaps is not repeated."""
    if slopes.size == 1:
        memory_format = layout.format_of(array)
        if layout.is_contiguous(array, memory_format):
            flat, _ = layout.flatten(array, memory_format)
            return flat, slopes.reshape(1), flat.size, True, array.shape, memory_format
    try:
        placed = np.broadcast_to(_placed(slopes, array.ndim), array.shape)
    except ValueError:
        raise ShapeError(
            argument="weight",
            expected=f"one element, or one for each channel of shape {array.shape}",
            got=f"shape {slopes.shape}",
        ) from None
    elements, slopes, *walk = layout.pair(array, placed)
    return elements.ravel(), slopes.ravel(), *walk


def _placed(slopes: np.ndarray, ndim: int) -> np.ndarray:
    """Put the slopes of channels where the channels are."""
    if slopes.size == 1 or slopes.ndim != 1 or ndim < 2:
        return slopes.reshape(()) if slopes.size == 1 else slopes
    return slopes.reshape(1, -1, *(1,) * (ndim - 2))


def _prelu(input: Any, weight: Any) -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    return _with_slopes(q, weight, q.scale, q.zero_point)


FORMS: dict[str, Any] = {"prelu": _prelu}
document(__name__)
enclose(__name__)
