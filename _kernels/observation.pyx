"""Kernels of refquant.reference.observation.

Design: minima and maxima are those of integers, see _one_range.pxd.
"""

from cython.parallel cimport prange
from libc.math cimport INFINITY, fabs, floor, frexp, ldexp, rint, rintf, sqrtf
from libc.stdint cimport int32_t, int64_t

from refquant._kernels._one_range cimport (
    Chosen, FIRST_KEY, LAST_KEY, chosen_for, finish, key_of, widen,
)
from refquant._kernels._rounding cimport clampd
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import CHOOSING

cdef enum:
    BLOCK = 65536  # elements that one thread takes: 256 KiB of float32

cdef double EPSILON = 2.0**-23


# -- ranges ------------------------------------------------------------------------------------

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


# -- scale and zero point ----------------------------------------------------------------------

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


def dynamic_qparams(
    double lower, double upper, int64_t quant_min, int64_t quant_max, rule
):
    """Choose scale and zero point for one range, as operations do; inputs are not checked."""
    cdef Chosen found = chosen_for(lower, upper, quant_min, quant_max, CHOOSING[rule])
    return found.scale, found.zero_point


# -- the range of least loss -------------------------------------------------------------------

cdef inline float halved(float v) noexcept nogil:
    """Round to float16: 11 bits, fewer below 2**-14."""
    cdef int exponent = 0
    cdef double wide = v, rounded
    if wide == 0 or wide != wide or fabs(wide) == INFINITY:
        return v
    frexp(wide, &exponent)
    exponent = 11 - exponent if exponent > -13 else 24
    rounded = ldexp(rint(ldexp(wide, exponent)), -exponent)
    if fabs(rounded) > 65504.0:
        return <float>INFINITY if rounded > 0 else -<float>INFINITY
    return <float>rounded


cdef float _loss(
    const float* x, Py_ssize_t n, float lower, float upper, float levels
) noexcept nogil:
    """Sum the squares of what quantization with a scale in float16 changes, and take the root."""
    cdef float scale = 1, inverse = 1, code, wrong, total = 0
    cdef Py_ssize_t i
    lower = halved(lower)
    if upper - lower != 0:
        scale = halved((upper - lower) / levels)
    if scale != 0:
        inverse = <float>1.0 / scale
    for i in range(n):
        code = rintf((x[i] - lower) * inverse)
        if code == code:
            code = code if code > 0 else <float>0.0
            code = code if code < levels else levels
        wrong = x[i] - (code * scale + lower)
        total = total + wrong * wrong
    return sqrtf(total)


def range_of_least_loss(const float[::1] x not None, int64_t bins, double cut, float levels):
    """Narrow the range of numbers step by step; inputs are not checked."""
    cdef Py_ssize_t n = x.shape[0], i
    cdef float low = x[0], high = x[0], step, rest, best_low, best_high
    cdef float loss, least, without_first, without_last
    cdef bint moves = True  # a small step may not move an end
    with nogil:
        for i in range(n):
            low = x[i] if x[i] < low or x[i] != x[i] else low
            high = x[i] if x[i] > high or x[i] != x[i] else high
        low, high = low + <float>0.0, high + <float>0.0  # which leaves no zero with a sign
        step = (high - low) / <float>bins
        rest = <float>(<double>bins * cut) * step
        best_low, best_high = low, high
        loss = _loss(&x[0], n, low, high, levels)
        least = loss
        while low + rest < high and moves:
            without_first = _loss(&x[0], n, low + step, high, levels)
            without_last = _loss(&x[0], n, low, high - step, levels)
            if loss < without_first and loss < without_last and loss < least:
                least, best_low, best_high = loss, low, high
            if without_first < without_last:
                moves = low + step != low
                low, loss = low + step, without_first
            else:
                moves = high - step != high
                high, loss = high - step, without_last
    return best_low, best_high
