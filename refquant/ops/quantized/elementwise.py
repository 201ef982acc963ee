"""Elementwise functions that keep the quantizer: they clamp the integers."""

from functools import lru_cache
from typing import Any

import numpy as np

from refquant import kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.arguments import flag, real
from refquant.errors import ArgumentError
from refquant.ops import checks, layout
from refquant.ops.quantized.activation import rules_of
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor

__all__ = [
    "clamp",
    "clamp_",
    "dropout",
    "hardtanh",
    "hardtanh_",
    "relu",
    "relu6",
    "relu6_",
    "relu_",
]


def _in_range(q: QuantizedTensor, lower: int, upper: int) -> QuantizedTensor:
    dense, memory_format = layout.dense(q.array)
    clamped = kernels.clamp(dense, lower, upper)
    return q.like(layout.restore(clamped, q.array.shape, memory_format))


def stored(q: QuantizedTensor, value: float) -> int:
    """Quantize one number with the parameters of a tensor, as the engine's scalar code does."""
    (split,) = rules_of(q, "elementwise_quantize")
    return _stored(value, q.scale, q.zero_point, q.dtype, split, kernels.current())


@lru_cache(maxsize=256)
def _stored(value, scale, zero_point, dtype, split, choice) -> int:
    """Keep what a number became: by each choice of kernels, so that all of them are at work."""
    with np.errstate(over="ignore"):  # what float32 does not hold is infinite
        x = np.full(1, value, np.float32)
    output = scale, zero_point, dtype.quant_min, dtype.quant_max
    return int(kernels.quantize_per_tensor(x, output, dtype.numpy, 0, split)[0])


@operation("codes")
def relu(input: Any, inplace: bool = False) -> QuantizedTensor:
    r"""Rectified linear unit, :math:`\max(q, z)` on the integers.

    %(per_tensor)s
    %(inplace)s

    %(like_input)s

    %(unless_per_tensor)s

    Notes
    -----
    Source: ATen ``relu_quantized_cpu``; QNNPACK clamps with the same bounds.

    %(one_and_less)s
    >>> refquant.relu(x).int_repr()
    tensor([10,  8], dtype=refquant.uint8)
    """
    if flag("inplace", inplace):
        return relu_(input)
    q = checks.quantized_per_tensor("input", input)
    return _in_range(q, q.zero_point, q.dtype.quant_max)


def relu_(input: Any) -> QuantizedTensor:
    """Apply `relu` in place.

    %(per_tensor)s

    %(input_itself)s

    %(unless_per_tensor)s

    %(one_and_less)s
    >>> x.relu_().int_repr()
    tensor([10,  8], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("input", input)
    np.maximum(q.array, q.array.dtype.type(q.zero_point), out=q.array)
    return q


@operation("codes", "elementwise_quantize")
def relu6(qx: Any, inplace: bool = False) -> QuantizedTensor:
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(q, z), quantize(6))`.

    Parameters
    ----------
    qx : QuantizedTensor
        Quantized per tensor, any shape and layout.
    %(inplace)s

    Returns
    -------
    QuantizedTensor
        With the parameters and memory format of `qx`; `qx` itself if `inplace`.

    Raises
    ------
    QuantizerError
        If `qx` is not quantized per tensor.

    Notes
    -----
    The bound 6 is rounded as the engine's scalar code does. Source: ATen ``quantized_relu6``.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 5.0, 7.0]), 0.5, 8,
    ...                                  refquant.quint8)
    >>> refquant.ops.quantized.relu6(x).dequantize()
    tensor([0., 5., 6.])
    """
    q = checks.quantized_per_tensor("qx", qx)
    inplace = flag("inplace", inplace)
    result = _in_range(q, q.zero_point, stored(q, 6.0))
    if not inplace:
        return result
    q.array[...] = result.array
    return q


def relu6_(qx: Any) -> QuantizedTensor:
    """Apply `relu6` in place."""
    return relu6(qx, inplace=True)


def clamp(input: Any, min: float | None = None, max: float | None = None) -> QuantizedTensor:
    """Clamp to a range of real numbers, by quantizing its ends.

    %(per_tensor)s
    min, max : float, optional
        The ends of the range; at least one of them.

    %(like_input)s

    %(unless_per_tensor)s
    ArgumentError
        If there is neither `min` nor `max`.

    Notes
    -----
    Source: ATen ``clamp_quantized_cpu`` of PyTorch 2.13.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 5.0]), 0.5, 8, refquant.quint8)
    >>> x.clamp(0.0, 2.0).dequantize()
    tensor([0., 2.])
    """
    q = checks.quantized_per_tensor("input", input)
    if min is None and max is None:
        raise ArgumentError(argument="min", expected="given, or `max`", got=None)
    lower = q.dtype.quant_min if min is None else stored(q, real("min", min))
    upper = q.dtype.quant_max if max is None else stored(q, real("max", max))
    return _in_range(q, lower, upper)


def dropout(
    self: Any,
    output_scale: float,
    output_zero_point: int,
    p: float = 0.5,
    training: bool = False,
) -> QuantizedTensor:
    """Return the operand: PyTorch drops no quantized elements, in training neither.

    Parameters
    ----------
    self : QuantizedTensor
        Of any scheme.
    output_scale, output_zero_point : float, int
        Without effect.
    p : float, default 0.5
        Without effect.
    training : bool, default False
        Without effect.

    Returns
    -------
    QuantizedTensor
        `self`.

    Raises
    ------
    NotQuantizedError
        If `self` is not quantized.

    Notes
    -----
    Source: ATen ``quantized_dropout``.

    %(one_to_two)s
    >>> refquant.ops.quantized.dropout(x, 0.1, 3).dequantize()
    tensor([1., 2.])
    """
    q = checks.quantized_tensor("self", self)
    checks.scale_value("output_scale", output_scale)
    checks.zero_point_value("output_zero_point", output_zero_point, q.dtype)
    real("p", p)
    flag("training", training)
    return q


def clamp_(input: Any, min: float | None = None, max: float | None = None) -> QuantizedTensor:
    """Clamp to a range of real numbers, in place; see `clamp`."""
    input.array[...] = clamp(input, min, max).array
    return input


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> QuantizedTensor:
    """Clamp to a range of real numbers; see `clamp`."""
    return clamp(input, min_val, max_val)


def hardtanh_(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> QuantizedTensor:
    """Clamp to a range of real numbers, in place; see `clamp`."""
    return clamp_(input, min_val, max_val)


document(__name__)
enclose(__name__)
