r"""The affine map between real numbers and integers, :math:`x \approx s (q - z)`.

The rules (`refquant.engines.rules.quantize`) say how one number is rounded; here they are applied
to arrays: to the vectors and the tail of a run, to the slices of a channel axis.

See ``_kernels/affine.pyx``; the rules are ``quantize_run`` and ``dequantize_run`` of
``_kernels/_rounding.pxd``.
"""

import numpy as np

from refquant.reference.operands import split_at

__all__ = [
    "dequantize_per_channel",
    "dequantize_per_tensor",
    "quantize_per_channel",
    "quantize_per_tensor",
]


@np.errstate(all="ignore")
def quantize_per_tensor(x, output, storage, vector_length, quantize):
    r"""Quantize with one scale and zero point, :math:`q = clip(round(x / s + z))`.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
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
    ndarray of `storage`, shape (n,)
    """
    q = np.empty(x.shape, dtype=storage)
    for elements, (rule,) in split_at(vector_length, quantize):
        q[elements] = rule(x[elements], *output)
    return q


@np.errstate(all="ignore")
def dequantize_per_tensor(q, quantizer, rule):
    r"""Dequantize with one scale and zero point, :math:`x = s (q - z)`.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (n,)
        Quantized values.
    quantizer : Quantizer
        Scale and zero point.
    rule : Rule
        How the difference and the product are rounded.

    Returns
    -------
    ndarray of float32, shape (n,)
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
