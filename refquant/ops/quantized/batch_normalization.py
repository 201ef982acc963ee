"""Batch normalization of quantized tensors."""

from functools import cache
from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.activation import rules_of
from refquant.tensors import QuantizedTensor

__all__ = [
    "batch_norm",
    "batch_norm1d",
    "batch_norm1d_relu",
    "batch_norm2d",
    "batch_norm2d_relu",
    "batch_norm3d",
    "batch_norm3d_relu",
    "batch_norm_relu",
    "norm_output",
    "norm_vector",
    "quantized_batch_norm",
]


def norm_output(q: QuantizedTensor, scale: Any, zero_point: Any) -> tuple[float, int]:
    """Return scale and zero point of a result, or raise."""
    return (
        checks.scale_value("output_scale", scale),
        checks.zero_point_value("output_zero_point", zero_point, q.dtype),
    )


def norm_vector(argument: str, value: Any, shape: tuple[int, ...], missing: float | None = None):
    """Return contiguous float32 numbers of a shape; of 0 or 1 where they may be left out."""
    if value is None and missing is not None:
        return np.full(shape, missing, np.float32)
    if value is None:
        raise ArgumentError(
            argument=argument,
            expected=f"a tensor of shape {shape}",
            got=None,
            hint="pass ones for the weight, zeros for the bias",
        )
    array = checks.float32_tensor(argument, value).array
    if array.shape != shape:
        raise ShapeError(
            argument=argument, expected=f"of shape {shape}", got=f"shape {array.shape}"
        )
    return np.ascontiguousarray(array)


@cache
def _orders(ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the dimensions with channels last, and where each of them is then."""
    order = (0, *range(2, ndim), 1)
    return order, tuple(order.index(d) for d in range(ndim))


def _batch_norm(qx, weight, bias, mean, var, eps, scale, zero_point, ranks, relu, argument="qx"):
    q = checks.quantized_per_tensor(argument, qx)
    ndim = q.array.ndim
    if ndim not in ranks:
        named = ", ".join(map(str, ranks[:-1])) + " or " if len(ranks) > 1 else ""
        raise ShapeError(
            argument=argument,
            expected=f"of {named}{ranks[-1]} dimensions",
            got=f"shape {q.array.shape}",
        )
    channels = q.array.shape[1]
    statistics = (
        norm_vector("weight", weight, (channels,)),
        norm_vector("bias", bias, (channels,)),
        norm_vector("mean", mean, (channels,)),
        norm_vector("var", var, (channels,)),
    )
    eps, output = arguments.real("eps", eps), norm_output(q, scale, zero_point)
    if q.array.size == 0:
        return q.like(q.array.copy())
    order, back = _orders(ndim)
    pixels = np.ascontiguousarray(q.array.transpose(order))
    dequantize, quantize = rules_of(q, "normalize_dequantize", "batch_norm_quantize")
    result = kernels.batch_norm(
        pixels.reshape(-1, channels), (q.scale, q.zero_point), statistics, eps,
        (*output, q.dtype.quant_min, q.dtype.quant_max), relu, dequantize, quantize,
    )  # fmt: skip
    image = result.reshape(pixels.shape).transpose(back)
    if ndim < 4:
        image = np.ascontiguousarray(image)
    return QuantizedTensor._unchecked(image, q.dtype, *output)


def batch_norm(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    r"""Normalize channels by given statistics, quantized with the parameters given.

    .. math:: y = w \frac{x - m}{\sqrt{v + \epsilon}} + b

    %(batch_norm)s
    ShapeError
        If `qx` has not 2 to 5 dimensions, or numbers of channels differ.

    Notes
    -----
    Source: ATen ``q_batch_norm_kernel``. Slope and shift of each channel are rounded to float32,
    and applied to integers by one fused operation; steps ``normalize_dequantize`` and
    ``batch_norm_quantize`` of the engine's record. An empty tensor is returned as it is, with its
    own parameters.

    %(two_channels)s
    >>> ops.batch_norm(x, one, zero, zero, one, 0.0, 0.5, 8).dequantize()
    tensor([[ 1., -2.]])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (2, 3, 4, 5), False
    )


def quantized_batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Compute `refquant.ops.quantized.batch_norm`, whose other name this is.

    Parameters
    ----------
    input : QuantizedTensor
        Its `qx`.
    weight, bias, mean, var : Tensor of float32, shape (channels,)
        As there.
    eps, output_scale, output_zero_point : float, float, int
        As there.

    Returns
    -------
    QuantizedTensor

    %(two_channels)s
    >>> refquant.quantized_batch_norm(x, one, zero, zero, one, 0.0, 0.5, 8).dequantize()
    tensor([[ 1., -2.]])
    """
    return _batch_norm(
        input, weight, bias, mean, var, eps, output_scale, output_zero_point, (2, 3, 4, 5), False,
        "input",
    )  # fmt: skip


def batch_norm_relu(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize channels as `batch_norm`; results below 0 become 0.

    %(batch_norm)s
    ShapeError
        As `batch_norm`.

    %(two_channels)s
    >>> ops.batch_norm_relu(x, one, zero, zero, one, 0.0, 0.5, 8).dequantize()
    tensor([[1., 0.]])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (2, 3, 4, 5), True
    )


def batch_norm1d(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize the channels of rows or sequences; see `batch_norm`.

    %(batch_norm)s
    ShapeError
        If `qx` has not 2 or 3 dimensions, or numbers of channels differ.

    %(two_channels)s
    >>> ops.batch_norm1d(x, one, zero, zero, one, 0.0, 0.5, 8).dequantize()
    tensor([[ 1., -2.]])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (2, 3), False
    )


def batch_norm1d_relu(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize as `batch_norm1d`; results below 0 become 0.

    %(batch_norm)s
    ShapeError
        As `batch_norm1d`.

    %(two_channels)s
    >>> ops.batch_norm1d_relu(x, one, zero, zero, one, 0.0, 0.5, 8).dequantize()
    tensor([[1., 0.]])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (2, 3), True
    )


def batch_norm2d(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize the channels of images; see `batch_norm`.

    %(batch_norm)s
    ShapeError
        If `qx` has not 4 dimensions, or numbers of channels differ.

    %(two_channels)s
    >>> image = x.reshape(1, 2, 1, 1)
    >>> ops.batch_norm2d(image, one, zero, zero, one, 0.0, 0.5, 8).dequantize().flatten()
    tensor([ 1., -2.])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (4,), False
    )


def batch_norm2d_relu(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize as `batch_norm2d`; results below 0 become 0.

    %(batch_norm)s
    ShapeError
        As `batch_norm2d`.

    %(two_channels)s
    >>> image = x.reshape(1, 2, 1, 1)
    >>> ops.batch_norm2d_relu(image, one, zero, zero, one, 0.0, 0.5, 8).dequantize().flatten()
    tensor([1., 0.])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (4,), True
    )


def batch_norm3d(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize the channels of volumes; see `batch_norm`.

    %(batch_norm)s
    ShapeError
        If `qx` has not 5 dimensions, or numbers of channels differ.

    %(two_channels)s
    >>> volume = x.reshape(1, 2, 1, 1, 1)
    >>> ops.batch_norm3d(volume, one, zero, zero, one, 0.0, 0.5, 8).dequantize().flatten()
    tensor([ 1., -2.])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (5,), False
    )


def batch_norm3d_relu(
    qx: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Normalize as `batch_norm3d`; results below 0 become 0.

    %(batch_norm)s
    ShapeError
        As `batch_norm3d`.

    %(two_channels)s
    >>> volume = x.reshape(1, 2, 1, 1, 1)
    >>> ops.batch_norm3d_relu(volume, one, zero, zero, one, 0.0, 0.5, 8).dequantize().flatten()
    tensor([1., 0.])
    """
    return _batch_norm(
        qx, weight, bias, mean, var, eps, output_scale, output_zero_point, (5,), True
    )


document(
    __name__,
    batch_norm="""
Parameters
----------
qx : QuantizedTensor
    Quantized per tensor, any layout; dimension 1 are the channels.
weight, bias, mean, var : Tensor of float32, shape (channels,)
    Factors w, shifts b, means m and variances v.
eps : float
    Added to the variances.
%(output_quantizer)s

Returns
-------
QuantizedTensor
    Of the dtype of `qx`; channels-last images and volumes, row-major else.

Raises
------
QuantizerError
    If `qx` is not quantized per tensor.
QuantizationParameterError
    If `output_scale` or `output_zero_point` is not valid.""",
    two_channels="""
Examples
--------
>>> import refquant
>>> from refquant.ops import quantized as ops
>>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.5, 8, refquant.quint8)
>>> one, zero = refquant.ones(2), refquant.zeros(2)""",
)
enclose(__name__)
