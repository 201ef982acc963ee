"""Kernels of refquant.reference.observation.

Design
(a) Compilers do not vectorize minima of floats, because of NaN and signed zeros. Here floats are
    mapped to integers of the same order, for which they do; NaN are the extreme keys.
(b) A histogram is counted in two steps: positions of a few hundred elements, which vectorizes,
    then increments, which go round several tables so that equal neighbors do not wait for each
    other. Counts are integers: their sum does not depend on how work was split.
(c) Sums that round are formed one after the other, in the order of the definition.
(d) The search for a range stands in _search.pxd.
"""

from cython.parallel cimport prange
from libc.math cimport INFINITY, NAN, floor, rint
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from refquant._kernels._rules cimport RANGE_IN_FLOAT32
from refquant._kernels._search cimport search
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import CHOOSING

cdef enum:
    BLOCK = 65536     # elements that one thread takes: 256 KiB of float32
    CHUNK = 512       # elements whose positions are held at once
    TABLES = 4
    FLUSH = 1 << 30   # elements after which the tables, of int32, are emptied

cdef enum:
    KEY_OF_INFINITY = 0x7F800000
    KEY_OF_MINUS_INFINITY = -0x7F800001
    LAST_KEY = 0x7FFFFFFF
    FIRST_KEY = -0x80000000

cdef double EPSILON = 2.0**-23
cdef float SMALL_SCALE = 6.1e-5


# -- ranges ------------------------------------------------------------------------------------

cdef inline int32_t ordered(int32_t bits) noexcept nogil:
    """Map the bits of a float to an integer of the same order, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


cdef inline int32_t key_of(float v) noexcept nogil:
    cdef int32_t bits
    memcpy(&bits, &v, 4)
    return ordered(bits)


cdef inline float of_key(int32_t key) noexcept nogil:
    cdef int32_t bits = ordered(key)
    cdef float v
    memcpy(&v, &bits, 4)
    return v


cdef inline void widen(const float* x, Py_ssize_t n, int32_t* low, int32_t* high) noexcept nogil:
    """Widen a range of keys to contain the keys of a run."""
    cdef int32_t lo = low[0], hi = high[0], key
    cdef Py_ssize_t i
    for i in range(n):
        key = key_of(x[i])
        lo = key if key < lo else lo
        hi = key if key > hi else hi
    low[0] = lo
    high[0] = hi


cdef inline void widen_columns(
    const float* x, Py_ssize_t n, int32_t* low, int32_t* high
) noexcept nogil:
    """Widen `n` ranges by one key each."""
    cdef int32_t key
    cdef Py_ssize_t i
    for i in range(n):
        key = key_of(x[i])
        low[i] = key if key < low[i] else low[i]
        high[i] = key if key > high[i] else high[i]


cdef inline void finish(int32_t lo, int32_t hi, float* low, float* high) noexcept nogil:
    """Turn a range of keys into floats; keys of NaN make both ends NaN."""
    cdef bint number = lo >= KEY_OF_MINUS_INFINITY and hi <= KEY_OF_INFINITY
    if lo > hi:
        low[0] = INFINITY
        high[0] = -INFINITY
    else:
        low[0] = of_key(lo) if number else <float>NAN
        high[0] = of_key(hi) if number else <float>NAN


def min_max(const float[::1] x not None):
    """Find the smallest and the largest element; inputs are not checked."""
    found = np.empty(2, np.float32)
    cdef float[::1] out = found
    cdef int32_t lo = LAST_KEY, hi = FIRST_KEY
    cdef Py_ssize_t n = x.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block
    cdef int32_t[:, ::1] parts
    cdef int threads = threads_for(blocks, 4)
    if threads == 1:
        with nogil:
            if n > 0:
                widen(&x[0], n, &lo, &hi)
            finish(lo, hi, &out[0], &out[1])
        return found
    parts = np.empty((blocks, 2), np.int32)
    with nogil:
        for block in prange(blocks, num_threads=threads, schedule="static"):
            parts[block, 0] = LAST_KEY
            parts[block, 1] = FIRST_KEY
            widen(&x[block * BLOCK], min(<Py_ssize_t>BLOCK, n - block * BLOCK),
                  &parts[block, 0], &parts[block, 1])
        for block in range(blocks):
            lo = min(lo, parts[block, 0])
            hi = max(hi, parts[block, 1])
        finish(lo, hi, &out[0], &out[1])
    return found


def min_max_per_channel(const float[:, :, ::1] x not None):
    """Find the smallest and the largest element of each channel; inputs are not checked."""
    found = np.empty((2, x.shape[1]), np.float32)
    cdef float[:, ::1] out = found
    cdef int32_t[:, ::1] keys = np.empty((2, x.shape[1]), np.int32)
    cdef Py_ssize_t outer = x.shape[0], channels = x.shape[1], inner = x.shape[2], c, o
    cdef int threads = threads_for(outer * channels * inner, 4 * BLOCK)
    if channels == 0:
        return found
    with nogil:
        for c in range(channels):
            keys[0, c] = LAST_KEY
            keys[1, c] = FIRST_KEY
        if inner == 1:
            for o in range(outer):
                widen_columns(&x[o, 0, 0], channels, &keys[0, 0], &keys[1, 0])
        elif inner > 1:
            for c in prange(channels, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
                for o in range(outer):
                    widen(&x[o, c, 0], inner, &keys[0, c], &keys[1, c])
        for c in range(channels):
            finish(keys[0, c], keys[1, c], &out[0, c], &out[1, c])
    return found


def moving_average(
    const float[::1] average not None, const float[::1] current not None, double constant
):
    """Move an average towards new values; inputs are not checked."""
    moved = np.empty(average.shape[0], np.float32)
    cdef float[::1] out = moved
    cdef float c = <float>constant
    cdef Py_ssize_t i
    for i in range(average.shape[0]):
        out[i] = average[i] + c * (current[i] - average[i])
    return moved


# -- histograms --------------------------------------------------------------------------------

cdef inline void positions(
    const float* x, int32_t* position, Py_ssize_t n, float low, float high, int32_t bins
) noexcept nogil:
    """Positions of elements in a histogram; one past the last bin is for those outside."""
    cdef float width = high - low, factor = <float>bins, last = <float>(bins - 1), t
    cdef int32_t k
    cdef Py_ssize_t i
    for i in range(n):
        t = (x[i] - low) / width * factor
        t = t if t < last else last
        t = t if x[i] >= low else <float>0.0
        k = <int32_t>t
        # Integers decide which place is the last: float32 rounds large numbers of bins up.
        k = k if k < bins else bins - 1
        k = k if x[i] >= low else bins
        position[i] = k if x[i] <= high else bins


cdef void count(
    const float* x, Py_ssize_t n, float low, float high, Py_ssize_t bins, int32_t* tables,
    int64_t* totals
) noexcept nogil:
    """Add the counts of a run to `totals`; `tables` holds TABLES rows of bins + 1."""
    cdef int32_t position[CHUNK]
    cdef Py_ssize_t row = bins + 1, start = 0, until, size, i, k
    while start < n:
        memset(tables, 0, TABLES * row * sizeof(int32_t))
        until = min(n, start + FLUSH)
        while start < until:
            size = min(<Py_ssize_t>CHUNK, until - start)
            positions(x + start, position, size, low, high, <int32_t>bins)
            for i in range(size // TABLES):
                for k in range(TABLES):
                    tables[k * row + position[i * TABLES + k]] += 1
            for i in range(size // TABLES * TABLES, size):
                tables[position[i]] += 1
            start += size
        for i in range(bins):
            for k in range(TABLES):
                totals[i] += tables[k * row + i]


def histogram(const float[::1] x not None, Py_ssize_t bins, double lower, double upper):
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
        low = low - <float>1.0
        high = high + <float>1.0
    share = (n + parts - 1) // parts
    with nogil:
        for part in prange(parts, num_threads=parts, schedule="static", use_threads_if=parts > 1):
            if part * share < n:
                count(&x[part * share], min(share, n - part * share), low, high, bins,
                      &tables[part, 0], &totals[part, 0])
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


# -- scale and zero point ----------------------------------------------------------------------

cdef inline double clampd(double v, double lo, double hi) noexcept nogil:
    v = v if v > lo else lo
    return v if v < hi else hi


def observer_qparams(
    const float[::1] lower not None, const float[::1] upper not None, int64_t quant_min,
    int64_t quant_max, bint symmetric
):
    """Choose scale and zero point for ranges, as observers do; inputs are not checked."""
    cdef Py_ssize_t n = lower.shape[0], i
    cdef double lo = quant_min, hi = quant_max, middle = floor((lo + hi + 1.0) / 2.0)
    cdef double low, high, scale, zero_point
    scales, zero_points = np.empty(n, np.float32), np.empty(n, np.int64)
    cdef float[::1] s = scales
    cdef int64_t[::1] z = zero_points
    for i in range(n):
        low = lower[i] if lower[i] < 0 else 0.0
        high = upper[i] if upper[i] > 0 else 0.0
        if low == high:
            s[i] = 1.0
            z[i] = 0
            continue
        if symmetric:
            scale = (-low if -low > high else high) / ((hi - lo) / 2.0)
        else:
            scale = (high - low) / (hi - lo)
        scale = scale if scale > EPSILON else EPSILON
        zero_point = middle if symmetric else lo - rint(low / scale)
        s[i] = <float>scale
        z[i] = <int64_t>clampd(zero_point, lo, hi)
    return scales, zero_points


cdef inline int64_t nudge(double low, double high, double scale, double lo, double hi):
    """Derive the zero point from the end of the range that has the smaller error."""
    cdef double from_low = lo - low / scale, from_high = hi - high / scale
    cdef double error_low = abs(lo) + abs(low / scale), error_high = abs(hi) + abs(high / scale)
    cdef double zero_point = from_low if error_low < error_high else from_high
    return <int64_t>rint(clampd(zero_point, lo, hi))


def dynamic_qparams(
    double lower, double upper, int64_t quant_min, int64_t quant_max, rule
):
    """Choose scale and zero point for one range, as operations do; inputs are not checked."""
    cdef float low = <float>lower, high = <float>upper, narrow, steps
    cdef double scale
    low = low if low < 0 else <float>0.0
    high = high if high > 0 else <float>0.0
    if <int>CHOOSING[rule] == RANGE_IN_FLOAT32:
        scale = <double>(high - low) / <double>(quant_max - quant_min)
        if scale == 0:
            scale = 0.1
        return <float>scale, nudge(low, high, scale, quant_min, quant_max)
    scale = (<double>high - <double>low) / <double>(quant_max - quant_min)
    narrow = <float>scale
    if narrow == 0 or <float>1.0 / narrow == INFINITY:
        scale = 0.1
        narrow = <float>scale
    if narrow < SMALL_SCALE:
        steps = <float>(quant_max - quant_min)
        scale = SMALL_SCALE
        if low == 0:
            high = SMALL_SCALE * steps
        elif high == 0:
            low = -SMALL_SCALE * steps
        else:
            low = low * (SMALL_SCALE / narrow)
            high = high * (SMALL_SCALE / narrow)
    return <float>scale, nudge(low, high, scale, quant_min, quant_max)
