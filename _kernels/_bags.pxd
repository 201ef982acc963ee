# Sums of rows of packed tables.
#
# Design
# (a) No table of real numbers exists: integers are widened where they are added. Parameters in
#     float16 are converted for some rows at once, the next ones of all bags, because one bag is too
#     short to fill a loop.
# (b) A block of columns is added at a time, and stays in registers; its count is known, however few
#     of them a table has.
# (c) Integers are added as words of four: shifts and masks are vectors of the width of the sums,
#     bytes would have to be widened. Parts of a block hold the integers of one place in their
#     words, and go to their columns at the end.
# (d) Rows of bytes, and their parameters, are read where they are. Which rows follow is known long
#     before they are needed, and the processor is told, since it cannot guess them: a hint, on
#     which no result depends.

from libc.math cimport fmaf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from refquant._kernels._table_rows cimport singles_of, tail_of

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define refquant_fetch(address) __builtin_prefetch(address)
    #else
    #define refquant_fetch(address)
    #endif
    """
    void refquant_fetch(const void* address) noexcept nogil

cdef enum:
    AHEAD = 8  # rows that are on their way from memory
    PART = 16  # columns of a block that have the same place in their words
    COLUMNS = 64  # of a bag that are added at once
    ROWS = 64  # whose parameters are converted at once


cdef struct Bags:
    const uint8_t* packed
    Py_ssize_t width
    const int64_t* indices
    const int64_t* bounds
    const float* weights  # NULL for 1


# Rows of some neighboring indices, from `start` to `stop`, in a block of columns.
cdef struct Held:
    uint8_t copies[ROWS * COLUMNS]  # of rows that are narrower than a block
    const uint8_t* rows[ROWS]  # packed integers, here or in the table
    float parameters[2 * ROWS]  # scale and bias of each row
    uint16_t halves[2 * ROWS]
    Py_ssize_t start
    Py_ssize_t stop


cdef inline void hold(
    Held* held, const Bags* bags, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t first, int bits
) noexcept nogil:
    """Find rows and their parameters, from byte `first` on."""
    cdef Py_ssize_t most = COLUMNS * bits // 8, tail = tail_of(bits), i
    cdef Py_ssize_t n = min(most, bags.width - first), count = min(<Py_ssize_t>ROWS, stop - start)
    cdef uint8_t* tails = <uint8_t*>(&held.halves[0] if bits < 8 else <void*>&held.parameters[0])
    cdef const uint8_t* row
    cdef bint removed = False
    if n < most:
        memset(held.copies, 0, ROWS * most)  # for columns that the table does not have
    for i in range(count):
        if bags.indices[start + i] < 0:
            removed = True
            memset(tails + i * tail, 0, tail)
            held.rows[i] = bags.packed + first
            if n < most:
                held.rows[i] = &held.copies[0]
            continue
        row = bags.packed + bags.indices[start + i] * (bags.width + tail)
        memcpy(tails + i * tail, row + bags.width, tail)
        held.rows[i] = row + first
        if n < most:
            memcpy(held.copies + i * most, row + first, n)
            held.rows[i] = &held.copies[i * most]
    if bits < 8:
        singles_of(held.halves, held.parameters, 2 * count)
    if bags.weights != NULL:
        for i in range(count):
            held.parameters[2 * i] *= bags.weights[start + i]
            held.parameters[2 * i + 1] *= bags.weights[start + i]
    if removed:
        for i in range(count):
            if bags.indices[start + i] < 0:  # -0 adds nothing, not even the sign of a zero
                held.parameters[2 * i] = held.parameters[2 * i + 1] = -0.0
    held.start, held.stop = start, start + count


cdef inline void words_of(const uint8_t* q, uint32_t* words, int bits) noexcept nogil:
    """Packed integers, four in each word."""
    cdef uint8_t narrow[PART]
    cdef uint16_t half[PART]
    cdef Py_ssize_t k
    if bits == 8:
        memcpy(words, q, 4 * PART)
    elif bits == 4:
        memcpy(half, q, 2 * PART)
        for k in range(PART):
            words[k] = half[k]
    else:
        memcpy(narrow, q, PART)
        for k in range(PART):
            words[k] = narrow[k]


cdef inline void add_row(
    float* sums, const uint8_t* q, float scale, float bias, int bits
) noexcept nogil:
    cdef uint32_t words[PART]
    cdef uint32_t word, mask = (1 << bits) - 1
    cdef Py_ssize_t k
    words_of(q, words, bits)
    for k in range(PART):
        word = words[k]
        sums[k] = fmaf(scale, <float><int32_t>(word & mask), sums[k] + bias)
        sums[PART + k] = fmaf(
            scale, <float><int32_t>((word >> bits) & mask), sums[PART + k] + bias)
        sums[2 * PART + k] = fmaf(
            scale, <float><int32_t>((word >> (2 * bits)) & mask), sums[2 * PART + k] + bias)
        sums[3 * PART + k] = fmaf(
            scale, <float><int32_t>((word >> (3 * bits)) & mask), sums[3 * PART + k] + bias)


cdef inline void add_held_rows(
    float* block, const uint8_t* const* rows, const float* parameters, Py_ssize_t count, int bits
) noexcept nogil:
    cdef float sums[COLUMNS]
    cdef Py_ssize_t row
    memcpy(sums, block, sizeof(sums))
    for row in range(count):
        add_row(sums, rows[row], parameters[2 * row], parameters[2 * row + 1], bits)
    memcpy(block, sums, sizeof(sums))


cdef inline void interleave(
    const float* a, const float* b, float* both, const Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        both[2 * k] = a[k]
        both[2 * k + 1] = b[k]


cdef inline void put_in_order(const float* block, float* columns) noexcept nogil:
    """Put the parts of a block into columns."""
    cdef float even[2 * PART]
    cdef float odd[2 * PART]
    interleave(block, block + 2 * PART, even, PART)
    interleave(block + PART, block + 3 * PART, odd, PART)
    interleave(even, odd, columns, 2 * PART)


cdef inline void sum_rows_of_bytes(
    float* y, const Bags* bags, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t last,
    Py_ssize_t first
) noexcept nogil:
    cdef float sums[COLUMNS]
    cdef const uint8_t* row
    cdef float scale, bias
    cdef const int64_t* ahead = bags.indices + (AHEAD if stop + AHEAD <= last else 0)
    cdef Py_ssize_t i
    for i in range(COLUMNS):
        sums[i] = 0.0
    for i in range(start, stop):
        row = bags.packed + ahead[i] * (bags.width + 8)
        refquant_fetch(row + first)
        refquant_fetch(row + bags.width)
        if bags.indices[i] < 0:
            continue
        row = bags.packed + bags.indices[i] * (bags.width + 8)
        memcpy(&scale, row + bags.width, 4)
        memcpy(&bias, row + bags.width + 4, 4)
        if bags.weights != NULL:
            scale, bias = scale * bags.weights[i], bias * bags.weights[i]
        add_row(sums, row + first, scale, bias, 8)
    put_in_order(sums, y)


cdef inline void sums_of_bags(
    const Bags* bags, float* y, Py_ssize_t start, Py_ssize_t stop, int bits
) noexcept nogil:
    """Add the rows of the bags from start to stop."""
    cdef Held held
    cdef float block[COLUMNS]
    cdef float ordered[COLUMNS]
    cdef Py_ssize_t columns = bags.width * 8 // bits, first = 0, n, bag, place, until, k
    while first < columns:
        n = min(<Py_ssize_t>COLUMNS, columns - first)
        held.start = held.stop = bags.bounds[start]
        for bag in range(start, stop):
            place = bags.bounds[bag]
            if bits == 8 and n == COLUMNS:
                sum_rows_of_bytes(
                    y + bag * columns + first, bags, place, bags.bounds[bag + 1],
                    bags.bounds[stop], first)
                continue
            for k in range(COLUMNS):
                block[k] = 0.0
            while place < bags.bounds[bag + 1]:
                if place == held.stop:
                    hold(&held, bags, place, bags.bounds[stop], first * bits // 8, bits)
                until = min(held.stop, <Py_ssize_t>bags.bounds[bag + 1])
                k = place - held.start
                add_held_rows(block, held.rows + k, held.parameters + 2 * k, until - place, bits)
                place = until
            if n == COLUMNS:
                put_in_order(block, y + bag * columns + first)
            else:
                put_in_order(block, ordered)
                memcpy(y + bag * columns + first, ordered, n * sizeof(float))
        first += COLUMNS
