"""Kernels of refquant.reference.ranges.

Design
(a) The error of a range is a sum over the borders of integers, not over bins or observations.
(b) Ranges whose clipping alone costs more than the best of the rows before are left out.
(c) Sums are formed in the order of the definition.
"""

from libc.math cimport INFINITY, rint

import numpy as np

cdef struct Moments:
    const float* counts
    const double* number
    const double* linear
    const double* square
    Py_ssize_t bins


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
    cdef Py_ssize_t bins = counts.shape[0], i
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
        for i in range(bins):
            number[i + 1] = number[i] + counts[i]
            linear[i + 1] = linear[i] + (number[i] + <double>counts[i] / 2)
            square[i + 1] = square[i] + (2 * linear[i] + number[i] + <double>counts[i] / 3)
    edges = np.arange(bins + 1, dtype=np.float64)
    lows = np.append(edges[edges < zero], zero)
    above = highs = np.append(edges[edges > zero][::-1], zero)
    if middle >= 0:
        reach = np.maximum(zero - lows[0], highs[0] - zero)
        extents = np.abs(edges - zero)
        lows = zero - np.append(reach, np.sort(extents[extents < reach])[::-1])
    below = lows
    m.counts = &counts[0]
    m.number = &number[0]
    m.linear = &linear[0]
    m.square = &square[0]
    m.bins = bins
    with nogil:
        best_pair(&m, zero, &below[0], below.shape[0], &above[0], above.shape[0], levels, middle,
                  found)
    return np.array([wide * (found[0] - zero), wide * (found[1] - zero)]).astype(np.float32)
