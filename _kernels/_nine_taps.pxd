# Convolution of each channel with its own filter of 3x3, on bands of an image in float.
#
# Design
# (a) Nine weights of as many channels as fill a vector stay in registers while the filter goes
#     along a line: each product then costs one load. A list of taps, as _depthwise.pxd has for
#     filters of any size, costs three.
# (b) Nine products of numbers below 2**8 have an exact sum in float32, in any order.
# (c) Lines of the filter are summed apart, so that no sum waits for nine products in a row.

from libc.stdint cimport int32_t, uint8_t

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._bands cimport Band, first_line_of, lines_of, widen_band
from refquant._kernels._columns cimport COLUMNS, Columns, finish_rows
from refquant._kernels._depthwise cimport PIECE, moved_back
from refquant._kernels._float_tiles cimport multiply_add
from refquant._kernels._images cimport Geometry

cdef enum:
    TAPS = 9
    POSITIONS = 48  # that are finished together


cdef inline bint has_nine_taps(const Geometry* g) noexcept nogil:
    """Whether the filter is one of 3x3 over enough channels."""
    return (g.kernel[0] == 1 and g.kernel[1] == 3 and g.kernel[2] == 3
            and g.channels >= PIECE)


cdef inline embedded load(const float* w, float* to) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(PIECE):
        to[c] = w[c]


cdef inline embedded multiply(const float* x, const float* w, float* sums) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(PIECE):
        sums[c] = x[c] * w[c]


cdef inline embedded add_products(const float* x, const float* w, float* sums) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(PIECE):
        sums[c] = multiply_add(x[c], w[c], sums[c])


cdef inline embedded store(
    const float* s0, const float* s1, const float* s2, int32_t* acc
) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(PIECE):
        acc[c] = <int32_t>(s0[c] + s1[c] + s2[c])


cdef inline separate sum_nine(
    const float* x, Py_ssize_t width, Py_ssize_t apart, Py_ssize_t step, const float* taps,
    Py_ssize_t channels, Py_ssize_t positions, int32_t* acc
) noexcept nogil:
    """Sum PIECE channels of some positions of a line, which are `step` floats apart.

    Lines under the filter are `width` apart, and numbers of each of them `apart`.
    """
    cdef float[PIECE] w0, w1, w2, w3, w4, w5, w6, w7, w8, s0, s1, s2
    cdef const float* x1 = x + width
    cdef const float* x2 = x1 + width
    cdef Py_ssize_t _position
    load(taps, w0)
    load(taps + channels, w1)
    load(taps + 2 * channels, w2)
    load(taps + 3 * channels, w3)
    load(taps + 4 * channels, w4)
    load(taps + 5 * channels, w5)
    load(taps + 6 * channels, w6)
    load(taps + 7 * channels, w7)
    load(taps + 8 * channels, w8)
    for _position in range(positions):
        multiply(x, w0, s0)
        add_products(x + apart, w1, s0)
        add_products(x + 2 * apart, w2, s0)
        multiply(x1, w3, s1)
        add_products(x1 + apart, w4, s1)
        add_products(x1 + 2 * apart, w5, s1)
        multiply(x2, w6, s2)
        add_products(x2 + apart, w7, s2)
        add_products(x2 + 2 * apart, w8, s2)
        store(s0, s1, s2, acc)
        x, x1, x2 = x + step, x1 + step, x2 + step
        acc += COLUMNS


cdef inline void sum_and_finish_nine(
    const Columns* c, const Geometry* g, const Band* b, const float* under, const float* taps,
    Py_ssize_t positions, uint8_t* q
) noexcept nogil:
    """Compute all channels of up to POSITIONS positions of a line."""
    cdef int32_t[POSITIONS * COLUMNS] acc
    cdef Py_ssize_t channels = g.channels, first = 0, n, at
    while first < channels:
        first = moved_back(first, channels)
        n = min(<Py_ssize_t>COLUMNS, channels - first)
        at = 0
        while at < n:
            at = min(at, n - PIECE)
            sum_nine(under + first + at, g.dilation[1] * b.width, g.dilation[2] * channels,
                     g.stride[2] * channels, taps + first + at, channels, positions, acc + at)
            at += PIECE
        finish_rows(c, positions, first, n, NULL, acc, q, NULL, channels)
        first += n


cdef inline void convolve_nine_taps(
    const Columns* c, const Geometry* g, const Band* b, Py_ssize_t task, float* scratch,
    const uint8_t* x, const float* taps, uint8_t* q
) noexcept nogil:
    """Compute some lines of the output."""
    cdef Py_ssize_t line, column, n
    cdef const float* under
    q += first_line_of(g, b, task) * g.out[2] * g.channels
    widen_band(g, b, task, x, scratch)
    for line in range(lines_of(g, b, task)):
        under = scratch + line * g.stride[1] * b.width
        column = 0
        while column < g.out[2]:
            n = min(<Py_ssize_t>POSITIONS, g.out[2] - column)
            sum_and_finish_nine(c, g, b, under + column * g.stride[2] * g.channels, taps, n,
                                q + (line * g.out[2] + column) * g.channels)
            column += n
