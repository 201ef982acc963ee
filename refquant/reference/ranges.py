"""Ranges of histograms that are the best of all by a measure of the error.

The kernel is ``_kernels/ranges.pyx``. Searches that need not find the best range, as those of
PyTorch, stand in `refquant.reference.histograms`.
"""

import math

import numpy as np

__all__ = ["best_power_of_two", "best_range", "least_divergence"]

# Of a power of two whose 256 multiples float32 can hold.
LARGEST_EXPONENT = 119
# What an empty bin counts as, so that its logarithm is finite.
SMOOTHING = 1e-4


class _Moments:
    """Sums over all observations below a number t, which is in bins: of 1, t - x and (t - x)**2.

    Each is the integral of the one before, but for a factor 2. Past the last bin they go on as if
    an empty one followed.
    """

    def __init__(self, counts):
        self.density = np.append(counts.astype(np.float64), 0.0)
        d = self.density[:-1]
        zero = np.zeros(1)
        self.number = np.append(zero, np.cumsum(d))
        self.linear = np.append(zero, np.cumsum(self.number[:-1] + d / 2))
        self.square = np.append(zero, np.cumsum(2 * self.linear[:-1] + self.number[:-1] + d / 3))

    def _place(self, t):
        t = np.maximum(t, 0.0)
        i = np.minimum(t, self.density.shape[0] - 1).astype(np.int64)
        return i, t - i

    def linear_below(self, t):
        i, rest = self._place(t)
        return self.linear[i] + rest * (self.number[i] + rest * (self.density[i] / 2))

    def square_below(self, t):
        i, rest = self._place(t)
        inner = self.number[i] + rest * (self.density[i] / 3)
        return self.square[i] + rest * (2 * self.linear[i] + rest * inner)

    def square_of_all(self, t):
        rest = t - (self.density.shape[0] - 1)
        return self.square[-1] + rest * (2 * self.linear[-1] + rest * self.number[-1])


@np.errstate(all="ignore")
def best_range(counts, lower, upper, levels, middle):
    r"""Find the range of a histogram whose quantization has the least squared error.

    Every range is tried that contains zero and ends at edges of bins, or at zero. Its integers
    stand for :math:`v_q = s (q - z)`, with the :math:`s` and rounded :math:`z` that an observer
    chooses. With :math:`b_q` half-way between two neighbors and
    :math:`G(t) = \sum_{x < t} (t - x)`,

    .. math:: \sum_x (x - \hat x)^2 = \sum_x (x - v_{n})^2 - 2 s \sum_{q < n} G(b_q) ,

    where :math:`n` is the last integer. Observations are taken as spread evenly over their bin. A
    range is left out if what it clips alone costs as much as the best of all wider lower ends.
    Everything is float64, in units of bins; of equal errors, that of the range with the smaller
    lower end and then the larger upper end is taken.

    Parameters
    ----------
    counts : ndarray of float32, shape (bins,)
        The histogram.
    lower, upper : float
        Ends of its range, float32 numbers.
    levels : int
        How many integers the range is quantized to, at least 2.
    middle : int
        How many of the integers lie below that of zero in a symmetric quantizer, whose range is
        symmetric; -1 for an affine one.

    Returns
    -------
    ndarray of float32, shape (2,)
        Ends of the range that was found.
    """
    bins, last = counts.shape[0], levels - 1
    low, width = np.float32(lower), (np.float32(upper) - np.float32(lower)) / np.float32(bins)
    if not width > 0:
        return np.array([lower, upper], np.float32)
    zero = -float(low) / float(width)
    moments, edges = _Moments(counts), np.arange(bins + 1, dtype=np.float64)
    between = np.arange(last) + 0.5
    below, above = np.append(edges[edges < zero], zero), np.append(edges[edges > zero][::-1], zero)
    if middle >= 0:
        reach = np.maximum(zero - below[0], above[0] - zero)
        extents = np.abs(edges - zero)
        below = zero - np.append(reach, np.sort(extents[extents < reach])[::-1])
    least, found = np.inf, (below[0], above[0])
    for first in below:
        ends = 2 * zero - np.array([first]) if middle >= 0 else above
        step = (ends - first) / last
        kept = step > 0
        ends, step = ends[kept], step[kept]
        z = np.rint((zero - first) / step) if middle < 0 else np.full(step.shape, float(middle))
        lowest, highest = zero - step * z, zero + step * (last - z)
        everything = moments.square_of_all(highest)
        clipped = moments.square_below(lowest) + (everything - moments.square_below(highest))
        kept = clipped < least
        if not kept.any():
            continue
        ends, step, z, everything = ends[kept], step[kept], z[kept], everything[kept]
        boundaries = zero + step[:, None] * (between - z[:, None])
        sums = np.cumsum(moments.linear_below(boundaries), axis=1)[:, -1]
        error = everything - 2 * step * sums
        best = int(np.argmin(error))
        if error[best] < least:
            least, found = error[best], (first, ends[best])
    return np.array([float(width) * (end - zero) for end in found]).astype(np.float32)


def _covers(step, low, high, last, middle):
    """Whether both ends lie between the first and the last multiple, or within one step."""
    if step >= max(high, -low):
        return True
    below, above = np.ceil(-min(low, 0.0) / step), np.ceil(max(high, 0.0) / step)
    if middle >= 0:
        return below <= middle and above <= last - middle
    return below + above <= last


@np.errstate(all="ignore")
def best_power_of_two(counts, lower, upper, levels, middle, least_exponent):
    r"""Find the scale :math:`2^k` whose quantization of a histogram has the least squared error.

    From the smallest scale that clips nothing down to `least_exponent`, every zero point is tried,
    with the error of `best_range`; scales that clip more than the best error are not. Of equal
    errors, that of the larger scale and then of the smaller zero point is taken. An observer maps
    the range that is returned to just this scale and zero point.

    Parameters
    ----------
    counts : ndarray of float32, shape (bins,)
        The histogram.
    lower, upper : float
        Ends of its range, float32 numbers.
    levels : int
        How many integers the range is quantized to, at least 2 and at most 256.
    middle : int
        How many of the integers lie below that of zero in a symmetric quantizer; -1 for an affine
        one.
    least_exponent : int
        The smallest k.

    Returns
    -------
    ndarray of float32, shape (2,)
        Ends of the range: affine those of the integers, symmetric ones equally far from zero.
    """
    bins, last = counts.shape[0], levels - 1
    k = min(max(math.frexp(max(upper, -lower) / last)[1] - 1, least_exponent), LARGEST_EXPONENT)
    while k < LARGEST_EXPONENT and not _covers(2.0**k, lower, upper, last, middle):
        k += 1
    places = np.arange(levels, dtype=np.float64) if middle < 0 else np.array([float(middle)])
    fitting = np.ceil(-min(lower, 0.0) / 2.0**k) if middle < 0 else float(middle)
    found, least = (k, min(fitting, float(last))), np.inf
    low, width = np.float32(lower), (np.float32(upper) - np.float32(lower)) / np.float32(bins)
    if width > 0:
        moments, zero = _Moments(counts), -float(low) / float(width)
        between = np.arange(last) + 0.5
        for exponent in range(k, least_exponent - 1, -1):
            step = 2.0**exponent / float(width)
            lowest, highest = zero - step * places, zero + step * (last - places)
            everything = moments.square_of_all(highest)
            clipped = moments.square_below(lowest) + (everything - moments.square_below(highest))
            if not (clipped < least).any():
                break
            boundaries = zero + step * (between - places[:, None])
            sums = np.cumsum(moments.linear_below(boundaries), axis=1)[:, -1]
            error = everything - 2 * step * sums
            best = int(np.argmin(error))
            if error[best] < least:
                least, found = error[best], (exponent, places[best])
    step, place = 2.0 ** found[0], int(found[1])
    if middle >= 0:
        return np.array([-step * last / 2, step * last / 2], np.float32)
    return np.array([-step * place, step * (last - place)], np.float32)


def _total(x):
    """Add numbers from the first to the last."""
    return np.cumsum(x)[-1] if x.size else 0.0


def _smoothed(counts):
    """Let empty bins count a little, at the expense of the others; None where those are too few."""
    empty = counts == 0
    zeros = int(empty.sum())
    if zeros == counts.size:
        return None
    smooth = np.where(empty, SMOOTHING, counts - SMOOTHING * zeros / (counts.size - zeros))
    return smooth / _total(smooth) if (smooth > 0).all() else None


def _divergence(inside, below, above, levels):
    """Relative entropy of a part of a histogram to what `levels` integers keep of it."""
    observed = inside.copy()
    observed[0] += below
    observed[-1] += above
    merged = inside.size // levels  # bins of an integer
    parts = inside[: merged * levels].reshape(levels, merged)
    sums = np.array([_total(part) for part in parts])
    sums[-1] += _total(inside[merged * levels :])
    filled = (observed[: merged * levels].reshape(levels, merged) != 0).sum(axis=1)
    average = np.where(filled > 0, np.floor(sums / np.maximum(filled, 1)), 0.0)
    kept = np.zeros(inside.size)
    kept[: merged * levels] = np.repeat(average, merged)
    p, q = _smoothed(observed), _smoothed(kept)
    if p is None or q is None:
        return np.inf
    return _total(p * np.array([math.log(ratio) for ratio in (p / q).tolist()]))


def least_divergence(counts, lower, upper, levels):
    r"""Find the part of a histogram whose quantization loses least of the distribution.

    Parts are tried that have equally many bins on both sides of the middle bin, from `levels` bins
    to all. :math:`P` is the part, with what lies outside added to its first and last bin. For
    :math:`Q`, its bins are joined to `levels` groups of equally many, where the last one also gets
    what the division leaves over. Every bin of a group gets the average over those that are not
    empty in :math:`P`, rounded down; bins that are left over get nothing. Empty bins count as 1e-4
    in both, at the expense of the others. The part with the least

    .. math:: D_{\mathrm{KL}}(P \,\Vert\, Q) = \sum_i P_i \log (P_i / Q_i)

    is found, in float64, of equal ones the smallest, and then cut to the bins that are not empty.

    Parameters
    ----------
    counts : ndarray of float32, shape (bins,)
        The histogram, its range symmetric about zero.
    lower, upper : float
        Ends of its range, float32 numbers.
    levels : int
        How many integers the range is quantized to, at least 2.

    Returns
    -------
    ndarray of float32, shape (2,)
        Ends of the range that was found; of all bins if there are fewer than `levels`.
    """
    bins, every = counts.shape[0], counts.astype(np.float64)
    if not every.any():
        return np.array([lower, upper], np.float32)
    below = np.append(0.0, np.cumsum(every))
    above = np.append(np.cumsum(every[::-1])[::-1], 0.0)
    least, found = np.inf, (0, bins)
    for reach in range(levels // 2, bins // 2 + 1):
        first, end = bins // 2 - reach, min(bins // 2 + reach + 1, bins)
        divergence = _divergence(every[first:end], below[first], above[end], levels)
        if divergence < least:
            least, found = divergence, (first, end)
    filled = np.flatnonzero(every)
    edges = np.array([max(found[0], filled[0]), min(found[1], filled[-1] + 1)])
    return (lower + (upper - lower) * edges / bins).astype(np.float32)
