r"""Histograms of observers: counting, bringing to a wider range, and the search for a range.

PyTorch 1.4 and 2.13 differ in all of them. Sums that round are written in the order in which they
are formed.

See ``_kernels/histograms.pyx``; the searches are ``search`` of ``_kernels/_search.pxd`` and of
``_kernels/_search_in_float32.pxd``.
"""

import numpy as np

from refquant.engines.rules.float32 import fma
from refquant.engines.rules.float_sums import sum_in_cascades

__all__ = [
    "cascade_sum",
    "combine_histograms",
    "histogram",
    "search_range",
    "search_range_in_float32",
    "spread_histogram",
]

LARGEST = np.finfo(np.float32).max
# A search narrows a range by this share of all observations at each step.
SEARCH_STEP = 1e-5


@np.errstate(all="ignore")
def histogram(x, bins, lower, upper, multiply_first):
    r"""Count elements in bins of equal width over [lower, upper].

    .. math:: k = \lfloor (x - l) / (u - l) \cdot b \rfloor

    Every operation is rounded to float32. The upper end belongs to the last bin. Elements outside
    and NaN are not counted. Equal ends are moved apart by one on either side, and at least to the
    neighboring float32.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Real values.
    bins : int
        Number of bins.
    lower, upper : float
        Ends of the range, float32 numbers.
    multiply_first : bool
        Whether the product with the number of bins is formed before the quotient.

    Returns
    -------
    ndarray of float32, shape (bins,)
        Counts, formed as integers and rounded once.
    """
    low, high = np.float32(lower), np.float32(upper)
    if low == high:
        below, above = np.nextafter(low, -LARGEST), np.nextafter(high, LARGEST)
        low = np.float32(min(float(below), float(low) - 1))
        high = np.float32(max(float(above), float(high) + 1))
    inside = x[(x >= low) & (x <= high)]
    if multiply_first:
        position = (inside - low) * np.float32(bins) / (high - low)
    else:
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


def _evenly_spaced(lower, upper, count):
    """Place numbers between two ends, the first half from the lower end on."""
    low, high, n = np.float32(lower), np.float32(upper), np.arange(count)
    step = (high - low) / np.float32(count - 1)
    return np.where(n < count // 2, fma(step, n, low), fma(-step, count - 1 - n, high))


@np.errstate(all="ignore")
def spread_histogram(counts, added, lower, upper, new_lower, new_upper, upsample_rate):
    """Add a histogram of a narrower range to one of a range that contains it.

    Each old bin is cut into `upsample_rate` parts, and each part is added to the new bin that
    contains its middle, one after the other in float32.

    Parameters
    ----------
    counts : ndarray of float32, shape (bins,)
        The histogram of the narrower range.
    added : ndarray of float32, shape (bins,)
        The histogram of the wider range.
    lower, upper : float
        Ends of the narrower range, float32 numbers, the first one smaller.
    new_lower, new_upper : float
        Ends of the wider range, float32 numbers.
    upsample_rate : int
        Parts of an old bin.

    Returns
    -------
    ndarray of float32, shape (bins,)
    """
    bins = counts.shape[0]
    parts = np.repeat(counts / np.float32(upsample_rate), upsample_rate)
    width = (np.float32(upper) - np.float32(lower)) / np.float32(len(parts))
    starts = _evenly_spaced(lower, upper, len(parts) + 1)[:-1]
    edges = _evenly_spaced(new_lower, new_upper, bins + 1)
    place = np.searchsorted(edges, starts + np.float32(0.5) * width, side="right") - 1
    moved = np.zeros(bins, np.float32)
    np.add.at(moved, np.clip(place, 0, bins - 1), parts)
    return added + moved


def cascade_sum(x):
    """Add numbers as `torch.sum` does: eight columns side by side, in blocks of blocks.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Real values.

    Returns
    -------
    float
        A float32 number.
    """
    return float(sum_in_cascades(np.ascontiguousarray(x), (0,)))


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


def _searched(counts, lower, upper, levels, part_of_total, error_of):
    """Narrow a range; `part_of_total` is a share of all observations."""
    bins = counts.shape[0]
    bin_width = (upper - lower) / bins
    cumulative = np.cumsum(counts, dtype=np.float64).astype(np.float32)
    first, last, least = 0, bins - 1, np.float32(np.inf)
    cut_below, kept_above = 0.0, 1.0
    while cut_below < kept_above:
        more_cut, less_kept = cut_below + SEARCH_STEP, kept_above - SEARCH_STEP
        left, right = first, last
        while left < last and cumulative[left] < part_of_total(more_cut):
            left += 1
        while right > first and cumulative[right] > part_of_total(less_kept):
            right -= 1
        if left - first > last - right:
            candidate, cut_below = (left, last), more_cut
        else:
            candidate, kept_above = (first, right), less_kept
        if candidate == (first, last):
            continue
        error = error_of(counts, bin_width, *candidate, levels)
        if error > least:
            break
        least, (first, last) = error, candidate
    low, width = np.float32(lower), (np.float32(upper) - np.float32(lower)) / np.float32(bins)
    return np.array(
        [low + width * np.float32(first), low + width * np.float32(last + 1)], np.float32
    )


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
    total = np.cumsum(counts, dtype=np.float32)[-1]
    return _searched(counts, lower, upper, levels, lambda share: np.float32(share) * total, _error)


def _floor_divided(a, b):
    """Divide and round down as Python does: the quotient is formed without the remainder."""
    if b == 0:
        return a / b
    remainder = np.fmod(a, b)
    quotient = (a - remainder) / b
    quotient = np.where((remainder != 0) & (remainder < 0), quotient - np.float32(1), quotient)
    floor = np.floor(quotient)
    return np.where(quotient - floor > np.float32(0.5), floor + np.float32(1), floor)


def _error_in_float32(counts, bin_width, first, last, levels):
    """Squared error of quantizing to `levels` values, every operation rounded to float32."""
    width = bin_width * (last - first + 1) / levels
    if width == 0.0:
        return np.float32(0)
    bins, cell, half = np.float32(bin_width), np.float32(width), np.float32(width / 2)
    highest = np.float32(levels - 1)
    density = counts / bins
    begin = np.arange(-first, counts.shape[0] - first).astype(np.float32) * bins
    end = begin + bins
    level = np.clip(_floor_divided(begin, cell), np.float32(0), highest)
    last_level = np.clip(_floor_divided(end, cell), np.float32(0), highest)

    def integral(a, b):
        """Sum the squared distances from a to b."""
        return density * ((b * b * b - a * a * a) / np.float32(3))

    error = integral(begin - (level + np.float32(0.5)) * cell, half)
    error = error + (last_level - level - np.float32(1)) * integral(-half, half)
    error = error + integral(-half, end - (last_level * cell + half))
    return np.float32(cascade_sum(error))


@np.errstate(all="ignore")
def search_range_in_float32(counts, lower, upper, levels):
    """Narrow the range of a histogram as `search_range` does, with the error in float32.

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
    total = cascade_sum(counts)
    return _searched(counts, lower, upper, levels, lambda share: np.float32(share * total),
                     _error_in_float32)  # fmt: skip
