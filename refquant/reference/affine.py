r"""The affine map between real numbers and integers, :math:`x \approx s (q - z)`.

The rules (`refquant.engines.rules.quantize`) say how one number is rounded; here they are applied
to arrays: to the vectors and the tail of a run, to the slices of a channel axis.

See ``_kernels/affine.pyx``; the rules are ``quantize_run`` and ``dequantize_run`` of
``_kernels/_rounding.pxd``.
"""

import numpy as np

from refquant.engines.rules.float32 import reciprocal, wrap_int32
from refquant.reference.operands import split_at

__all__ = [
    "dequantize_per_channel",
    "dequantize_per_channel_float",
    "dequantize_per_tensor",
    "quantize_few_bits",
    "quantize_per_channel",
    "quantize_per_channel_float",
    "quantize_per_tensor",
]


@np.errstate(all="ignore")
def quantize_per_tensor(x, output, storage, vector_length, quantize):
    r"""Quantize with one scale and zero point, :math:`q = clip(round(x / s + z))`.

    Parameters
    ----------
    x : ndarray of float32, of any shape, without gaps
        Real values.
    output : Output
        Scale, zero point and range of the integers.
    storage : numpy.dtype
        Type of the result: uint8, int8 or int32.
    vector_length : int
        How many leading elements are rounded like vectors.
    quantize : Split
        How one element is rounded.

    Returns
    -------
    ndarray of `storage`, of the shape of `x`
    """
    q, reals = np.empty(x.size, dtype=storage), x.reshape(-1)
    for elements, (rule,) in split_at(vector_length, quantize):
        q[elements] = rule(reals[elements], *output)
    return q.reshape(x.shape)


@np.errstate(all="ignore")
def dequantize_per_tensor(q, quantizer, rule):
    r"""Dequantize with one scale and zero point, :math:`x = s (q - z)`.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, of any shape but (), without gaps
        Quantized values.
    quantizer : Quantizer
        Scale and zero point.
    rule : Rule
        How the difference and the product are rounded.

    Returns
    -------
    ndarray of float32, of the shape of `q`
    """
    return rule(q, *quantizer)


@np.errstate(all="ignore")
def quantize_per_channel(x, scales, zero_points, quant_min, quant_max, storage, rule):
    r"""Quantize each slice of an axis with its own parameters.

    Parameters
    ----------
    x : ndarray of float32, shape (outer, channels, inner)
        Real values; the middle axis is that of the parameters.
    scales : ndarray of float64, shape (channels,)
        Real units of one quantized step, for each channel.
    zero_points : ndarray of int64, shape (channels,)
        The integer that stands for real zero, for each channel.
    quant_min, quant_max : int
        Range of the integers.
    storage : numpy.dtype
        Type of the result: uint8, int8 or int32.
    rule : Rule
        How one element is rounded.

    Returns
    -------
    ndarray of `storage`, shape (outer, channels, inner)
    """
    s, z = scales[None, :, None], zero_points[None, :, None]
    return rule(x, s, z, quant_min, quant_max).astype(storage)


@np.errstate(all="ignore")
def dequantize_per_channel(q, scales, zero_points, rule):
    r"""Dequantize each slice of an axis with its own parameters.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, channels, inner)
        Quantized values; the middle axis is that of the parameters.
    scales : ndarray of float64, shape (channels,)
        Real units of one quantized step, for each channel.
    zero_points : ndarray of int64, shape (channels,)
        The integer that stands for real zero, for each channel.
    rule : Rule
        How the difference and the product are rounded.

    Returns
    -------
    ndarray of float32, shape (outer, channels, inner)
    """
    return rule(q, scales[None, :, None], zero_points[None, :, None])


@np.errstate(all="ignore")
def quantize_few_bits(x, output):
    r"""Quantize to fewer than 8 bits, :math:`q = clip(round(x / s) + z)`.

    The quotient is a float32 product with the reciprocal of the scale; what int64 cannot hold, and
    NaN, becomes the smallest integer.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Real values.
    output : Output
        Scale, zero point and range of the integers.

    Returns
    -------
    ndarray of uint8, shape (n,)
    """
    scale, zero_point, quant_min, quant_max = output
    rounded = np.rint(x * reciprocal(scale))
    held = np.abs(rounded) < np.float32(2.0**63)
    # Beyond these ends the sum with the zero point is clipped in any case.
    integer = np.clip(np.where(held, rounded, -(2.0**40)), -(2.0**40), 2.0**40).astype(np.int64)
    return np.clip(integer + zero_point, quant_min, quant_max).astype(np.uint8)


@np.errstate(all="ignore")
def quantize_per_channel_float(x, scales, zero_points, quant_min, quant_max, storage):
    r"""Quantize each slice of an axis with zero points that are no integers.

    .. math:: q = clip(round(x / s + z))

    The quotient is a float32 product with the reciprocal of the scale, and the sum is rounded to
    float32. The conversion goes by way of int64 to int32 and wraps there.

    Parameters
    ----------
    x : ndarray of float32, shape (outer, channels, inner)
        Real values; the middle axis is that of the parameters.
    scales, zero_points : ndarray of float32, shape (channels,)
        Real units of one step and the number that stands for real zero, for each channel.
    quant_min, quant_max : int
        Ends of the range of the integers.
    storage : numpy.dtype
        Type of the result: uint8 or int8.

    Returns
    -------
    ndarray of `storage`, shape (outer, channels, inner)
    """
    factor = np.float32(1) / scales
    rounded = np.rint(x * factor[None, :, None] + zero_points[None, :, None])
    held = np.abs(rounded) < np.float32(2.0**63)
    integer = wrap_int32(np.where(held, rounded, np.float32(0)).astype(np.int64))
    return np.clip(integer, quant_min, quant_max).astype(storage)


@np.errstate(all="ignore")
def dequantize_per_channel_float(q, scales, zero_points):
    r"""Dequantize each slice of an axis, :math:`x = (q - z) s` with both steps in float32.

    Parameters
    ----------
    q : ndarray of uint8 or int8, shape (outer, channels, inner)
        Integers; the middle axis is that of the parameters.
    scales, zero_points : ndarray of float32, shape (channels,)
        Real units of one step and the number that stands for real zero, for each channel.

    Returns
    -------
    ndarray of float32, shape (outer, channels, inner)
    """
    difference = q.astype(np.float32) - zero_points[None, :, None]
    return difference * scales[None, :, None]
