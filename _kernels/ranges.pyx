"""Kernels of refquant.reference.ranges.

Design
(a) The error of a range is a sum over the borders of integers, not over bins or observations.
(b) Ranges whose clipping alone costs more than the best of the rows before are left out.
(c) Sums are formed in the order of the definition.
(d) Logarithms are those of the C library, which ``math.log`` calls as well.
"""

from libc.math cimport INFINITY, floor, ldexp, log, rint

import math

import numpy as np

cdef struct Moments:
    const float* counts
    const double* number
    const double* linear
    const double* square
    Py_ssize_t bins


cdef inline void fill(
    Moments* m, const float[::1] counts, double[::1] number, double[::1] linear,
    double[::1] square
) noexcept nogil:
    cdef Py_ssize_t bins = counts.shape[0], i
    for i in range(bins):
        number[i + 1] = number[i] + counts[i]
        linear[i + 1] = linear[i] + (number[i] + <double>counts[i] / 2)
        square[i + 1] = square[i] + (2 * linear[i] + number[i] + <double>counts[i] / 3)
    m.counts = &counts[0]
    m.number = &number[0]
    m.linear = &linear[0]
    m.square = &square[0]
    m.bins = bins


cdef inline Py_ssize_t place(const Moments* m, double t) noexcept nogil:
    return m.bins if t >= <double>m.bins else <Py_ssize_t>t


cdef inline double density(const Moments* m, Py_ssize_t i) noexcept nogil:
    return <double>m.counts[i] if i < m.bins else 0.0


cdef inline double linear_below(const Moments* m, double t) noexcept nogil:
    t = t if t > 0.0 else 0.0
    cdef Py_ssize_t i = place(m, t)
    cdef double rest = t - <double>i
    return m.linear[i] + rest * (m.number[i] + rest * (density(m, i) / 2))


cdef inline double square_below(const Moments* m, double t) noexcept nogil:
    t = t if t > 0.0 else 0.0
    cdef Py_ssize_t i = place(m, t)
    cdef double rest = t - <double>i
    cdef double inner = m.number[i] + rest * (density(m, i) / 3)
    return m.square[i] + rest * (2 * m.linear[i] + rest * inner)


cdef inline double square_of_all(const Moments* m, double t) noexcept nogil:
    cdef double rest = t - <double>m.bins
    return m.square[m.bins] + rest * (2 * m.linear[m.bins] + rest * m.number[m.bins])


cdef inline void best_pair(
    const Moments* m, double zero, const double* below, Py_ssize_t rows, const double* above,
    Py_ssize_t columns, Py_ssize_t levels, Py_ssize_t middle, double* found
) noexcept nogil:
    cdef double least = INFINITY, bound, end, step, z, lowest, highest, everything, sums, error
    cdef double last = <double>(levels - 1)
    cdef Py_ssize_t row, column, q
    found[0] = below[0]
    found[1] = above[0]
    for row in range(rows):
        bound = least
        for column in range(1 if middle >= 0 else columns):
            end = 2 * zero - below[row] if middle >= 0 else above[column]
            step = (end - below[row]) / last
            if not step > 0.0:
                continue
            z = <double>middle if middle >= 0 else rint((zero - below[row]) / step)
            lowest = zero - step * z
            highest = zero + step * (last - z)
            everything = square_of_all(m, highest)
            if not square_below(m, lowest) + (everything - square_below(m, highest)) < bound:
                continue
            sums = linear_below(m, zero + step * (0.5 - z))
            for q in range(1, levels - 1):
                sums = sums + linear_below(m, zero + step * (<double>q + 0.5 - z))
            error = everything - 2 * step * sums
            if error < least:
                least = error
                found[0] = below[row]
                found[1] = end


def best_range(
    const float[::1] counts not None, double lower, double upper, Py_ssize_t levels,
    Py_ssize_t middle
):
    """Find the range of least squared error among all; inputs are not checked."""
    cdef Py_ssize_t bins = counts.shape[0]
    cdef float low = <float>lower, width = (<float>upper - low) / <float>bins
    cdef double zero, wide = width, found[2]
    cdef double[::1] number = np.zeros(bins + 1), linear = np.zeros(bins + 1)
    cdef double[::1] square = np.zeros(bins + 1)
    cdef const double[::1] below, above
    cdef Moments m
    if not width > 0.0:
        return np.array([lower, upper], np.float32)
    zero = -<double>low / wide
    with nogil:
        fill(&m, counts, number, linear, square)
    edges = np.arange(bins + 1, dtype=np.float64)
    lows = np.append(edges[edges < zero], zero)
    above = highs = np.append(edges[edges > zero][::-1], zero)
    if middle >= 0:
        reach = np.maximum(zero - lows[0], highs[0] - zero)
        extents = np.abs(edges - zero)
        lows = zero - np.append(reach, np.sort(extents[extents < reach])[::-1])
    below = lows
    with nogil:
        best_pair(&m, zero, &below[0], below.shape[0], &above[0], above.shape[0], levels, middle,
                  found)
    return np.array([wide * (found[0] - zero), wide * (found[1] - zero)]).astype(np.float32)


cdef inline void best_place(
    const Moments* m, double zero, double width, Py_ssize_t first, Py_ssize_t end,
    Py_ssize_t levels, Py_ssize_t most, Py_ssize_t least_exponent, Py_ssize_t* found
) noexcept nogil:
    cdef double least = INFINITY, step, z, lowest, highest, everything, sums, error, bound
    cdef double last = <double>(levels - 1)
    cdef Py_ssize_t exponent, place, q
    cdef bint any_left
    for exponent in range(most, least_exponent - 1, -1):
        step = ldexp(1.0, <int>exponent) / width
        any_left, bound = False, least
        for place in range(first, end):
            z = <double>place
            lowest = zero - step * z
            highest = zero + step * (last - z)
            everything = square_of_all(m, highest)
            if square_below(m, lowest) + (everything - square_below(m, highest)) < bound:
                any_left = True
                break
        if not any_left:
            return
        for place in range(first, end):
            z = <double>place
            everything = square_of_all(m, zero + step * (last - z))
            sums = linear_below(m, zero + step * (0.5 - z))
            for q in range(1, levels - 1):
                sums = sums + linear_below(m, zero + step * (<double>q + 0.5 - z))
            error = everything - 2 * step * sums
            if error < least:
                least = error
                found[0] = exponent
                found[1] = place


def _covers(step, low, high, last, middle):
    """Tell whether both ends lie between the first and the last multiple of a step."""
    if step >= max(high, -low):
        return True
    below, above = math.ceil(-min(low, 0.0) / step), math.ceil(max(high, 0.0) / step)
    return below <= middle and above <= last - middle if middle >= 0 else below + above <= last


def best_power_of_two(
    const float[::1] counts not None, double lower, double upper, Py_ssize_t levels,
    Py_ssize_t middle, Py_ssize_t least_exponent
):
    """Find the power of two whose quantization has the least error; inputs are not checked."""
    cdef Py_ssize_t bins = counts.shape[0], last = levels - 1, k, found[2]
    cdef float low = <float>lower, width = (<float>upper - low) / <float>bins
    cdef double wide = width, step
    cdef double[::1] number, linear, square
    cdef Moments m
    k = min(max(math.frexp(max(upper, -lower) / last)[1] - 1, least_exponent), 119)
    while k < 119 and not _covers(2.0**k, lower, upper, last, middle):
        k += 1
    found[0] = k
    found[1] = middle if middle >= 0 else min(math.ceil(-min(lower, 0.0) / 2.0**k), last)
    if width > 0.0:
        number, linear, square = np.zeros((3, bins + 1))
        with nogil:
            fill(&m, counts, number, linear, square)
            best_place(&m, -<double>low / wide, wide, max(middle, 0),
                       middle + 1 if middle >= 0 else levels, levels, k, least_exponent, found)
    step = 2.0 ** found[0]
    if middle >= 0:
        return np.array([-step * last / 2, step * last / 2], np.float32)
    return np.array([-step * found[1], step * (last - found[1])], np.float32)


cdef inline double smoothing(
    const double* counts, Py_ssize_t size, double* taken, double* total
) noexcept nogil:
    """What to take from bins that are not empty, and the sum then; 0 where that cannot be."""
    cdef Py_ssize_t zeros = 0, i
    cdef double smooth
    for i in range(size):
        zeros += counts[i] == 0.0
    if zeros == size:
        return 0.0
    taken[0] = 1e-4 * <double>zeros / <double>(size - zeros)
    total[0] = 0.0
    for i in range(size):
        smooth = 1e-4 if counts[i] == 0.0 else counts[i] - taken[0]
        if not smooth > 0.0:
            return 0.0
        total[0] += smooth
    return 1.0


cdef inline double probability(double count, double taken, double total) noexcept nogil:
    return (1e-4 if count == 0.0 else count - taken) / total


cdef inline double divergence(
    const float* inside, Py_ssize_t size, double below, double above, Py_ssize_t levels,
    double* observed, double* kept
) noexcept nogil:
    cdef Py_ssize_t merged = size // levels, group, filled, i
    cdef double taken_p, total_p, taken_q, total_q, sums, rest = 0.0, p, q
    for i in range(size):
        observed[i] = <double>inside[i]
        kept[i] = 0.0
    observed[0] += below
    observed[size - 1] += above
    for i in range(merged * levels, size):
        rest += <double>inside[i]
    for group in range(levels):
        sums, filled = 0.0, 0
        for i in range(group * merged, (group + 1) * merged):
            sums += <double>inside[i]
            filled += observed[i] != 0.0
        if group == levels - 1:
            sums += rest
        for i in range(group * merged, (group + 1) * merged):
            kept[i] = floor(sums / <double>filled) if filled > 0 else 0.0
    if smoothing(observed, size, &taken_p, &total_p) == 0.0:
        return INFINITY
    if smoothing(kept, size, &taken_q, &total_q) == 0.0:
        return INFINITY
    sums = 0.0
    for i in range(size):
        p = probability(observed[i], taken_p, total_p)
        q = probability(kept[i], taken_q, total_q)
        sums += p * log(p / q)
    return sums


def least_divergence(
    const float[::1] counts not None, double lower, double upper, Py_ssize_t levels
):
    """Find the part of a histogram that keeps its distribution best; inputs are not checked."""
    cdef Py_ssize_t bins = counts.shape[0], reach, first, end, i, left = 0, right = bins
    cdef Py_ssize_t first_filled = bins, last_filled = -1
    cdef double least = INFINITY, found
    cdef double[::1] below = np.zeros(bins + 1), above = np.zeros(bins + 1)
    cdef double[::1] observed = np.empty(bins + 1), kept = np.empty(bins + 1)
    with nogil:
        for i in range(bins):
            below[i + 1] = below[i] + <double>counts[i]
            above[bins - 1 - i] = above[bins - i] + <double>counts[bins - 1 - i]
            if counts[i] != 0.0:
                first_filled = min(first_filled, i)
                last_filled = i
        if last_filled >= 0:
            for reach in range(levels // 2, bins // 2 + 1):
                first = bins // 2 - reach
                end = min(bins // 2 + reach + 1, bins)
                found = divergence(&counts[first], end - first, below[first], above[end], levels,
                                   &observed[0], &kept[0])
                if found < least:
                    least, left, right = found, first, end
    if last_filled < 0:
        return np.array([lower, upper], np.float32)
    edges = np.array([max(left, first_filled), min(right, last_filled + 1)])
    return (lower + (upper - lower) * edges / bins).astype(np.float32)
