"""Kernels of refquant.reference.histograms.

Design
(a) A histogram is counted in two steps: positions of a few hundred elements, which vectorizes,
    then increments, which go round several tables so that equal neighbors do not wait for each
    other. Counts are integers: their sum does not depend on how work was split.
(b) Sums that round are formed in the order of the definition.
(c) The searches for a range stand in _search.pxd and _search_in_float32.pxd.
"""

from cython.parallel cimport prange
from libc.float cimport FLT_MAX
from libc.math cimport fmaf, nextafterf
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from refquant._kernels._search cimport search
from refquant._kernels._search_in_float32 cimport search_in_float32
from refquant._kernels._sums cimport cascade
from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    BLOCK = 65536     # elements that one thread takes: 256 KiB of float32
    CHUNK = 512       # elements whose positions are held at once
    TABLES = 4
    FLUSH = 1 << 30   # elements after which the tables, of int32, are emptied


cdef inline void positions(
    const float* x, int32_t* position, Py_ssize_t n, float low, float high, int32_t bins,
    bint multiply_first
) noexcept nogil:
    """Positions of elements in a histogram; one past the last bin is for those outside."""
    cdef float width = high - low, factor = <float>bins, last = <float>(bins - 1), t
    cdef int32_t k
    cdef Py_ssize_t i
    for i in range(n):
        t = (x[i] - low) * factor / width if multiply_first else (x[i] - low) / width * factor
        t = t if t < last else last
        t = t if x[i] >= low else <float>0.0
        k = <int32_t>t
        # Integers decide which place is the last: float32 rounds large numbers of bins up.
        k = k if k < bins else bins - 1
        k = k if x[i] >= low else bins
        position[i] = k if x[i] <= high else bins


cdef void count(
    const float* x, Py_ssize_t n, float low, float high, Py_ssize_t bins,
    bint multiply_first, int32_t* tables, int64_t* totals
) noexcept nogil:
    """Add the counts of a run to `totals`; `tables` holds TABLES rows of bins + 1."""
    cdef int32_t position[CHUNK]
    cdef Py_ssize_t row = bins + 1, start = 0, until, size, i, k
    while start < n:
        memset(tables, 0, TABLES * row * sizeof(int32_t))
        until = min(n, start + FLUSH)
        while start < until:
            size = min(<Py_ssize_t>CHUNK, until - start)
            positions(x + start, position, size, low, high, <int32_t>bins, multiply_first)
            for i in range(size // TABLES):
                for k in range(TABLES):
                    tables[k * row + position[i * TABLES + k]] += 1
            for i in range(size // TABLES * TABLES, size):
                tables[position[i]] += 1
            start += size
        for i in range(bins):
            for k in range(TABLES):
                totals[i] += tables[k * row + i]


def histogram(
    const float[::1] x not None, Py_ssize_t bins, double lower, double upper, bint multiply_first
):
    """Count elements in bins of equal width; inputs are not checked."""
    cdef float low = <float>lower, high = <float>upper
    cdef Py_ssize_t n = x.shape[0], part, share
    cdef int parts = threads_for((n + BLOCK - 1) // BLOCK, 4)
    cdef int64_t[:, ::1] totals = np.zeros((parts, bins), np.int64)
    cdef int32_t[:, ::1] tables = np.empty((parts, TABLES * (bins + 1)), np.int32)
    counted = np.empty(bins, np.float32)
    cdef float[::1] out = counted
    cdef int64_t total
    if low == high:
        low = <float>min(<double>nextafterf(low, -FLT_MAX), low - 1.0)
        high = <float>max(<double>nextafterf(high, FLT_MAX), high + 1.0)
    share = (n + parts - 1) // parts
    with nogil:
        for part in prange(parts, num_threads=parts, schedule="static", use_threads_if=parts > 1):
            if part * share < n:
                count(&x[part * share], min(share, n - part * share), low, high, bins,
                      multiply_first, &tables[part, 0], &totals[part, 0])
        for part in range(bins):
            total = 0
            for share in range(parts):
                total += totals[share, part]
            out[part] = <float>total
    return counted


def combine_histograms(
    const float[::1] counts not None, const float[::1] added not None, Py_ssize_t upsample_rate,
    Py_ssize_t downsample_rate, Py_ssize_t start
):
    """Add a histogram of a narrower range to one of a wider range; inputs are not checked."""
    cdef Py_ssize_t bins = counts.shape[0], part = 0, k, end, within = 0, old = 0
    combined = np.empty(bins, np.float32)
    cdef float[::1] out = combined
    cdef double upto = 0
    cdef float before = 0
    if added.shape[0] != bins:
        raise ValueError("histograms of different numbers of bins")
    with nogil:
        for k in range(bins):
            end = (k + 1) * downsample_rate - start
            if k == bins - 1:
                end = bins * upsample_rate
            end = min(end, bins * upsample_rate)
            while part < end:
                upto = upto + counts[old]
                part += 1
                within += 1
                if within == upsample_rate:
                    within = 0
                    old += 1
            out[k] = added[k] + <float>((upto - before) / upsample_rate)
            before = <float>upto
    return combined


cdef inline float evenly_spaced(
    float low, float high, float step, Py_ssize_t count, Py_ssize_t k
) noexcept nogil:
    """Place one of `count` numbers between two ends."""
    if k < count // 2:
        return fmaf(step, <float>k, low)
    return fmaf(-step, <float>(count - 1 - k), high)


def spread_histogram(
    const float[::1] counts not None, const float[::1] added not None, double lower, double upper,
    double new_lower, double new_upper, Py_ssize_t upsample_rate
):
    """Add a histogram of a narrower range to one of a wider range; inputs are not checked."""
    cdef Py_ssize_t bins = counts.shape[0], n = bins * upsample_rate, place = 0, k
    cdef float low = <float>lower, high = <float>upper, width = (high - low) / <float>n
    cdef float new_low = <float>new_lower, new_high = <float>new_upper
    cdef float step = width, new_step = (new_high - new_low) / <float>bins, middle
    cdef float[::1] edges = np.empty(bins + 1, np.float32)
    cdef float[::1] moved = np.zeros(bins, np.float32)
    spread = np.empty(bins, np.float32)
    cdef float[::1] out = spread
    if added.shape[0] != bins:
        raise ValueError("histograms of different numbers of bins")
    with nogil:
        for k in range(bins + 1):
            edges[k] = evenly_spaced(new_low, new_high, new_step, bins + 1, k)
        for k in range(n):
            middle = evenly_spaced(low, high, step, n + 1, k) + <float>0.5 * width
            # Middles and edges both grow, so the place is near that of the one before.
            while place < bins - 1 and edges[place + 1] <= middle:
                place += 1
            while place > 0 and edges[place] > middle:
                place -= 1
            moved[place] = moved[place] + counts[k // upsample_rate] / <float>upsample_rate
        for k in range(bins):
            out[k] = added[k] + moved[k]
    return spread


def cascade_sum(const float[::1] x not None):
    """Add numbers in eight columns side by side; inputs are not checked."""
    return cascade(&x[0], x.shape[0]) if x.shape[0] else <float>0.0


def search_range(const float[::1] counts not None, double lower, double upper, Py_ssize_t levels):
    """Narrow a range until the squared error of quantization grows; inputs are not checked."""
    cdef Py_ssize_t bins = counts.shape[0], first = 0, last = 0
    cdef float[::1] cumulative = np.empty(bins, np.float32)
    cdef float[::1] terms = np.empty(3 * bins, np.float32)
    cdef float low = <float>lower, width = (<float>upper - low) / <float>bins
    found = np.empty(2, np.float32)
    cdef float[::1] out = found
    with nogil:
        search(&counts[0], &cumulative[0], &terms[0], bins, (upper - lower) / <double>bins,
               <double>levels, &first, &last)
    out[0] = low + width * <float>first
    out[1] = low + width * <float>(last + 1)
    return found


def search_range_in_float32(
    const float[::1] counts not None, double lower, double upper, Py_ssize_t levels
):
    """Narrow a range, with the error in float32; inputs are not checked."""
    cdef Py_ssize_t bins = counts.shape[0], first = 0, last = 0
    cdef float[::1] cumulative = np.empty(bins, np.float32)
    cdef float[::1] terms = np.empty(bins, np.float32)
    cdef float low = <float>lower, width = (<float>upper - low) / <float>bins
    found = np.empty(2, np.float32)
    cdef float[::1] out = found
    with nogil:
        search_in_float32(&counts[0], &cumulative[0], &terms[0], bins,
                          (upper - lower) / <double>bins, levels, &first, &last)
    out[0] = low + width * <float>first
    out[1] = low + width * <float>(last + 1)
    return found
