"""Normalizations of quantized tensors by the statistics of their own elements."""

import math
from typing import Any

import numpy as np

from refquant import arguments, dtypes, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.quantized.activation import rules_of
from refquant.ops.quantized.batch_normalization import norm_output, norm_vector
from refquant.tensors import QuantizedTensor

__all__ = ["group_norm", "instance_norm", "layer_norm"]

_RULES = "normalize_dequantize", "normalize_quantize"


def layer_norm(
    input: Any,
    normalized_shape: Any,
    weight: Any,
    bias: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    r"""Normalize over the last dimensions, quantized with the parameters given.

    .. math:: y = w \frac{x - m}{\sqrt{v + \epsilon}} + b

    %(per_tensor)s
    normalized_shape : sequence of int
        Sizes of the last dimensions.
    weight, bias : Tensor of float32, or None
        Factors w and shifts b, of the normalized shape.
    eps : float
        Added to the variances.
    %(output_quantizer)s

    Returns
    -------
    QuantizedTensor
        Of the dtype of `input`, row-major.

    %(unless_per_tensor)s
    ShapeError
        If `normalized_shape` is not that of the last dimensions, or not that of `weight` or `bias`.
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.

    Notes
    -----
    Source: ATen ``quantized_normalize_kernel``. Sums of integers of 8 bits are exact; what follows
    is rounded to float32, but for the root and its quotient. Steps ``normalize_dequantize`` and
    ``normalize_quantize`` of the engine's record round whole vectors of a row and the rest.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized as ops
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, 3.0]]), 0.5, 8, refquant.quint8)
    >>> ops.layer_norm(x, [2], None, None, 0.0, 0.5, 8).dequantize()
    tensor([[-1.,  1.]])
    """
    q = checks.quantized_per_tensor("input", input)
    shape = arguments.shape("normalized_shape", normalized_shape)
    if not shape or q.array.shape[q.array.ndim - len(shape) :] != shape:
        raise ShapeError(
            argument="normalized_shape",
            expected=f"the sizes of the last dimensions of shape {q.array.shape}",
            got=shape,
        )
    w, b = norm_vector("weight", weight, shape, 1.0), norm_vector("bias", bias, shape, 0.0)
    eps, output = arguments.real("eps", eps), norm_output(q, output_scale, output_zero_point)
    if q.array.size == 0:
        return QuantizedTensor._unchecked(q.array.copy(), q.dtype, *output)
    dequantize, quantize = rules_of(q, *_RULES)
    result = kernels.layer_norm(
        np.ascontiguousarray(q.array).reshape(-1, math.prod(shape)), (q.scale, q.zero_point),
        w.reshape(-1), b.reshape(-1), eps, (*output, q.dtype.quant_min, q.dtype.quant_max),
        dequantize, quantize,
    )  # fmt: skip
    return QuantizedTensor._unchecked(result.reshape(q.array.shape), q.dtype, *output)


def group_norm(
    input: Any,
    num_groups: int,
    weight: Any,
    bias: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    r"""Normalize groups of channels, quantized with the parameters given.

    .. math:: y = w \frac{x - m}{\sqrt{v + \epsilon}} + b

    %(normalized_channels)s
    num_groups : int
        Groups into which the channels are cut, and of which mean m and variance v are taken.
    %(affine_channels)s
    ShapeError
        If `input` has fewer than 3 dimensions, or numbers of channels do not fit.
    ArgumentError
        If `num_groups` is not positive.

    Notes
    -----
    Source: ATen ``quantized_normalize_kernel``, ``quantized_groupnorm_nhwc_kernel``. All elements
    of row-major tensors are rounded like vectors. In channels-last images vectors are counted in
    each group, from 512 pixels on in all channels of a pixel; then sums are those of float32, too.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized as ops
    >>> x = refquant.tensor([1.0, 3.0, -2.0, 2.0]).reshape(1, 2, 2)
    >>> q = refquant.quantize_per_tensor(x, 0.5, 8, refquant.quint8)
    >>> ops.group_norm(q, 2, None, None, 0.0, 0.5, 8).dequantize()
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    q = checks.quantized_per_tensor("input", input)
    return _grouped(
        q, arguments.integer("num_groups", num_groups), weight, bias, eps,
        norm_output(q, output_scale, output_zero_point),
    )  # fmt: skip


def instance_norm(
    input: Any,
    weight: Any,
    bias: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize each channel of each element of the batch: `group_norm` with groups of one channel.

    %(normalized_channels)s
    %(affine_channels)s
    ShapeError
        If `input` has fewer than 3 dimensions, or numbers of channels do not fit.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized as ops
    >>> x = refquant.tensor([1.0, 3.0, -2.0, 2.0]).reshape(1, 2, 2)
    >>> q = refquant.quantize_per_tensor(x, 0.5, 8, refquant.quint8)
    >>> ops.instance_norm(q, None, None, 0.0, 0.5, 8).dequantize()
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    q = checks.quantized_per_tensor("input", input)
    return _grouped(
        q, None, weight, bias, eps, norm_output(q, output_scale, output_zero_point)
    )  # fmt: skip


def _grouped(q: QuantizedTensor, groups: int | None, weight: Any, bias: Any, eps: Any, output):
    if q.array.ndim < 3:
        raise ShapeError(
            argument="input",
            expected="of at least 3 dimensions (batch, channels, ...)",
            got=f"shape {q.array.shape}",
        )
    batch, channels, *extents = q.array.shape
    groups = channels if groups is None else groups
    if groups < 1 and channels:
        raise ArgumentError(argument="num_groups", expected="at least 1", got=groups)
    if channels % max(groups, 1):
        raise ShapeError(
            argument="num_groups", expected=f"a divisor of {channels} channels", got=groups
        )
    w = norm_vector("weight", weight, (channels,), 1.0)
    b = norm_vector("bias", bias, (channels,), 0.0)
    eps = arguments.real("eps", eps)
    if q.array.size == 0:
        return QuantizedTensor._unchecked(q.array.copy(), q.dtype, *output)
    own = groups, channels // groups
    dequantize, quantize = rules_of(q, *_RULES)
    rest = (
        (q.scale, q.zero_point), w.reshape(own), b.reshape(own), eps,
        (*output, q.dtype.quant_min, q.dtype.quant_max), dequantize, quantize,
    )  # fmt: skip
    pixels = math.prod(extents)
    if _is_channels_last(q.array):
        lines = np.ascontiguousarray(layout.with_channels_last(q.array))
        result = kernels.group_norm_of_pixels(lines.reshape(batch, pixels, *own), *rest)
        image = layout.with_channels_second(result.reshape(lines.shape))
        return QuantizedTensor._unchecked(image, q.dtype, *output)
    rows = np.ascontiguousarray(q.array).reshape(batch, *own, pixels)
    result = kernels.group_norm(rows, *rest).reshape(q.array.shape)
    return QuantizedTensor._unchecked(result, q.dtype, *output)


def _is_channels_last(array: np.ndarray) -> bool:
    """Whether an image without gaps has the strides of the format; see `layout.format_of`."""
    if array.ndim != 4 or layout.format_of(array) is not dtypes.channels_last:
        return False
    return layout.is_channels_last(array)


document(
    __name__,
    normalized_channels="""
Parameters
----------
input : QuantizedTensor, shape (batch, channels, ...)
    Quantized per tensor, any layout.""",
    affine_channels="""
weight, bias : Tensor of float32, shape (channels,), or None
    Factors w and shifts b.
eps : float
    Added to the variances.
%(output_quantizer)s

Returns
-------
QuantizedTensor
    Of the dtype of `input`; an image in its memory format, row-major else.

Raises
------
QuantizerError
    If `input` is not quantized per tensor.
QuantizationParameterError
    If `output_scale` or `output_zero_point` is not valid.""",
)
enclose(__name__)
