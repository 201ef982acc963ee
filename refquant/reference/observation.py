r"""What observers compute: ranges, and the quantizer that fits them.

Floats are ordered as real numbers, with :math:`-0 < +0`, so that the smallest and the largest are
decided to the last bit.

See ``_kernels/observation.pyx``; histograms stand in `refquant.reference.histograms`.
"""

import numpy as np

__all__ = [
    "dynamic_qparams",
    "min_max",
    "min_max_per_channel",
    "moving_average",
    "observer_qparams",
    "range_of_least_loss",
]

# A scale is never smaller: the distance from 1 to the next float32.
EPSILON = 2.0**-23


def _ordered(x):
    """Map float32 to int32 that have the same order, and back: the map is its own inverse."""
    bits = x.view(np.int32)
    return bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))


def _range(x, axis):
    keys = _ordered(x)
    lower = keys.min(axis=axis, initial=_ordered(np.float32(np.inf)))
    upper = keys.max(axis=axis, initial=_ordered(np.float32(-np.inf)))
    found = _ordered(np.stack([lower, upper])).view(np.float32)
    return np.where(np.isnan(x).any(axis=axis), np.float32(np.nan), found)


def min_max(x):
    """Find the smallest and the largest element.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Real values.

    Returns
    -------
    ndarray of float32, shape (2,)
        Minimum and maximum. Both are NaN if any element is; no elements give (inf, -inf).
    """
    return _range(x, axis=0)


def min_max_per_channel(x):
    """Find the smallest and the largest element of each slice of the middle axis.

    Parameters
    ----------
    x : ndarray of float32, shape (outer, channels, inner)
        Real values.

    Returns
    -------
    ndarray of float32, shape (2, channels)
        Minima and maxima, each as in `min_max`.
    """
    return _range(x, axis=(0, 2))


@np.errstate(all="ignore")
def moving_average(average, current, constant):
    r"""Move an average towards new values, :math:`a + c (x - a)`.

    Parameters
    ----------
    average, current : ndarray of float32, shape (n,)
        The average so far, and what was seen now.
    constant : float
        How far to move, rounded to float32.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    return average + np.float32(constant) * (current - average)


@np.errstate(all="ignore")
def observer_qparams(lower, upper, quant_min, quant_max, symmetric):
    r"""Choose scale and zero point for ranges, as observers do.

    Affine: :math:`s = (u - l) / (q_{max} - q_{min})` and :math:`z = q_{min} - round(l / s)`.
    Symmetric: :math:`s = \max(-l, u) / ((q_{max} - q_{min}) / 2)`, and :math:`z` is the middle of
    the integers. All in float64, after the range was widened to contain zero; the scale is at
    least 2**-23 and is rounded to float32 last. A range of zeros gives scale 1, zero point 0.

    Parameters
    ----------
    lower, upper : ndarray of float32, shape (n,)
        Ends of the ranges.
    quant_min, quant_max : int
        Range of the integers.
    symmetric : bool
        Whether real zero lies in the middle of the integers.

    Returns
    -------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int64, shape (n,)
    """
    low = np.where(lower < 0, lower, 0).astype(np.float64)
    high = np.where(upper > 0, upper, 0).astype(np.float64)
    if symmetric:
        extent = np.where(-low > high, -low, high)
        scale = extent / ((quant_max - quant_min) / 2)
    else:
        scale = (high - low) / (quant_max - quant_min)
    scale = np.where(scale > EPSILON, scale, EPSILON)
    if symmetric:
        zero_point = np.full(low.shape, (quant_min + quant_max + 1) // 2, np.float64)
    else:
        zero_point = quant_min - np.rint(low / scale)
    zero_point = np.where(zero_point > quant_min, zero_point, quant_min)
    zero_point = np.where(zero_point < quant_max, zero_point, quant_max)
    nothing = low == high
    scales = np.where(nothing, 1.0, scale).astype(np.float32)
    return scales, np.where(nothing, 0, zero_point).astype(np.int64)


@np.errstate(all="ignore")
def dynamic_qparams(lower, upper, quant_min, quant_max, rule):
    """Choose scale and zero point for one range, as operations do that quantize their input.

    Parameters
    ----------
    lower, upper : float
        Ends of the range, float32 numbers.
    quant_min, quant_max : int
        Range of the integers.
    rule : Rule
        The formula; see `refquant.engines.rules.dynamic_qparams`.

    Returns
    -------
    scale : float
    zero_point : int
    """
    return rule(lower, upper, quant_min, quant_max)


def _loss(x, lower, upper, levels):
    """Sum the squares of what quantization with a scale in float16 changes, and take the root."""
    lower = np.float32(np.float16(lower))
    width = upper - lower
    scale = np.float32(1) if width == 0 else np.float32(np.float16(width / levels))
    inverse = np.float32(1) if scale == 0 else np.float32(1) / scale
    codes = np.minimum(np.maximum(np.rint((x - lower) * inverse), np.float32(0)), levels)
    wrong = x - (codes * scale + lower)
    # One by one: the order of the sum is part of the definition.
    return np.sqrt(np.add.accumulate(wrong * wrong)[-1])


@np.errstate(all="ignore")
def range_of_least_loss(x, bins, cut, levels):
    """Narrow the range of numbers step by step, and keep the range of least loss.

    A step takes a bin away from the end where that costs less. A range counts if either step
    from it is worse.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        At least one number.
    bins : int
        How many steps the whole range is.
    cut : float
        Share of the steps after which the search ends, a float64 number.
    levels : float
        The largest code, a float32 number.

    Returns
    -------
    lower, upper : float
        float32 numbers.
    """
    levels = np.float32(levels)
    zero = np.float32(0)  # added, it leaves no zero with a sign
    low, high = x.min() + zero, x.max() + zero
    step = (high - low) / np.float32(bins)
    rest = np.float32(np.float64(bins) * cut) * step
    found, loss = (low, high), _loss(x, low, high, levels)
    least = loss
    ends = None
    while low + rest < high and ends != (low, high):  # a small step may not move an end
        ends = low, high
        without_first = _loss(x, low + step, high, levels)
        without_last = _loss(x, low, high - step, levels)
        if loss < without_first and loss < without_last and loss < least:
            least, found = loss, (low, high)
        if without_first < without_last:
            low, loss = low + step, without_first
        else:
            high, loss = high - step, without_last
    return float(found[0]), float(found[1])
