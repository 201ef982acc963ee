r"""What observers compute: ranges, histograms, and the quantizer that fits them.

Floats are ordered as real numbers, with :math:`-0 < +0`, so that the smallest and the largest are
decided to the last bit. Sums that round are written in the order in which they are formed.

See ``_kernels/observation.pyx``; `search_range` is ``search`` of ``_kernels/_search.pxd``.
"""

import numpy as np

__all__ = [
    "combine_histograms",
    "dynamic_qparams",
    "histogram",
    "min_max",
    "min_max_per_channel",
    "moving_average",
    "observer_qparams",
    "search_range",
]

# A scale is never smaller: the distance from 1 to the next float32.
EPSILON = 2.0**-23
# The search for a range narrows it by this share of all observations at each step.
SEARCH_STEP = 1e-5


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
def histogram(x, bins, lower, upper):
    r"""Count elements in bins of equal width over [lower, upper].

    .. math:: k = \lfloor (x - l) / (u - l) \cdot b \rfloor

    Every operation is rounded to float32. The upper end belongs to the last bin. Elements outside
    and NaN are not counted. Equal ends are moved apart by one on either side.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Real values.
    bins : int
        Number of bins.
    lower, upper : float
        Ends of the range, float32 numbers.

    Returns
    -------
    ndarray of float32, shape (bins,)
        Counts, formed as integers and rounded once.
    """
    low, high = np.float32(lower), np.float32(upper)
    if low == high:
        low, high = low - np.float32(1), high + np.float32(1)
    inside = x[(x >= low) & (x <= high)]
    position = (inside - low) / (high - low) * np.float32(bins)
    # Also where the quotient is not a number, because the width is infinite or rounds to zero.
    position = np.where(position < bins - 1, position, bins - 1)
    # Integers decide which place is the last: float32 rounds large numbers of bins up.
    position = np.minimum(position.astype(np.int64), bins - 1)
    return np.bincount(position, minlength=bins).astype(np.float32)


def combine_histograms(counts, added, upsample_rate, downsample_rate, start):
    """Add a histogram of a narrower range to one of a range that contains it.

    Each old bin is cut into `upsample_rate` parts, and `downsample_rate` parts make a new bin. A
    new count is the difference of two cumulative sums; the sums are float64, but the second one
    was stored as float32.

    Parameters
    ----------
    counts : ndarray of float32, shape (bins,)
        The histogram of the narrower range.
    added : ndarray of float32, shape (bins,)
        The histogram of the wider range.
    upsample_rate, downsample_rate : int
        Parts of an old bin and of a new bin.
    start : int
        Parts of the wider range that lie before the narrower one. Parts past the end of the
        wider range belong to its last bin.

    Returns
    -------
    ndarray of float32, shape (bins,)
    """
    bins = counts.shape[0]
    parts = np.repeat(counts, upsample_rate).astype(np.float64)
    cumulative = np.concatenate([[0.0], np.cumsum(parts)])
    ends = np.arange(1, bins + 1) * downsample_rate - start
    ends[-1] = parts.shape[0]
    upto = cumulative[np.clip(ends, 0, parts.shape[0])]
    before = np.concatenate([[np.float32(0)], upto[:-1].astype(np.float32)])
    return added + ((upto - before) / upsample_rate).astype(np.float32)


def _error(counts, bin_width, first, last, levels):
    """Squared error of quantizing to `levels` values that cover the bins first..last."""
    width = bin_width * (last - first + 1) / levels
    if width == 0.0:
        return np.float32(0)
    density = counts / np.float32(bin_width)
    begin = np.arange(-first, counts.shape[0] - first) * bin_width
    end = begin + bin_width
    level = np.clip(np.floor(begin / width), 0.0, levels - 1.0)
    last_level = np.clip(np.floor(end / width), 0.0, levels - 1.0)
    half = width / 2

    def integral(a, b):
        """Sum the squared distances from a to b, in units of the density."""
        return density * ((b * b * b - a * a * a) / 3).astype(np.float32)

    to_begin = begin - (level * width + half)
    to_end = end - (last_level * width + half)
    whole = np.full_like(begin, half)
    between = (last_level - level - 1).astype(np.float32)
    alone = level == last_level
    terms = np.empty((counts.shape[0], 3), np.float32)
    terms[:, 0] = np.where(alone, integral(to_begin, to_end), integral(to_begin, whole))
    terms[:, 1] = np.where(alone, 0, between * integral(-whole, whole))
    terms[:, 2] = np.where(alone, 0, integral(-whole, to_end))
    return np.cumsum(terms.reshape(-1), dtype=np.float32)[-1]


@np.errstate(all="ignore")
def search_range(counts, lower, upper, levels):
    """Narrow the range of a histogram until the squared error of its quantization grows.

    Each step moves one end inward by as many bins as hold a share of 1e-5 of the observations:
    the end that moves farther. The search is greedy: it ends at the first minimum, which need not
    be the least error, and the error of the whole range is never computed. Observations are taken
    as spread evenly over their bin, and the integers as lying in the middles of `levels` equal
    cells of the range.

    Parameters
    ----------
    counts : ndarray of float32, shape (bins,)
        The histogram.
    lower, upper : float
        Ends of its range, float32 numbers.
    levels : int
        How many integers the range is quantized to.

    Returns
    -------
    ndarray of float32, shape (2,)
        Ends of the range that was found.
    """
    bins = counts.shape[0]
    bin_width = (upper - lower) / bins
    cumulative = np.cumsum(counts, dtype=np.float64).astype(np.float32)
    total = np.cumsum(counts, dtype=np.float32)[-1]
    first, last, least = 0, bins - 1, np.float32(np.inf)
    cut_below, kept_above = 0.0, 1.0
    while cut_below < kept_above:
        more_cut, less_kept = cut_below + SEARCH_STEP, kept_above - SEARCH_STEP
        left, right = first, last
        while left < last and cumulative[left] < np.float32(more_cut) * total:
            left += 1
        while right > first and cumulative[right] > np.float32(less_kept) * total:
            right -= 1
        if left - first > last - right:
            candidate, cut_below = (left, last), more_cut
        else:
            candidate, kept_above = (first, right), less_kept
        if candidate == (first, last):
            continue
        error = _error(counts, bin_width, *candidate, levels)
        if error > least:
            break
        least, (first, last) = error, candidate
    low, width = np.float32(lower), (np.float32(upper) - np.float32(lower)) / np.float32(bins)
    return np.array(
        [low + width * np.float32(first), low + width * np.float32(last + 1)], np.float32
    )


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
        A float32 number.
    zero_point : int
    """
    return rule(lower, upper, quant_min, quant_max)
