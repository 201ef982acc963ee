# Sums of the rows of integers, and of their squares.

from libc.math cimport fmaf
from libc.stdint cimport int32_t, int64_t

from refquant._kernels._operands cimport stored

cdef enum:
    LANES = 8
    HELD_SQUARES = 1 << 15  # squares of eight bits that an int32 holds


# Squares are rounded once to each of the types; those of int32 are added in float32.
cdef struct RowSums:
    int64_t total
    float squares
    double wide_squares


cdef inline float squares_in_lanes(const int32_t* a, Py_ssize_t n) noexcept nogil:
    cdef float lanes[LANES]
    cdef float total = 0.0, x
    cdef Py_ssize_t i, lane, whole = n - n % LANES, unfused
    for lane in range(LANES):
        lanes[lane] = 0.0
    i = 0
    while i < whole:
        for lane in range(LANES):
            x = <float>a[i + lane]
            lanes[lane] = fmaf(x, x, lanes[lane])
        i = i + LANES
    for lane in range(LANES):
        total = total + lanes[lane]
    unfused = whole + (n - whole) // 4 * 4
    for i in range(whole, n):
        x = <float>a[i]
        total = total + x * x if i < unfused else fmaf(x, x, total)
    return total


cdef inline RowSums sums_of_row(const stored* a, Py_ssize_t n) noexcept nogil:
    cdef int64_t total = 0, squares = 0
    cdef int32_t few, few_squares, x
    cdef Py_ssize_t i, start = 0, stop
    cdef float in_lanes
    if stored is int32_t:
        for i in range(n):
            total = total + a[i]
        in_lanes = squares_in_lanes(a, n)
        return RowSums(total, in_lanes, in_lanes)
    else:
        while start < n:
            stop = min(n, start + HELD_SQUARES)
            few = few_squares = 0
            for i in range(start, stop):
                x = a[i]
                few = few + x
                few_squares = few_squares + x * x
            total = total + few
            squares = squares + few_squares
            start = stop
        return RowSums(total, <float>squares, <double>squares)
