"""Kernels of refquant.reference.embedding.

Design
(a) Ends of a row are found among integers that are in the order of the numbers: only the smallest
    and largest integer are found in vectors.
(b) Integers of several rows are packed and unpacked at once, because loops over narrow rows are too
    short to vectorize.
(c) Threads take bags, or rows; a bag is added by one thread, in its order.
"""

from cython.parallel cimport prange
from libc.math cimport fmaf, isinf, rintf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from refquant._kernels._bags cimport Bags, sums_of_bags
from refquant._kernels._table_rows cimport (
    pack_run, read_parameters, tail_of, through_half, unpack_run, write_parameters,
)
from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    GRAIN = 1 << 14  # elements that are worth a thread
    AT_ONCE = 4096   # integers that are packed at once
    INFINITE = 0x7F800000


def pack_bits(const uint8_t[::1] q not None, int bits):
    """Put several integers into a byte; inputs are not checked."""
    cdef Py_ssize_t count = 8 // bits
    out = np.empty((q.shape[0] + count - 1) // count, np.uint8)
    cdef uint8_t[::1] packed = out
    if q.shape[0]:
        with nogil:
            pack_run(&q[0], &packed[0], q.shape[0], bits)
    return out


def unpack_bits(const uint8_t[::1] packed not None, int bits, Py_ssize_t count):
    """Take integers out of bytes; inputs are not checked."""
    out = np.empty(count, np.uint8)
    cdef uint8_t[::1] q = out
    if count:
        with nogil:
            unpack_run(&packed[0], &q[0], count, bits)
    return out


def embedding_pack(
    const uint8_t[:, ::1] q not None, const float[::1] scales not None,
    const float[::1] biases not None, int bits
):
    """Put integers, scales and biases into rows; inputs are not checked."""
    cdef Py_ssize_t rows = q.shape[0], columns = q.shape[1], width = columns * bits // 8, row
    out = np.empty((rows, width + tail_of(bits)), np.uint8)
    cdef uint8_t[:, ::1] packed = out
    cdef int threads = threads_for(rows * columns, 4 * GRAIN)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            if columns:
                pack_run(&q[row, 0], &packed[row, 0], columns, bits)
            write_parameters(&packed[row, width], bits, scales[row], biases[row])
    return out


cdef inline int32_t _in_order(int32_t bits) noexcept nogil:
    """Bits of a float32 as an integer in the order of the numbers, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


cdef inline float _number(int32_t bits) noexcept nogil:
    cdef float x
    memcpy(&x, &bits, sizeof(float))
    return x


cdef inline float _first_zero(const float* x) noexcept nogil:
    """The first zero of a row that has one, for its sign."""
    cdef Py_ssize_t k = 0
    while x[k] != 0.0:
        k += 1
    return x[k]


cdef void _ends(const float* x, Py_ssize_t n, float* lower, float* upper) noexcept nogil:
    """The first of the smallest and of the largest numbers; the first NaN if there is one."""
    cdef int32_t key, least = 0x7FFFFFFF, most = -0x7FFFFFFF - 1
    cdef Py_ssize_t k
    for k in range(n):
        memcpy(&key, x + k, sizeof(float))
        key = _in_order(key)
        least = key if key < least else least
        most = key if key > most else most
    if most > INFINITE or least < ~INFINITE:
        k = 0
        while x[k] == x[k]:
            k += 1
        lower[0] = upper[0] = x[k]
        return
    lower[0], upper[0] = _number(_in_order(least)), _number(_in_order(most))
    if lower[0] == 0.0:
        lower[0] = _first_zero(x)
    if upper[0] == 0.0:
        upper[0] = _first_zero(x)


def row_ends(const float[:, ::1] x not None):
    """Find the ends of rows; inputs are not checked."""
    cdef Py_ssize_t rows = x.shape[0], columns = x.shape[1], row
    ends = np.empty((2, rows), np.float32)
    cdef float[::1] lower = ends[0], upper = ends[1]
    cdef int threads = threads_for(rows * columns, 4 * GRAIN)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            _ends(&x[row, 0], columns, &lower[row], &upper[row])
    return ends


cdef inline void _rounded(
    const float* x, uint8_t* q, Py_ssize_t n, float bias, float factor, float most
) noexcept nogil:
    cdef float r
    cdef Py_ssize_t k
    for k in range(n):
        r = rintf((x[k] - bias) * factor)
        r = r if r > 0.0 else <float>0.0
        q[k] = <uint8_t><int32_t>(r if r < most else most)


cdef struct Line:
    float scale
    float bias
    float factor


cdef inline Line _line(float lower, float upper, int bits) noexcept nogil:
    """Scale, bias and reciprocal of the scale of a row."""
    cdef float most = <float>((1 << bits) - 1), extent = upper - lower, bias, scale
    if bits == 8:
        return Line(extent / most, lower, most / (extent + <float>1e-8))
    bias = through_half(lower)
    extent = upper - bias
    scale = through_half(<float>1.0 if extent == 0.0 else extent / most)
    if scale == 0.0 or isinf(<float>1.0 / scale):
        scale = 1.0
    return Line(scale, bias, <float>1.0 / scale)


# How rows of a table are taken: `together` ones, or pieces of `columns` of one.
cdef struct Walk:
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t together
    Py_ssize_t width  # bytes of the integers of a row
    Py_ssize_t length  # of a row
    int bits


cdef Walk _walk(Py_ssize_t rows, Py_ssize_t columns, int bits) noexcept nogil:
    cdef Py_ssize_t width = columns * bits // 8
    return Walk(rows, columns, max(<Py_ssize_t>1, <Py_ssize_t>AT_ONCE // max(columns, 1)), width,
                width + tail_of(bits), bits)


cdef void _prepack(
    const float* x, uint8_t* packed, const float* lower, const float* upper, Py_ssize_t rows,
    Walk by
) noexcept nogil:
    """Quantize some neighboring rows."""
    cdef uint8_t q[AT_ONCE]
    cdef uint8_t joined[AT_ONCE]
    cdef float most = <float>((1 << by.bits) - 1)
    cdef Py_ssize_t row, first, count
    cdef Line line
    for row in range(rows):
        line = _line(lower[row], upper[row], by.bits)
        write_parameters(packed + row * by.length + by.width, by.bits, line.scale, line.bias)
        first = 0
        if by.bits == 8:
            _rounded(x + row * by.columns, packed + row * by.length, by.columns, line.bias,
                     line.factor, most)
        elif by.columns <= AT_ONCE:
            _rounded(x + row * by.columns, q + row * by.columns, by.columns, line.bias,
                     line.factor, most)
        else:
            while first < by.columns:  # of the only row
                count = min(<Py_ssize_t>AT_ONCE, by.columns - first)
                _rounded(x + first, q, count, line.bias, line.factor, most)
                pack_run(q, packed + first * by.bits // 8, count, by.bits)
                first += count
    if by.bits < 8 and by.columns <= AT_ONCE:
        pack_run(q, joined, rows * by.columns, by.bits)
        for row in range(rows):
            memcpy(packed + row * by.length, joined + row * by.width, by.width)


def embedding_prepack(
    const float[:, ::1] x not None, const float[::1] lower not None,
    const float[::1] upper not None, int bits
):
    """Quantize the rows of a table; inputs are not checked."""
    cdef Walk by = _walk(x.shape[0], x.shape[1], bits)
    cdef Py_ssize_t pieces = (by.rows + by.together - 1) // by.together, piece, first
    cdef int threads = threads_for(by.rows * by.columns, 4 * GRAIN)
    out = np.empty((by.rows, by.length), np.uint8)
    cdef uint8_t[:, ::1] packed = out
    with nogil:
        for piece in prange(pieces, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            first = piece * by.together
            _prepack(&x[first, 0] if by.columns else NULL, &packed[first, 0], &lower[first],
                     &upper[first], min(by.together, by.rows - first), by)
    return out


def embedding_prepack_rows(const float[:, ::1] x not None, int bits):
    """Quantize the rows of a table between their own ends; inputs are not checked."""
    cdef Walk by = _walk(x.shape[0], x.shape[1], bits)
    cdef Py_ssize_t pieces = (by.rows + by.together - 1) // by.together, piece, first, row
    cdef int threads = threads_for(by.rows * by.columns, 4 * GRAIN)
    ends = np.empty((2, by.rows), np.float32)
    cdef float[::1] lower = ends[0], upper = ends[1]
    out = np.empty((by.rows, by.length), np.uint8)
    cdef uint8_t[:, ::1] packed = out
    with nogil:
        for piece in prange(pieces, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            first = piece * by.together
            for row in range(first, min(first + by.together, by.rows)):
                _ends(&x[row, 0], by.columns, &lower[row], &upper[row])
            _prepack(&x[first, 0], &packed[first, 0], &lower[first], &upper[first],
                     min(by.together, by.rows - first), by)
    return out, ends


cdef inline void _reals(
    const uint8_t* q, float* y, Py_ssize_t n, float scale, float bias
) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        y[k] = fmaf(scale, <float>q[k], bias)


cdef inline void _reals_of_pairs(
    const uint8_t* packed, float* y, Py_ssize_t n, float scale, float bias
) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        y[2 * k] = fmaf(scale, <float>(packed[k] & 15), bias)
        y[2 * k + 1] = fmaf(scale, <float>(packed[k] >> 4), bias)


cdef void _unpack(const uint8_t* packed, float* y, Py_ssize_t rows, Walk by) noexcept nogil:
    """Turn some neighboring rows into real numbers."""
    cdef uint8_t q[AT_ONCE]
    cdef uint8_t joined[AT_ONCE]
    cdef float scale, bias
    cdef Py_ssize_t row, first, count
    if by.bits == 2 and by.columns <= AT_ONCE:
        for row in range(rows):
            memcpy(joined + row * by.width, packed + row * by.length, by.width)
        unpack_run(joined, q, rows * by.columns, by.bits)
    for row in range(rows):
        read_parameters(packed + row * by.length + by.width, by.bits, &scale, &bias)
        first = 0
        if by.bits == 8:
            _reals(packed + row * by.length, y + row * by.columns, by.columns, scale, bias)
        elif by.bits == 4:
            _reals_of_pairs(packed + row * by.length, y + row * by.columns, by.width, scale, bias)
        elif by.columns <= AT_ONCE:
            _reals(q + row * by.columns, y + row * by.columns, by.columns, scale, bias)
        else:
            while first < by.columns:  # of the only row
                count = min(<Py_ssize_t>AT_ONCE, by.columns - first)
                unpack_run(packed + first * by.bits // 8, q, count, by.bits)
                _reals(q, y + first, count, scale, bias)
                first += count


def embedding_unpack(const uint8_t[:, ::1] packed not None, int bits):
    """Turn a packed table into real numbers; inputs are not checked."""
    cdef Walk by = _walk(packed.shape[0], (packed.shape[1] - tail_of(bits)) * 8 // bits, bits)
    cdef Py_ssize_t pieces = (by.rows + by.together - 1) // by.together, piece, first
    cdef int threads = threads_for(by.rows * by.columns, 4 * GRAIN)
    out = np.empty((by.rows, by.columns), np.float32)
    cdef float[:, ::1] y = out
    if by.columns == 0:
        return out
    with nogil:
        for piece in prange(pieces, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            first = piece * by.together
            _unpack(&packed[first, 0], &y[first, 0], min(by.together, by.rows - first), by)
    return out


def all_below(const int64_t[::1] rows not None, int64_t count):
    """Tell whether all integers are rows of a table; inputs are not checked."""
    cdef uint64_t outside = 0, last = <uint64_t>count - 1
    cdef Py_ssize_t k
    with nogil:
        for k in range(rows.shape[0]):
            outside |= <uint64_t>rows[k] | (last - <uint64_t>rows[k])  # the sign of either
    return outside >> 63 == 0


def bounds_of_bags(const int64_t[::1] offsets not None, int64_t count, bint include_last):
    """Put the end of the last bag behind the offsets; inputs are not checked."""
    cdef Py_ssize_t n = offsets.shape[0], k
    cdef int64_t before = 0, falls = 0
    out = np.empty(n if include_last else n + 1, np.int64)
    cdef int64_t[::1] bounds = out
    with nogil:
        for k in range(n):
            falls |= offsets[k] < before
            before = bounds[k] = offsets[k]
    if not include_last:
        bounds[n] = count
    return None if falls or before > count else out


def embedding_bag(
    const uint8_t[:, ::1] packed not None, const int64_t[::1] indices not None,
    const int64_t[::1] bounds not None, const float[::1] weights, int bits
):
    """Add rows of a packed table; inputs are not checked."""
    cdef Py_ssize_t bags = bounds.shape[0] - 1, width = packed.shape[1] - tail_of(bits), start, stop
    cdef Py_ssize_t columns = width * 8 // bits, each, piece
    cdef int threads = threads_for(indices.shape[0] * columns, GRAIN)
    cdef Bags of
    if columns == 0 or indices.shape[0] == 0:
        return np.zeros((bags, columns), np.float32)
    out = np.empty((bags, columns), np.float32)
    cdef float[:, ::1] y = out
    of = Bags(&packed[0, 0], width, &indices[0], &bounds[0], NULL)
    if weights is not None:
        of.weights = &weights[0]
    each = (bags + threads - 1) // threads
    with nogil:
        for piece in prange(threads, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            start = min(bags, piece * each)
            stop = min(bags, start + each)
            if bits == 8:
                sums_of_bags(&of, &y[0, 0], start, stop, 8)
            elif bits == 4:
                sums_of_bags(&of, &y[0, 0], start, stop, 4)
            else:
                sums_of_bags(&of, &y[0, 0], start, stop, 2)
    return out
