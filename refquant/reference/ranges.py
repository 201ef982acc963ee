"""Ranges of histograms that are the best of all by a measure of the error.

The kernel is ``_kernels/ranges.pyx``. Searches that need not find the best range, as those of
PyTorch, stand in `refquant.reference.histograms`.
"""

import numpy as np

__all__ = ["best_range"]


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
