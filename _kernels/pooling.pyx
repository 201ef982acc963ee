"""Kernels of refquant.reference.pooling.

Design
(a) Channels-last images have their channels innermost: loops over them vectorize. Row-major images
    have one element innermost: there the loop over the columns of an output row is the one that
    vectorizes.
(b) Averages add up the rows under a line of windows first, whatever lies innermost, then the
    columns of each window; neighbors of one size and divisor are finished in one loop.
(c) Sums of 8-bit integers fit int32; those of int32 are kept in int64, a window at a time.
(d) Each thread takes as many rows of the output, one after the other.
"""

from cython.parallel cimport prange
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

from refquant._kernels._averages cimport (
    Average, Sizes, average_neighbors, average_of, average_of_sum,
)
from refquant._kernels._maxima cimport Geometry, largest_of_line
from refquant._kernels._operands cimport Output, Quantizer, char_of, output_of, stored
from refquant._kernels._real_sums cimport WIDEST, sum_columns
from refquant._kernels._rounding cimport quantize_run
from refquant._kernels._threads cimport apart, threads_for
from refquant._kernels._window_sums cimport ROOM, Slab, add_columns, add_rows

import numpy as np

from refquant._kernels._rules import AVERAGE, DEQUANTIZING, QUANTIZING

cdef enum:
    GRAIN = 1 << 16  # elements worth a thread
    MANY = 1 << 23   # elements of a window whose sum int32 may not hold
    ONES = 4096
    PART = 64        # elements of a vector


cdef void _max_lines(
    const stored* q, stored* result, Py_ssize_t start, Py_ssize_t stop, Geometry g, stored lowest,
    stored* scratch
) noexcept nogil:
    """Lines of the output from start to stop."""
    cdef Py_ssize_t i = start % g.out_height, k
    cdef const stored* image = q + start // g.out_height * g.height * g.width * g.inner
    for k in range(start, stop):
        largest_of_line(image, result + k * g.out_width * g.inner, i, g, lowest, scratch)
        i += 1
        if i == g.out_height:
            i = 0
            image += g.height * g.width * g.inner


cdef void _max_images(
    const stored* q, stored* result, Py_ssize_t lines, Geometry g, stored lowest,
    stored[:, ::1] scratch
) noexcept nogil:
    cdef int threads = <int>scratch.shape[0], t
    if threads == 1:
        _max_lines(q, result, 0, lines, g, lowest, &scratch[0, 0])
        return
    for t in prange(threads, num_threads=threads, schedule="static"):
        _max_lines(q, result, lines * t // threads, lines * (t + 1) // threads, g, lowest,
                   &scratch[t, 0])


cdef inline stored lowest_of(stored unused) noexcept nogil:
    """The smallest integer of a storage type."""
    if stored is uint8_t:
        return 0
    elif stored is int8_t:
        return -128
    else:
        return -2147483647 - 1


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
    cdef stored lowest = lowest_of(<stored>0)
    if out.size == 0:
        return out
    if q.shape[1] == 0 or q.shape[2] == 0:
        out.fill(lowest)
        return out
    cdef int threads = threads_for(out.size * g.kernel_height * g.kernel_width, 2 * GRAIN)
    cdef stored[:, ::1] scratch = np.empty((threads, apart(2 * g.width * g.inner)), kind)
    with nogil:
        _max_images(&q[0, 0, 0, 0], &result[0, 0, 0, 0], q.shape[0] * g.out_height, g, lowest,
                    scratch)
    return out


# The first element of each window along a dimension, and the one after the last.
ctypedef const int64_t* Spans


# A volume, its windows, and how they are averaged.
cdef struct Volume:
    Py_ssize_t depth
    Py_ssize_t height
    Py_ssize_t width
    Py_ssize_t inner
    Py_ssize_t depths
    Py_ssize_t heights
    Py_ssize_t widths
    Spans planes
    Spans rows
    Spans columns
    const int64_t* divisors
    Py_ssize_t* ends
    Average to
    Py_ssize_t vectors
    int code
    int tail_code


cdef void _average_wide(
    const stored* image, stored* out, Py_ssize_t h, Py_ssize_t i, Volume v
) noexcept nogil:
    """A line of windows whose sums int32 does not hold."""
    cdef Spans plane = v.planes + 2 * h, row = v.rows + 2 * i, column
    cdef const int64_t* divisors = v.divisors + (h * v.heights + i) * v.widths
    cdef Sizes of
    cdef int64_t wide
    cdef Py_ssize_t c, z, y, x, j
    for j in range(v.widths):
        column = v.columns + 2 * j
        of = Sizes(plane[1] - plane[0], row[1] - row[0], column[1] - column[0])
        for c in range(v.inner):
            wide = 0
            for z in range(plane[0], plane[1]):
                for y in range(row[0], row[1]):
                    for x in range(column[0], column[1]):
                        wide = wide + image[((z * v.height + y) * v.width + x) * v.inner + c]
            out[j * v.inner + c] = <stored><int64_t>average_of_sum(
                wide, of, divisors[j], v.to, v.code if c < v.vectors else v.tail_code)


cdef void _average_pixels(
    const int32_t* total, stored* out, Py_ssize_t count, Sizes of, int64_t divisor, Volume v
) noexcept nogil:
    """Averages of neighboring pixels of one size and divisor."""
    cdef Py_ssize_t i, place
    if v.vectors == v.inner or v.vectors == 0 or v.code == v.tail_code:
        average_neighbors(total, out, count * v.inner, of, divisor, v.to,
                          v.code if v.vectors else v.tail_code)
        return
    for i in range(count):
        place = i * v.inner
        average_neighbors(total + place, out + place, v.vectors, of, divisor, v.to, v.code)
        place += v.vectors
        average_neighbors(total + place, out + place, v.inner - v.vectors, of, divisor, v.to,
                          v.tail_code)


cdef void _find_ends(
    Spans columns, Py_ssize_t widths, const int64_t* divisors, Py_ssize_t* ends
) noexcept nogil:
    """Find where neighboring windows of one size, divisor and distance end, where they begin."""
    cdef Py_ssize_t j = 0, end, size, step
    while j < widths:
        size, end = columns[2 * j + 1] - columns[2 * j], j + 1
        step = columns[2 * end] - columns[2 * j] if end < widths else 1
        while (
            end < widths and divisors[end] == divisors[j]
            and columns[2 * end + 1] - columns[2 * end] == size
            and columns[2 * end] - columns[2 * end - 2] == step
        ):
            end += 1
        ends[j] = end
        j = end


cdef void _average_line(
    const stored* image, const stored* end_of_images, stored* out, Py_ssize_t h, Py_ssize_t i,
    Volume v, int32_t* scratch
) noexcept nogil:
    """A line of windows; `scratch` holds a row of input and one of output."""
    cdef Spans plane = v.planes + 2 * h, row = v.rows + 2 * i
    cdef Py_ssize_t across = v.width * v.inner, window = (h * v.heights + i) * v.widths
    cdef Py_ssize_t j = 0, end, first, step
    cdef int32_t* total = scratch + across + ROOM
    cdef Sizes of = Sizes(plane[1] - plane[0], row[1] - row[0], 0)
    add_rows(image + (plane[0] * v.height + row[0]) * across, end_of_images,
             Slab(of.depth, v.height * across, of.height, across), across, scratch)
    while j < v.widths:
        first, end = v.columns[2 * j], v.ends[window + j]
        of.width = v.columns[2 * j + 1] - first
        step = v.columns[2 * j + 2] - first if j + 1 < end else 1
        add_columns(scratch + first * v.inner, total, end - j, of.width, step, v.inner)
        _average_pixels(total, out + j * v.inner, end - j, of, v.divisors[window + j], v)
        j = end


cdef void _average_lines(
    const stored* q, const stored* end, stored* result, Py_ssize_t start, Py_ssize_t stop,
    Volume v, bint held, int32_t* scratch
) noexcept nogil:
    """Lines of windows from start to stop."""
    cdef Py_ssize_t i = start % v.heights, h = start // v.heights % v.depths, k
    cdef Py_ssize_t size = v.depth * v.height * v.width * v.inner
    cdef const stored* image = q + start // v.heights // v.depths * size
    cdef stored* out
    for k in range(start, stop):
        out = result + k * v.widths * v.inner
        if held:
            _average_line(image, end, out, h, i, v, scratch)
        else:
            _average_wide(image, out, h, i, v)
        i += 1
        if i == v.heights:
            i, h = 0, h + 1
        if h == v.depths:
            h = 0
            image += size


cdef void _average_volumes(
    const stored* q, stored* result, Py_ssize_t lines, Volume v, int32_t[:, ::1] scratch
) noexcept nogil:
    cdef bint held = stored is not int32_t and v.depth * v.height * v.width <= MANY
    cdef int threads = <int>scratch.shape[0], t
    cdef Py_ssize_t window, images = lines // v.heights // v.depths
    cdef const stored* end = q + images * v.depth * v.height * v.width * v.inner
    if held:
        for window in range(v.depths * v.heights):
            _find_ends(v.columns, v.widths, v.divisors + window * v.widths,
                       v.ends + window * v.widths)
    for t in prange(threads, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        _average_lines(q, end, result, lines * t // threads, lines * (t + 1) // threads, v, held,
                       &scratch[t, 0])


def average_pool(
    const stored[:, :, :, :, ::1] q not None, windows,
    const int64_t[:, :, ::1] divisors not None, output, Py_ssize_t vector_length, average
):
    """Average the integers of every window; inputs are not checked."""
    cdef tuple along = <tuple>windows
    cdef const int64_t[:, ::1] planes = along[0], rows = along[1], columns = along[2]
    cdef Volume v
    v.depth, v.height, v.width, v.inner = q.shape[1], q.shape[2], q.shape[3], q.shape[4]
    v.depths, v.heights, v.widths = planes.shape[0], rows.shape[0], columns.shape[0]
    v.to, v.vectors = average_of(output_of(output)), vector_length
    v.code, v.tail_code = AVERAGE[average.vector], AVERAGE[average.tail]
    out = np.empty((q.shape[0], v.depths, v.heights, v.widths, v.inner), char_of(<stored>0))
    cdef stored[:, :, :, :, ::1] result = out
    if out.size == 0:
        return out
    cdef Py_ssize_t lines = q.shape[0] * v.depths * v.heights
    cdef Py_ssize_t room = (v.width + v.widths) * v.inner + 2 * ROOM
    cdef int threads = threads_for(q.shape[0] * v.depth * v.height * v.width * v.inner, GRAIN)
    cdef int32_t[:, ::1] scratch = np.zeros((threads, apart(room)), np.int32)
    cdef Py_ssize_t[:, :, ::1] ends = np.empty((v.depths, v.heights, v.widths), np.intp)
    v.planes, v.rows, v.columns = &planes[0, 0], &rows[0, 0], &columns[0, 0]
    v.divisors, v.ends = &divisors[0, 0, 0], &ends[0, 0, 0]
    with nogil:
        _average_volumes(&q[0, 0, 0, 0, 0], &result[0, 0, 0, 0, 0], lines, v, scratch)
    return out


# What the elements of a row are multiplied with.
cdef uint8_t[ONES] ones
cdef Py_ssize_t _place
for _place in range(ONES):
    ones[_place] = 1


cdef inline int32_t product_with_one(stored q, Py_ssize_t k) noexcept nogil:
    """An integer of 8 bits times a 1 of the other sign: such products have instructions."""
    if stored is uint8_t:
        return <int32_t>q * <int32_t>(<const int8_t*>ones)[k]
    else:
        return <int32_t>ones[k] * <int32_t>q


cdef void _mean_row(
    const stored* row, stored* out, Py_ssize_t n, Average to, int code
) noexcept nogil:
    """The average of a row of integers."""
    cdef Py_ssize_t start = 0, half, count, k
    cdef int64_t total = 0
    cdef int32_t part, other
    if stored is int32_t:
        for k in range(n):
            total = total + row[k]
    else:
        while start < n:
            count = min(<Py_ssize_t>ONES, n - start)
            half = count // (2 * PART) * PART
            part = other = 0
            for k in range(half):  # two sums, neither of which waits for the other
                part = part + product_with_one(row[start + k], k)
                other = other + product_with_one(row[start + half + k], k)
            for k in range(2 * half, count):
                part = part + product_with_one(row[start + k], k)
            total, start = total + part + other, start + count
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


cdef void _mean_piece(
    const stored* q, stored* out, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t start,
    Py_ssize_t vectors, Output to, int dequantize, int quantize, int tail_quantize
) noexcept nogil:
    """The columns from `start` on, at most WIDEST, of which the first `vectors` are such."""
    cdef float real[WIDEST]
    cdef Py_ssize_t width = min(<Py_ssize_t>WIDEST, columns - start), c
    cdef Py_ssize_t whole = max(<Py_ssize_t>0, min(width, vectors))
    sum_columns(q + start, n, columns, start, real, Quantizer(to.scale, to.zero_point), dequantize)
    for c in range(width):
        real[c] = real[c] / <float>n
    quantize_run(real, out + start, whole, to, quantize)
    quantize_run(real + whole, out + start + whole, width - whole, to, tail_quantize)


def mean_of_reals(
    const stored[:, :, ::1] q not None, output, Py_ssize_t vector_length, dequantize, quantize
):
    """Average real numbers along the middle axis; inputs are not checked."""
    cdef Output to = output_of(output)
    cdef int code = DEQUANTIZING[dequantize]
    cdef int rule = QUANTIZING[quantize.vector], tail_rule = QUANTIZING[quantize.tail]
    cdef Py_ssize_t outer = q.shape[0], n = q.shape[1], columns = q.shape[2], pieces, k, start, o
    out = np.empty((outer, columns), char_of(<stored>0))
    cdef stored[:, ::1] result = out
    if out.size == 0:
        return out
    pieces = (columns + WIDEST - 1) // WIDEST
    cdef int threads = threads_for(outer * n * columns, GRAIN)
    with nogil:
        for k in prange(outer * pieces, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            o = k // pieces
            start = k % pieces * WIDEST
            _mean_piece(&q[o, 0, 0], &result[o, 0], n, columns, start,
                        vector_length - o * columns - start, to, code, rule, tail_rule)
    return out
