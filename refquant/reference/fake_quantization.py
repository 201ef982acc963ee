r"""Fake quantization: round real numbers to those that a quantizer can represent.

.. math:: q = \mathrm{rne}(z + x \cdot inv), \quad y = s (\mathrm{clip}(q) - z)

`inv` is :math:`1 / s`; scale, product, sum and result are rounded to float32 each
(``add_then_round``). Infinities and numbers beyond every integer saturate; NaN gives `quant_min`.
The gradient passes where :math:`q` was not clipped (straight-through estimator, Bengio et al.
2013); NaN was.

See ``_kernels/fake_quantization.pyx``.
"""

import numpy as np

__all__ = [
    "fake_quantize_per_channel",
    "fake_quantize_per_channel_backward",
    "fake_quantize_per_tensor",
    "fake_quantize_per_tensor_backward",
]


def _rounded(x, scale, zero_point):
    """Round to integers of any size; float64, because float32 cannot hold their differences."""
    inverse = np.float32(1) / np.asarray(scale, np.float32)
    t = np.asarray(zero_point).astype(np.float32) + x * inverse
    return np.rint(t).astype(np.float64)


def _forward(x, scale, zero_point, quant_min, quant_max):
    q = _rounded(x, scale, zero_point)
    q = np.where(q > quant_min, q, quant_min)
    q = np.where(q < quant_max, q, quant_max)
    # As integers: a difference of floats could be -0.
    difference = q.astype(np.int64) - zero_point
    return difference.astype(np.float32) * np.asarray(scale, np.float32)


def _backward(gradient, x, scale, zero_point, quant_min, quant_max):
    q = _rounded(x, scale, zero_point)
    kept = (q >= quant_min) & (q <= quant_max)
    return gradient * kept.astype(np.float32)


@np.errstate(all="ignore")
def fake_quantize_per_tensor(x, scale, zero_point, quant_min, quant_max):
    """Quantize and dequantize with one scale and zero point.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Real values.
    scale : float
        Real units of one quantized step; rounded to float32.
    zero_point : int
        The integer that stands for real zero.
    quant_min, quant_max : int
        Range of the integers.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    return _forward(x, scale, zero_point, quant_min, quant_max)


@np.errstate(all="ignore")
def fake_quantize_per_tensor_backward(gradient, x, scale, zero_point, quant_min, quant_max):
    """Multiply the gradient by 1 where `fake_quantize_per_tensor` did not clip, else by 0.

    Parameters
    ----------
    gradient : ndarray of float32, shape (n,)
        Gradient with respect to the result.
    x, scale, zero_point, quant_min, quant_max
        What the result was computed from.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    return _backward(gradient, x, scale, zero_point, quant_min, quant_max)


@np.errstate(all="ignore")
def fake_quantize_per_channel(x, scales, zero_points, quant_min, quant_max):
    """Quantize and dequantize each slice of the middle axis with its own parameters.

    Parameters
    ----------
    x : ndarray of float32, shape (outer, channels, inner)
        Real values.
    scales : ndarray of float32, shape (channels,)
        Real units of one quantized step, for each channel.
    zero_points : ndarray of int64, shape (channels,)
        The integer that stands for real zero, for each channel.
    quant_min, quant_max : int
        Range of the integers.

    Returns
    -------
    ndarray of float32, shape (outer, channels, inner)
    """
    s, z = scales[None, :, None], zero_points[None, :, None]
    return _forward(x, s, z, quant_min, quant_max)


@np.errstate(all="ignore")
def fake_quantize_per_channel_backward(gradient, x, scales, zero_points, quant_min, quant_max):
    """Multiply the gradient by 1 where `fake_quantize_per_channel` did not clip, else by 0.

    Parameters
    ----------
    gradient : ndarray of float32, shape (outer, channels, inner)
        Gradient with respect to the result.
    x, scales, zero_points, quant_min, quant_max
        What the result was computed from.

    Returns
    -------
    ndarray of float32, shape (outer, channels, inner)
    """
    s, z = scales[None, :, None], zero_points[None, :, None]
    return _backward(gradient, x, s, z, quant_min, quant_max)
