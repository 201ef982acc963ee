# Convolution of each channel with its own filter.
#
# Design
# (a) Loops run along the channels, for four output positions at once, which share the loads of the
#     filters.
# (b) As many sums as fill a vector stay in registers over all taps. Products have memory of their
#     own: GCC unrolls such short loops, and finds no vectors again in sums of products whose
#     operands come in more than one order.
# (c) A block of positions is summed, then finished while it lies in the cache.
# (d) Taps outside the image point at a row of zero points; lines and columns are compared with its
#     borders before the loops.

from libc.stdint cimport int32_t, uint8_t, uint32_t

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._columns cimport COLUMNS, Columns
from refquant._kernels._finishing cimport finish_rows
from refquant._kernels._images cimport Geometry, Position, line_of, position_of
from refquant._kernels._integers cimport round_up

cdef extern from *:
    """
    #if defined(__AVX512F__)
    #define REFQUANT_PIECE 16
    #elif defined(__AVX2__)
    #define REFQUANT_PIECE 8
    #else
    #define REFQUANT_PIECE 4
    #endif
    """
    enum:
        PIECE "REFQUANT_PIECE"  # channels of a vector

cdef enum:
    AT_ONCE = 4  # positions
    BLOCK = 16  # positions that are finished together, a multiple of AT_ONCE
    POINTERS = BLOCK + 2  # that one tap needs


cdef inline Py_ssize_t moved_back(
    Py_ssize_t first, Py_ssize_t channels, Py_ssize_t piece
) noexcept nogil:
    """Where the next channels begin, at most COLUMNS, which are computed in pieces.

    Loops with a rest take longer than whole ones, so the last channels are moved back to fill
    pieces, and some are computed twice.
    """
    if channels < COLUMNS or (channels - first) % piece == 0:
        return first
    return min(first, channels - COLUMNS)


cdef inline embedded clear(uint32_t* sums, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        sums[c] = 0


cdef inline embedded add_products(
    const uint8_t* x, const int32_t* w, Py_ssize_t n, uint32_t* sums
) noexcept nogil:
    cdef int32_t[PIECE] products
    cdef Py_ssize_t c
    for c in range(n):
        products[c] = x[c] * w[c]
    for c in range(n):
        sums[c] += <uint32_t>products[c]


cdef inline embedded store(const uint32_t* sums, Py_ssize_t n, int32_t* acc) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        acc[c] = <int32_t>sums[c]


cdef inline embedded sum_taps(
    const uint8_t** under, const int32_t* taps, Py_ssize_t count, Py_ssize_t channels,
    Py_ssize_t first, Py_ssize_t n, int32_t* acc
) noexcept nogil:
    """Sum the products of all taps for `n` channels, at most PIECE, of four positions."""
    cdef uint32_t[PIECE] s0, s1, s2, s3
    cdef const uint8_t* x0
    cdef const uint8_t* x1
    cdef const uint8_t* x2
    cdef const uint8_t* x3
    cdef const int32_t* w
    cdef Py_ssize_t t
    clear(s0, n)
    clear(s1, n)
    clear(s2, n)
    clear(s3, n)
    for t in range(count):
        x0, x1 = under[t] + first, under[count + t] + first
        x2, x3 = under[2 * count + t] + first, under[3 * count + t] + first
        w = taps + t * channels + first
        add_products(x0, w, n, s0)
        add_products(x1, w, n, s1)
        add_products(x2, w, n, s2)
        add_products(x3, w, n, s3)
    store(s0, n, acc)
    store(s1, n, acc + COLUMNS)
    store(s2, n, acc + 2 * COLUMNS)
    store(s3, n, acc + 3 * COLUMNS)


cdef inline separate sum_piece(
    const uint8_t** under, const int32_t* taps, Py_ssize_t count, Py_ssize_t channels,
    Py_ssize_t first, int32_t* acc
) noexcept nogil:
    sum_taps(under, taps, count, channels, first, PIECE, acc)


cdef inline void sum_channels(
    const uint8_t** under, const int32_t* taps, Py_ssize_t count, Py_ssize_t channels,
    Py_ssize_t first, Py_ssize_t n, int32_t* acc
) noexcept nogil:
    """Sum `n` channels, at most COLUMNS, of four positions."""
    cdef Py_ssize_t at = 0
    if n < PIECE:
        sum_taps(under, taps, count, channels, first, n, acc)
        return
    while at < n:
        at = min(at, n - PIECE)
        sum_piece(under, taps, count, channels, first + at, acc + at)
        at += PIECE


cdef inline void sum_and_finish(
    const Columns* columns, const uint8_t** under, const int32_t* taps, Py_ssize_t count,
    Py_ssize_t channels, Py_ssize_t positions, uint8_t* q
) noexcept nogil:
    """Compute all channels of up to BLOCK positions; pointers go on to a multiple of four."""
    cdef int32_t[BLOCK * COLUMNS] acc
    cdef Py_ssize_t first = 0, n, i
    while first < channels:
        first = moved_back(first, channels, PIECE)
        n = min(<Py_ssize_t>COLUMNS, channels - first)
        i = 0
        while i < positions:
            sum_channels(under + i * count, taps, count, channels, first, n, acc + i * COLUMNS)
            i += AT_ONCE
        finish_rows(columns, positions, first, n, NULL, acc, q, NULL, channels)
        first += n


cdef inline void find_taps(
    const Geometry* g, Py_ssize_t column, const uint8_t** origins, const Py_ssize_t* held,
    const uint8_t* outside, Py_ssize_t count, const uint8_t** under
) noexcept nogil:
    """Point at what lies under each tap at one output column."""
    cdef Py_ssize_t start = column * g.stride[2], t, at
    cdef Py_ssize_t reach = (g.kernel[2] - 1) * g.dilation[2] - g.padding[2]
    if start >= g.padding[2] and start + reach < g.image[2]:
        for t in range(count):
            under[t] = origins[t] + (start * g.channels & held[t])
        return
    for t in range(count):
        at = start - g.padding[2] + t % g.kernel[2] * g.dilation[2]
        under[t] = outside
        if 0 <= at < g.image[2]:
            under[t] = origins[t] + (start * g.channels & held[t])


cdef inline void depthwise_line(
    const Columns* columns, const Geometry* g, Py_ssize_t row, const uint8_t** under,
    const uint8_t* outside, const uint8_t* x, const int32_t* taps, Py_ssize_t count, uint8_t* q
) noexcept nogil:
    """Compute one line of output positions; `under` has room for POINTERS of each tap."""
    cdef Py_ssize_t channels = g.channels, column = 0, t, j, n, i
    cdef Position p = position_of(g, x, row * g.out[2])
    cdef Py_ssize_t plane = p.at[0] * g.stride[0] - g.padding[0]
    cdef Py_ssize_t line = p.at[1] * g.stride[1] - g.padding[1]
    # Where each tap would lie at column 0, or `outside`, which does not go along with columns.
    cdef const uint8_t** origins = under + BLOCK * count
    cdef Py_ssize_t* held = <Py_ssize_t*>(origins + count)
    cdef const uint8_t* start
    for t in range(count):
        j = t // g.kernel[2]
        start = line_of(g, p.image, plane + j // g.kernel[1] * g.dilation[0],
                        line + j % g.kernel[1] * g.dilation[1])
        held[t] = 0 if start == NULL else -1
        origins[t] = outside
        if start != NULL:
            origins[t] = start + (t % g.kernel[2] * g.dilation[2] - g.padding[2]) * channels
    q += row * g.out[2] * channels
    while column < g.out[2]:
        n = min(<Py_ssize_t>BLOCK, g.out[2] - column)
        for i in range(round_up(n, AT_ONCE)):
            find_taps(g, column + min(i, n - 1), origins, held, outside, count,
                      under + i * count)
        sum_and_finish(columns, under, taps, count, channels, n, q + column * channels)
        column += BLOCK
