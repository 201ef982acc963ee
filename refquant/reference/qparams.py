r"""Scale and zero point for a range, as PyTorch 2.13 forms them, for any number of channels.

All operations are rounded to float32 unless float64 is said. These are definitions without
kernels: there is one range for each channel, and no data to walk.
"""

import numpy as np

from refquant.engines.rules.dynamic_qparams import SCALE_OF_NOTHING, SMALL_SCALE
from refquant.engines.rules.float32 import INT32_MIN, convert_to_int32, wrap_int32

__all__ = [
    "affine_qparams",
    "float_qparams",
    "qparams_of_operation",
    "symmetric_qparams",
    "widened",
]


def widened(lower, upper):
    """Widen ranges to contain zero; NaN stays.

    Parameters
    ----------
    lower, upper : ndarray of float32, shape (n,)
        Ends of the ranges.

    Returns
    -------
    lower, upper : ndarray of float32, shape (n,)
    """
    zero = np.float32(0)
    return np.minimum(lower, zero), np.maximum(upper, zero)


@np.errstate(all="ignore")
def affine_qparams(lower, upper, quant_min, quant_max, eps):
    r"""Map the ends of a range to those of the integers.

    .. math:: s = (u - l) / (q_{max} - q_{min}), \quad z = q_{min} - round(l / s)

    The quotient is converted to int32 as x86 does.

    Parameters
    ----------
    lower, upper : ndarray of float32, shape (n,)
        Ends of the ranges.
    quant_min, quant_max : int
        The integers in use: those of the dtype, or a narrower range.
    eps : float
        The smallest scale.

    Returns
    -------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int32, shape (n,)
    """
    low, high = widened(lower, upper)
    scale = np.maximum((high - low) / np.float32(quant_max - quant_min), np.float32(eps))
    zero_point = wrap_int32(quant_min - convert_to_int32(low / scale))
    return scale, np.clip(zero_point, quant_min, quant_max).astype(np.int32)


@np.errstate(all="ignore")
def symmetric_qparams(lower, upper, quant_min, quant_max, eps, zero_point):
    r"""Map the larger end of a range to half of the integers.

    .. math:: s = \max(-l, u) / ((q_{max} - q_{min}) / 2)

    Parameters
    ----------
    lower, upper : ndarray of float32, shape (n,)
        Ends of the ranges.
    quant_min, quant_max : int
        The integers in use: those of the dtype, or a narrower range.
    eps : float
        The smallest scale.
    zero_point : int
        The middle of the integers.

    Returns
    -------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int64, shape (n,)
    """
    low, high = widened(lower, upper)
    half = np.float32((quant_max - quant_min) / 2)
    scale = np.maximum(np.maximum(-low, high) / half, np.float32(eps))
    return scale, np.full(scale.shape, zero_point, np.int64)


@np.errstate(all="ignore")
def float_qparams(lower, upper, quant_min, quant_max, eps):
    r"""Map a range that need not contain zero, with a zero point that is no integer.

    .. math:: s = (u - l) / (q_{max} - q_{min}), \quad z = -l / s

    Parameters
    ----------
    lower, upper : ndarray of float32, shape (n,)
        Ends of the ranges.
    quant_min, quant_max : int
        The integers in use: those of the dtype, or a narrower range.
    eps : float
        Scales that are not larger become 1.

    Returns
    -------
    scales, zero_points : ndarray of float32, shape (n,)
    """
    scale = (upper - lower) / np.float32(quant_max - quant_min)
    scale = np.where(scale > np.float32(eps), scale, np.float32(1))
    return scale, -lower / scale


@np.errstate(all="ignore")
def qparams_of_operation(lower, upper, quant_min, quant_max, symmetric):
    """Choose scale and zero point as the operation does that observes and rounds at once.

    The formula is ``range_in_float64`` of `refquant.engines.rules.dynamic_qparams`, but with zero
    points by the scale that was rounded to float32. A symmetric range is first widened to a
    multiple of that of the integers, unless it lies on one side of zero. Source:
    ``fbgemm::ChooseQuantizationParams``.

    Parameters
    ----------
    lower, upper : ndarray of float32, shape (n,)
        Ends of the ranges.
    quant_min, quant_max : int
        The integers in use: those of the dtype, or a narrower range.
    symmetric : bool
        Whether real zero lies in the middle of the integers.

    Returns
    -------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int32, shape (n,)
    """
    steps = quant_max - quant_min
    both = (lower < 0) & (upper > 0) & symmetric
    first, last = -(steps // 2 + 1), steps // 2
    extent = np.maximum(np.abs(lower / np.float32(first)), np.abs(upper / np.float32(last)))
    extent = extent.astype(np.float64)
    low = np.where(both, (extent * first).astype(np.float32), lower)
    high = np.where(both, (extent * last).astype(np.float32), upper)
    low, high = widened(low, high)
    scale = ((high.astype(np.float64) - low) / steps).astype(np.float32)
    nothing = (scale == 0) | np.isinf(np.float32(1) / scale)
    scale = np.where(nothing, np.float32(SCALE_OF_NOTHING), scale)
    small, amplifier = scale < SMALL_SCALE, SMALL_SCALE / scale
    scale = np.where(small, SMALL_SCALE, scale)
    least = scale * np.float32(steps)
    wide_low = np.where(low == 0, low, np.where(high == 0, -least, low * amplifier))
    wide_high = np.where(low == 0, least, np.where(high == 0, high, high * amplifier))
    low, high = np.where(small, wide_low, low), np.where(small, wide_high, high)
    below, above = low / scale.astype(np.float64), high / scale.astype(np.float64)
    nearer = abs(quant_min) + np.abs(below) < abs(quant_max) + np.abs(above)
    zero_point = np.where(nearer, quant_min - below, quant_max - above)
    zero_point = np.where(both, (quant_min + quant_max) / 2, zero_point)
    rounded = np.rint(np.clip(zero_point, quant_min, quant_max))
    return scale, np.where(np.isnan(rounded), INT32_MIN, rounded).astype(np.int32)
