"""Kernels of refquant.reference.pooling.

Design
(a) Channels-last images have their channels innermost: loops over them vectorize. Row-major images
    have one element innermost: there the loop over the columns of an output row is the one that
    vectorizes.
(b) Averages add up the rows under a line of windows first, whatever lies innermost, then the
    columns of each window; neighbors of one size and divisor are finished in one loop.
(c) Sums of 8-bit integers fit int32; those of int32 are kept in int64, a window at a time.
(d) Every row of the output is a unit of work for a thread.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

from refquant._kernels._averages cimport (
    Average, Sizes, average_neighbors, average_of, average_of_sum,
)
from refquant._kernels._maxima cimport Geometry, largest_of_line
from refquant._kernels._operands cimport Quantizer, char_of, output_of, quantizer_of, stored
from refquant._kernels._real_sums cimport WIDEST, sum_columns
from refquant._kernels._threads cimport threads_for
from refquant._kernels._window_sums cimport ROOM, Slab, add_columns, add_rows

import numpy as np

from refquant._kernels._rules import AVERAGE, DEQUANTIZING

cdef enum:
    GRAIN = 1 << 16  # elements worth a thread
    MANY = 1 << 23   # elements of a window whose sum int32 may not hold
    ONES = 4096


cdef void _max_image(
    const stored* q, stored* result, Py_ssize_t outer, Geometry g, stored lowest,
    stored[:, ::1] scratch
) noexcept nogil:
    cdef Py_ssize_t rows = outer * g.out_height, k
    cdef Py_ssize_t line = g.out_width * g.inner, image = g.height * g.width * g.inner
    cdef int threads = <int>scratch.shape[0]
    for k in prange(rows, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        largest_of_line(
            q + k // g.out_height * image, result + k * line, k % g.out_height, g, lowest,
            &scratch[threadid(), 0])


def max_pool(const stored[:, :, :, ::1] q not None, geometry, counts):
    """Find the largest integer of every window; inputs are not checked."""
    cdef Geometry g
    cdef tuple t = <tuple>geometry
    g.height, g.width, g.inner = q.shape[1], q.shape[2], q.shape[3]
    g.kernel_height, g.kernel_width = t[0]
    g.stride_height, g.stride_width = t[1]
    g.padding_height, g.padding_width = t[2]
    g.dilation_height, g.dilation_width = t[3]
    g.out_height, g.out_width = counts
    kind = char_of(<stored>0)
    out = np.empty((q.shape[0], g.out_height, g.out_width, g.inner), kind)
    cdef stored[:, :, :, ::1] result = out
    cdef stored lowest = np.iinfo(out.dtype).min
    if out.size == 0:
        return out
    if q.shape[1] == 0 or q.shape[2] == 0:
        out.fill(lowest)
        return out
    cdef int threads = threads_for(out.size * g.kernel_height * g.kernel_width, GRAIN)
    cdef stored[:, ::1] scratch = np.empty((threads, 2 * g.width * g.inner), kind)
    with nogil:
        _max_image(&q[0, 0, 0, 0], &result[0, 0, 0, 0], q.shape[0], g, lowest, scratch)
    return out


# The first element of one window along a dimension, and the one after the last.
ctypedef const int64_t* Span


cdef void _average_wide(
    const stored* image, stored* out, Span plane, Span row, Span column, int64_t divisor,
    Py_ssize_t height, Py_ssize_t width, Py_ssize_t inner, Average to, Py_ssize_t vectors,
    int code, int tail_code
) noexcept nogil:
    """All channels of one pixel of the output, whose sums int32 does not hold."""
    cdef Sizes of = Sizes(plane[1] - plane[0], row[1] - row[0], column[1] - column[0])
    cdef int64_t wide
    cdef Py_ssize_t c, z, y, x
    for c in range(inner):
        wide = 0
        for z in range(plane[0], plane[1]):
            for y in range(row[0], row[1]):
                for x in range(column[0], column[1]):
                    wide = wide + image[((z * height + y) * width + x) * inner + c]
        out[c] = <stored><int64_t>average_of_sum(
            wide, of, divisor, to, code if c < vectors else tail_code)


cdef void _average_pixels(
    const int32_t* total, stored* out, Py_ssize_t count, Py_ssize_t inner, Sizes of,
    int64_t divisor, Average to, Py_ssize_t vectors, int code, int tail_code
) noexcept nogil:
    """Averages of neighboring pixels of one size and divisor."""
    cdef Py_ssize_t i, place
    if vectors == inner or vectors == 0 or code == tail_code:
        average_neighbors(total, out, count * inner, of, divisor, to,
                          code if vectors else tail_code)
        return
    for i in range(count):
        place = i * inner
        average_neighbors(total + place, out + place, vectors, of, divisor, to, code)
        place += vectors
        average_neighbors(total + place, out + place, inner - vectors, of, divisor, to, tail_code)


cdef void _find_ends(
    const int64_t[:, ::1] columns, const int64_t* divisors, Py_ssize_t* ends
) noexcept nogil:
    """Find where neighboring windows of one size, divisor and distance end, where they begin."""
    cdef Py_ssize_t widths = columns.shape[0], j = 0, end, size, step
    while j < widths:
        size, end = columns[j, 1] - columns[j, 0], j + 1
        step = columns[end, 0] - columns[j, 0] if end < widths else 1
        while end < widths and columns[end, 1] - columns[end, 0] == size and (
            divisors[end] == divisors[j] and columns[end, 0] - columns[end - 1, 0] == step
        ):
            end += 1
        ends[j] = end
        j = end


cdef void _average_line(
    const stored* image, stored* out, Span plane, Span row, const int64_t[:, ::1] columns,
    const int64_t* divisors, const Py_ssize_t* ends, Py_ssize_t height, Py_ssize_t width,
    Py_ssize_t inner, Average to, Py_ssize_t vectors, int code, int tail_code, int32_t* scratch
) noexcept nogil:
    """A line of windows; `scratch` holds a row of input and one of output."""
    cdef Py_ssize_t across = width * inner, widths = columns.shape[0], j = 0, end, step
    cdef int32_t* total = scratch + across + ROOM
    cdef Sizes of = Sizes(plane[1] - plane[0], row[1] - row[0], 0)
    add_rows(image + (plane[0] * height + row[0]) * across,
             Slab(of.depth, height * across, of.height, across), across, scratch)
    while j < widths:
        of.width, end = columns[j, 1] - columns[j, 0], ends[j]
        step = columns[j + 1, 0] - columns[j, 0] if j + 1 < end else 1
        add_columns(scratch + columns[j, 0] * inner, total, end - j, of.width, step, inner)
        _average_pixels(total, out + j * inner, end - j, inner, of, divisors[j], to, vectors, code,
                        tail_code)
        j = end


cdef void _average_volume(
    const stored[:, :, :, :, ::1] q, stored[:, :, :, :, ::1] result,
    const int64_t[:, ::1] planes, const int64_t[:, ::1] rows, const int64_t[:, ::1] columns,
    const int64_t[:, :, ::1] divisors, Py_ssize_t[:, :, ::1] ends, Average to, Py_ssize_t vectors,
    int code, int tail_code, int32_t[:, ::1] scratch
) noexcept nogil:
    cdef Py_ssize_t depths = planes.shape[0], heights = rows.shape[0], widths = columns.shape[0]
    cdef Py_ssize_t height = q.shape[2], width = q.shape[3], inner = q.shape[4]
    cdef Py_ssize_t lines = q.shape[0] * depths * heights, k, h, i, j, o
    cdef int threads = <int>scratch.shape[0]
    cdef bint held = stored is not int32_t and q.shape[1] * height * width <= MANY
    if held:
        for h in range(depths):
            for i in range(heights):
                _find_ends(columns, &divisors[h, i, 0], &ends[h, i, 0])
    for k in prange(lines, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        i = k % heights
        h = k // heights % depths
        o = k // heights // depths
        if held:
            _average_line(
                &q[o, 0, 0, 0, 0], &result[o, h, i, 0, 0], &planes[h, 0], &rows[i, 0], columns,
                &divisors[h, i, 0], &ends[h, i, 0], height, width, inner, to, vectors, code,
                tail_code, &scratch[threadid(), 0])
            continue
        for j in range(widths):
            _average_wide(
                &q[o, 0, 0, 0, 0], &result[o, h, i, j, 0], &planes[h, 0], &rows[i, 0],
                &columns[j, 0], divisors[h, i, j], height, width, inner, to, vectors, code,
                tail_code)


def average_pool(
    const stored[:, :, :, :, ::1] q not None, windows,
    const int64_t[:, :, ::1] divisors not None, output, Py_ssize_t vector_length, average
):
    """Average the integers of every window; inputs are not checked."""
    cdef tuple along = <tuple>windows
    cdef const int64_t[:, ::1] planes = along[0], rows = along[1], columns = along[2]
    cdef Average to = average_of(output_of(output))
    cdef int code = AVERAGE[average.vector], tail_code = AVERAGE[average.tail]
    cdef Py_ssize_t work = q.shape[0] * q.shape[1] * q.shape[2] * q.shape[3] * q.shape[4]
    shape = (q.shape[0], planes.shape[0], rows.shape[0], columns.shape[0], q.shape[4])
    out = np.empty(shape, char_of(<stored>0))
    cdef stored[:, :, :, :, ::1] result = out
    cdef int threads = threads_for(work, GRAIN)
    cdef Py_ssize_t width = (q.shape[3] + columns.shape[0]) * q.shape[4] + 2 * ROOM
    cdef int32_t[:, ::1] scratch = np.zeros((threads, width), np.int32)
    cdef Py_ssize_t[:, :, ::1] ends = np.empty(shape[1:4], np.intp)
    if out.size:
        with nogil:
            _average_volume(q, result, planes, rows, columns, divisors, ends, to, vector_length,
                            code, tail_code, scratch)
    return out


# What the elements of a row are multiplied with: a sum of products has instructions of its own.
cdef uint8_t[ONES] ones
cdef Py_ssize_t _place
for _place in range(ONES):
    ones[_place] = 1


cdef void _mean_row(
    const stored* row, stored* out, Py_ssize_t n, Average to, int code
) noexcept nogil:
    """The average of a row of integers."""
    cdef Py_ssize_t start = 0, count, k
    cdef int64_t total = 0
    cdef int32_t part
    cdef const int8_t* signed_ones = <const int8_t*>ones
    if stored is int32_t:
        for k in range(n):
            total = total + row[k]
    else:
        while start < n:
            part, count = 0, min(<Py_ssize_t>ONES, n - start)
            if stored is uint8_t:
                for k in range(count):
                    part = part + <int32_t>row[start + k] * <int32_t>signed_ones[k]
            else:
                for k in range(count):
                    part = part + <int32_t>ones[k] * <int32_t>row[start + k]
            total, start = total + part, start + count
    out[0] = <stored><int64_t>average_of_sum(total, Sizes(1, n, 1), n, to, code)


def mean(const stored[:, ::1] q not None, output, average):
    """Average the integers of every row; inputs are not checked."""
    cdef Average to = average_of(output_of(output))
    cdef int code = AVERAGE[average]
    cdef Py_ssize_t rows = q.shape[0], n = q.shape[1], k
    out = np.empty(rows, char_of(<stored>0))
    cdef stored[::1] result = out
    cdef int threads = threads_for(rows * n, GRAIN)
    with nogil:
        for k in prange(rows, num_threads=threads, schedule="static", use_threads_if=threads > 1):
            _mean_row(&q[k, 0], &result[k], n, to, code)
    return out


def sum_of_reals(const stored[:, :, ::1] q not None, quantizer, dequantize):
    """Add up real numbers along the middle axis in cascades; inputs are not checked."""
    cdef Quantizer of = quantizer_of(quantizer)
    cdef int code = DEQUANTIZING[dequantize]
    cdef Py_ssize_t outer = q.shape[0], n = q.shape[1], columns = q.shape[2], pieces, k, start
    out = np.zeros((outer, columns), np.float32)
    cdef float[:, ::1] totals = out
    if out.size == 0 or n == 0:
        return out
    pieces = (columns + WIDEST - 1) // WIDEST
    cdef int threads = threads_for(outer * n * columns, GRAIN)
    with nogil:
        for k in prange(outer * pieces, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            start = k % pieces * WIDEST
            sum_columns(&q[k // pieces, 0, start], n, columns, start, &totals[k // pieces, start],
                        of, code)
    return out
