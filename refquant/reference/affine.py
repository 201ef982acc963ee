r"""The affine map between real numbers and integers, :math:`x \approx s (q - z)`.

The rules (`refquant.engines.rules.quantize`) say how one number is rounded; here they are applied
to arrays: to the body and the tail of a run, to the slices of a channel axis.
"""

import numpy as np

__all__ = [
    "dequantize_per_channel",
    "dequantize_per_tensor",
    "quantize_per_channel",
    "quantize_per_tensor",
]


@np.errstate(all="ignore")
def quantize_per_tensor(x, scale, zero_point, quant_min, quant_max, storage, body, rule, tail_rule):
    r"""Quantize with one scale and zero point, :math:`q = clip(round(x / s + z))`.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Real values.
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that stands for real zero.
    quant_min, quant_max : int
        Range of the integers.
    storage : numpy.dtype
        Type of the result: uint8, int8 or int32.
    body : int
        How many leading elements follow `rule`; the others follow `tail_rule`.
    rule, tail_rule : Rule
        How one element is rounded.

    Returns
    -------
    ndarray of `storage`, shape (n,)
    """
    q = np.empty(x.shape, dtype=storage)
    q[:body] = rule(x[:body], scale, zero_point, quant_min, quant_max)
    q[body:] = tail_rule(x[body:], scale, zero_point, quant_min, quant_max)
    return q


@np.errstate(all="ignore")
def dequantize_per_tensor(q, scale, zero_point, rule):
    r"""Dequantize with one scale and zero point, :math:`x = s (q - z)`.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (n,)
        Quantized values.
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that stands for real zero.
    rule : Rule
        How the difference and the product are rounded.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    return rule(q, scale, zero_point)


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
