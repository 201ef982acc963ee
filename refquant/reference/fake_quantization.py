r"""Fake quantization: round real numbers to those that a quantizer can represent.

.. math:: y = s (\mathrm{clip}(q) - z)

`inv` is :math:`1 / s`; scale, product, sum and result are rounded to float32 each. The rule
``add_then_round`` forms :math:`q = \mathrm{rne}(z + x \cdot inv)`, as PyTorch 1.4;
``round_then_add`` forms :math:`q = \mathrm{rne}(x \cdot inv) + z`, as PyTorch 2.13. Infinities
and numbers beyond every integer saturate; NaN gives `quant_min`. Per channel ``round_then_add``
converts :math:`q` to int64 as x86 does, so that numbers of 2**63 and more give `quant_min`, and
rounds only the product with the scale. The gradient passes where :math:`q` was not clipped
(straight-through estimator, Bengio et al. 2013); NaN was.

See ``_kernels/fake_quantization.pyx``.
"""

import numpy as np

__all__ = [
    "fake_quantize_per_channel",
    "fake_quantize_per_channel_backward",
    "fake_quantize_per_tensor",
    "fake_quantize_per_tensor_backward",
]


def _rounded(x, scale, zero_point, rule):
    """Round to integers of any size; float64, because float32 cannot hold their differences."""
    inverse = (np.float32(1) / np.asarray(scale, np.float32)).astype(x.dtype)
    z = np.asarray(zero_point).astype(x.dtype)
    q = np.rint(z + x * inverse) if rule == "add_then_round" else np.rint(x * inverse) + z
    return q.astype(np.float64)


def _clipped(q, quant_min, quant_max):
    q = np.where(q > quant_min, q, quant_min)
    return np.where(q < quant_max, q, quant_max)


def _forward(x, scale, zero_point, quant_min, quant_max, rule):
    q = _clipped(_rounded(x, scale, zero_point, rule), quant_min, quant_max)
    # As integers: a difference of floats could be -0.
    difference = q.astype(np.int64) - zero_point
    return difference.astype(np.float32) * np.asarray(scale, np.float32)


def _converted(x, scale, zero_point, quant_min, quant_max):
    """Convert to int64 as x86 does: what it cannot hold gives the lower end; float64."""
    q = _rounded(x, scale, zero_point, "round_then_add")
    q = _clipped(np.where(q < 2.0**63, q, quant_min), quant_min, quant_max)
    return (q - zero_point) * scale.astype(np.float64)


def _backward(gradient, x, scale, zero_point, quant_min, quant_max, rule):
    q = _rounded(x, scale, zero_point, rule)
    kept = (q >= quant_min) & (q <= quant_max)
    return gradient * kept.astype(gradient.dtype)


@np.errstate(all="ignore")
def fake_quantize_per_tensor(x, scale, zero_point, quant_min, quant_max, rule):
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
    rule : str
        ``'add_then_round'`` or ``'round_then_add'``.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    return _forward(x, scale, zero_point, quant_min, quant_max, rule)


@np.errstate(all="ignore")
def fake_quantize_per_tensor_backward(gradient, x, scale, zero_point, quant_min, quant_max, rule):
    """Multiply the gradient by 1 where `fake_quantize_per_tensor` did not clip, else by 0.

    Parameters
    ----------
    gradient : ndarray of float32, shape (n,)
        Gradient with respect to the result.
    x, scale, zero_point, quant_min, quant_max, rule
        What the result was computed from.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    return _backward(gradient, x, scale, zero_point, quant_min, quant_max, rule)


@np.errstate(all="ignore")
def fake_quantize_per_channel(x, scales, zero_points, quant_min, quant_max, rule):
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
    rule : str
        ``'add_then_round'`` or ``'round_then_add'``.

    Returns
    -------
    ndarray of float32, shape (outer, channels, inner)
    """
    s, z = scales[None, :, None], zero_points[None, :, None]
    if rule == "add_then_round":
        return _forward(x, s, z, quant_min, quant_max, rule)
    return _converted(x, s, z, quant_min, quant_max).astype(np.float32)


@np.errstate(all="ignore")
def fake_quantize_per_channel_backward(
    gradient, x, scales, zero_points, quant_min, quant_max, rule
):
    """Multiply the gradient by 1 where `fake_quantize_per_channel` did not clip, else by 0.

    Parameters
    ----------
    gradient : ndarray of float32, shape (outer, channels, inner)
        Gradient with respect to the result.
    x, scales, zero_points, quant_min, quant_max, rule
        What the result was computed from.

    Returns
    -------
    ndarray of float32, shape (outer, channels, inner)
    """
    s, z = scales[None, :, None], zero_points[None, :, None]
    return _backward(gradient, x, s, z, quant_min, quant_max, rule)


@np.errstate(all="ignore")
def rounded_values(x, scale, zero_point, quant_min, quant_max, per_channel):
    """Quantize and dequantize numbers of another type than float32, by ``round_then_add``.

    Parameters
    ----------
    x : ndarray of float32 or float64
        Real values, numbers of fewer bits converted to float32.
    scale, zero_point : ndarray
        Broadcast against `x`.
    quant_min, quant_max : int
        Range of the integers.
    per_channel : bool
        Whether only the result is rounded.

    Returns
    -------
    ndarray of float64
        To be rounded to the type of the numbers.
    """
    if per_channel:
        return _converted(x, scale, zero_point, quant_min, quant_max)
    y = _forward(x, scale, zero_point, quant_min, quant_max, "round_then_add")
    return y.astype(np.float64)
