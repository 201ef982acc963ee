# Convolution of each channel with its own filter of 3x3, in float32.
#
# Design
# (a) Nine weights of some channels stay in registers while the filter goes along a line. A column
#     of the image, three numbers, is read once and belongs to the sums of three outputs: it is the
#     last column of one, the middle of the next, the first of the third. So the image is neither
#     copied nor turned into floats beforehand.
# (b) There is a sum behind each column. Those of the first two have no output, and with a stride
#     others have none either.
# (c) What lies outside the image is a row of zero points, along which nothing moves.
# (d) Nine products of numbers below 2**8 have an exact sum in float32, in any order.

from libc.stdint cimport int32_t, uint8_t

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._columns cimport COLUMNS, Columns
from refquant._kernels._depthwise cimport moved_back
from refquant._kernels._finishing cimport finish_sums
from refquant._kernels._float_tiles cimport clear, multiply_add, store
from refquant._kernels._images cimport Geometry, Position, line_of, position_of

# GCC makes no vectors of four bytes on ARM.
cdef extern from *:
    """
    #if defined(__aarch64__)
    #define REFQUANT_STRIP 16
    #else
    #define REFQUANT_STRIP REFQUANT_PIECE
    #endif
    """
    enum:
        STRIP "REFQUANT_STRIP"  # channels of a sum

cdef enum:
    TAPS = 9
    MOST_STRIDE = 2  # with which few sums have no output
    SUMS = 66  # columns of a line that are summed before outputs are finished


cdef inline bint has_nine_taps(const Geometry* g) noexcept nogil:
    """Whether the filter is one of 3x3 that moves along enough channels."""
    return (g.kernel[0] == 1 and g.kernel[1] == 3 and g.kernel[2] == 3
            and g.dilation[2] == 1 and g.stride[2] <= MOST_STRIDE and g.channels >= STRIP)


cdef inline embedded widen(const uint8_t* x, float* to) noexcept nogil:
    """Turn numbers of the image into floats, in two loops that become an instruction each."""
    cdef int32_t[STRIP] numbers
    cdef Py_ssize_t c
    for c in range(STRIP):
        numbers[c] = x[c]
    for c in range(STRIP):
        to[c] = <float>numbers[c]


cdef inline embedded multiply(const float* x, const float* w, float* sums) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(STRIP):
        sums[c] = x[c] * w[c]


cdef inline embedded add_products(
    const float* x, const float* w, const float* sums, float* to
) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(STRIP):
        to[c] = multiply_add(x[c], w[c], sums[c])


cdef inline embedded add(const float* a, const float* b, float* to) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(STRIP):
        to[c] = a[c] + b[c]


ctypedef const uint8_t* Line

# Three lines under a filter.
cdef struct Lines:
    Line[3] line  # NULL outside
    const uint8_t* outside
    Py_ssize_t width
    Py_ssize_t channels


cdef inline separate sum_nine(
    Lines lines, Py_ssize_t start, Py_ssize_t count, Py_ssize_t channel, const float* taps,
    float* sums
) noexcept nogil:
    """Sum what ends with each of `count` columns, for the channels of a strip."""
    cdef float[STRIP] w0, w1, w2, w3, w4, w5, w6, w7, w8, x0, x1, x2, last, middle, first
    cdef Py_ssize_t[4] ends
    cdef Py_ssize_t[3] step
    cdef Line[3] x
    cdef Py_ssize_t part, j, _column, channels = lines.channels
    store(taps, STRIP, w0)
    store(taps + channels, STRIP, w1)
    store(taps + 2 * channels, STRIP, w2)
    store(taps + 3 * channels, STRIP, w3)
    store(taps + 4 * channels, STRIP, w4)
    store(taps + 5 * channels, STRIP, w5)
    store(taps + 6 * channels, STRIP, w6)
    store(taps + 7 * channels, STRIP, w7)
    store(taps + 8 * channels, STRIP, w8)
    clear(middle, STRIP)
    clear(first, STRIP)
    # Left of the image, in it, and right of it.
    ends[0], ends[3] = start, start + count
    ends[1] = min(max(start, <Py_ssize_t>0), ends[3])
    ends[2] = max(min(ends[3], lines.width), ends[1])
    for part in range(3):
        for j in range(3):
            x[j], step[j] = lines.outside, 0
            if part == 1 and lines.line[j] != NULL:
                x[j], step[j] = lines.line[j] + ends[1] * channels + channel, channels
        for _column in range(ends[part + 1] - ends[part]):
            widen(x[0], x0)
            widen(x[1], x1)
            widen(x[2], x2)
            multiply(x0, w2, last)
            add_products(x1, w5, last, last)
            add_products(x2, w8, last, last)
            add(last, middle, sums)
            add_products(x0, w1, first, middle)
            add_products(x1, w4, middle, middle)
            add_products(x2, w7, middle, middle)
            multiply(x0, w0, first)
            add_products(x1, w3, first, first)
            add_products(x2, w6, first, first)
            x[0] += step[0]
            x[1] += step[1]
            x[2] += step[2]
            sums += COLUMNS


cdef inline void sum_and_finish_nine(
    const Columns* c, const Geometry* g, const Lines* lines, Py_ssize_t column, Py_ssize_t n,
    const float* taps, uint8_t* q
) noexcept nogil:
    """Compute all channels of `n` outputs of a line, which need at most SUMS columns."""
    cdef float[SUMS * COLUMNS] sums
    cdef Py_ssize_t channels = g.channels, stride = g.stride[2], first = 0, width, at
    while first < channels:
        first = moved_back(first, channels, STRIP)
        width = min(<Py_ssize_t>COLUMNS, channels - first)
        at = 0
        while at < width:
            at = min(at, width - STRIP)
            sum_nine(lines[0], column * stride - g.padding[2], (n - 1) * stride + 3, first + at,
                     taps + first + at, sums + at)
            at += STRIP
        finish_sums(c, n, first, width, NULL, sums + 2 * COLUMNS, stride * COLUMNS, q, NULL,
                    channels)
        first += width


cdef inline void convolve_nine_taps(
    const Columns* c, const Geometry* g, Py_ssize_t row, const uint8_t* outside, const uint8_t* x,
    const float* taps, uint8_t* q
) noexcept nogil:
    """Compute a line of the output; `outside` has zero points for all channels."""
    cdef Position p = position_of(g, x, row * g.out[2])
    cdef Py_ssize_t plane = p.at[0] * g.stride[0] - g.padding[0]
    cdef Py_ssize_t line = p.at[1] * g.stride[1] - g.padding[1]
    cdef Py_ssize_t most = (SUMS - 3) // g.stride[2] + 1, column = 0, n, j
    cdef Lines lines
    lines.outside, lines.width, lines.channels = outside, g.image[2], g.channels
    for j in range(3):
        lines.line[j] = line_of(g, p.image, plane, line + j * g.dilation[1])
    q += row * g.out[2] * g.channels
    while column < g.out[2]:
        n = min(most, g.out[2] - column)
        sum_and_finish_nine(c, g, &lines, column, n, taps, q + column * g.channels)
        column += n
