# Convolution of each channel with its own filter.
#
# Design
# (a) Loops run along the channels, for four output positions at once, which share the loads of the
#     filters.
# (b) Sixteen sums fill a vector of AVX-512 and stay in registers over all taps. Shorter vectors
#     are too many for that, so there three taps are added before sums go to memory.
# (c) Taps outside the image point at a row of zero points; lines and columns are compared with its
#     borders before the loops.

from libc.stdint cimport int32_t, uint8_t, uint32_t

from refquant._kernels._columns cimport COLUMNS, Columns, finish_row
from refquant._kernels._images cimport Geometry, Position, line_of, position_of

cdef extern from *:
    """
    #if defined(__AVX2__) && !defined(__AVX512F__)
    #define REFQUANT_PIECE 32
    #else
    #define REFQUANT_PIECE 16
    #endif
    #if defined(__AVX512F__)
    #define REFQUANT_IN_REGISTERS 1
    #else
    #define REFQUANT_IN_REGISTERS 0
    #endif
    """
    enum:
        PIECE "REFQUANT_PIECE"  # channels of a loop
        IN_REGISTERS "REFQUANT_IN_REGISTERS"

cdef enum:
    AT_ONCE = 4  # positions
    POINTERS = AT_ONCE + 2  # that one tap needs


cdef inline void sum_run_in_registers(
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
    cdef Py_ssize_t t, c
    for c in range(n):
        s0[c] = s1[c] = s2[c] = s3[c] = 0
    for t in range(count):
        x0, x1 = under[t] + first, under[count + t] + first
        x2, x3 = under[2 * count + t] + first, under[3 * count + t] + first
        w = taps + t * channels + first
        for c in range(n):
            s0[c] += <uint32_t>(x0[c] * w[c])
        for c in range(n):
            s1[c] += <uint32_t>(x1[c] * w[c])
        for c in range(n):
            s2[c] += <uint32_t>(x2[c] * w[c])
        for c in range(n):
            s3[c] += <uint32_t>(x3[c] * w[c])
    for c in range(n):
        acc[c] = <int32_t>s0[c]
        acc[COLUMNS + c] = <int32_t>s1[c]
        acc[2 * COLUMNS + c] = <int32_t>s2[c]
        acc[3 * COLUMNS + c] = <int32_t>s3[c]


cdef inline void sum_run_in_memory(
    const uint8_t** under, const int32_t* taps, Py_ssize_t count, Py_ssize_t channels,
    Py_ssize_t positions, Py_ssize_t first, Py_ssize_t n, int32_t* acc
) noexcept nogil:
    """As `sum_run_in_registers`, of `positions` only."""
    cdef uint32_t[AT_ONCE * PIECE] s
    cdef const uint8_t* x0
    cdef const uint8_t* x1
    cdef const uint8_t* x2
    cdef const int32_t* w0
    cdef const int32_t* w1
    cdef const int32_t* w2
    cdef Py_ssize_t t = 0, c, i
    for c in range(positions * PIECE):
        s[c] = 0
    while t + 3 <= count:
        w0 = taps + t * channels + first
        w1 = w0 + channels
        w2 = w1 + channels
        for i in range(positions):
            x0, x1 = under[i * count + t] + first, under[i * count + t + 1] + first
            x2 = under[i * count + t + 2] + first
            for c in range(n):
                s[i * PIECE + c] += <uint32_t>(
                    x0[c] * w0[c] + x1[c] * w1[c] + x2[c] * w2[c])
        t += 3
    while t < count:
        w0 = taps + t * channels + first
        for i in range(positions):
            x0 = under[i * count + t] + first
            for c in range(n):
                s[i * PIECE + c] += <uint32_t>(x0[c] * w0[c])
        t += 1
    for i in range(positions):
        for c in range(n):
            acc[i * COLUMNS + c] = <int32_t>s[i * PIECE + c]


cdef inline void sum_run(
    const uint8_t** under, const int32_t* taps, Py_ssize_t count, Py_ssize_t channels,
    Py_ssize_t positions, Py_ssize_t first, Py_ssize_t n, int32_t* acc
) noexcept nogil:
    if IN_REGISTERS:
        sum_run_in_registers(under, taps, count, channels, first, n, acc)
    else:
        sum_run_in_memory(under, taps, count, channels, positions, first, n, acc)


cdef inline void sum_and_finish(
    const Columns* columns, const uint8_t** under, const int32_t* taps, Py_ssize_t count,
    Py_ssize_t channels, Py_ssize_t positions, uint8_t* q
) noexcept nogil:
    """Compute all channels of up to four output positions."""
    cdef int32_t[AT_ONCE * COLUMNS] acc
    cdef Py_ssize_t first = 0, n, at, i
    while first < channels:
        n = min(<Py_ssize_t>COLUMNS, channels - first)
        # Loops with a rest take longer than whole ones, so the last channels are moved back to
        # fill a constant, and some are computed twice.
        if n % PIECE != 0 and channels >= COLUMNS:
            first, n = channels - COLUMNS, COLUMNS
        at = 0
        while at < n:
            if n < PIECE:
                sum_run(under, taps, count, channels, positions, first, n, acc)
            else:
                at = min(at, n - PIECE)
                sum_run(under, taps, count, channels, positions, first + at, PIECE, acc + at)
            at += PIECE
        for i in range(positions):
            finish_row(columns, first, n, acc + i * COLUMNS, q + i * channels + first)
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
    cdef const uint8_t** origins = under + AT_ONCE * count
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
        n = min(<Py_ssize_t>AT_ONCE, g.out[2] - column)
        for i in range(AT_ONCE):
            find_taps(g, column + min(i, n - 1), origins, held, outside, count,
                      under + i * count)
        sum_and_finish(columns, under, taps, count, channels, n, q + column * channels)
        column += AT_ONCE
