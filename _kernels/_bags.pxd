# Sums of rows of packed tables.
#
# Design
# (a) No table of real numbers exists: some rows are copied and taken apart, then these rows are
#     added. They are the next rows of all bags, because one bag is too short to fill a loop, and a
#     processor waits for what it has just stored in narrower pieces.
# (b) A block of columns is added at a time, and stays in registers; its count is known, however few
#     of them a table has.
# (c) Integers are added as words of four: shifts and masks are vectors of the width of the sums,
#     bytes would have to be widened. Parts of a block hold the bytes of one place in their words,
#     and go to their columns at the end.

from libc.math cimport fmaf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from refquant._kernels._table_rows cimport singles_of, tail_of, unpack_run

cdef enum:
    PART = 16  # columns of a block that have the same place in their words
    COLUMNS = 64  # of a bag that are added at once
    ROWS = 64  # that are taken apart before they are added


cdef struct Bags:
    const uint8_t* packed
    Py_ssize_t width
    const int64_t* indices
    const int64_t* bounds
    const float* weights  # NULL for 1


# Rows of some neighboring indices, from `start` to `stop`, in a block of columns.
cdef struct Held:
    uint8_t packed[ROWS * COLUMNS]
    uint8_t integers[ROWS * COLUMNS]
    const uint8_t* rows[ROWS]  # integers, here or in the table
    float parameters[2 * ROWS]  # scale and bias of each row
    uint16_t halves[2 * ROWS]
    Py_ssize_t start
    Py_ssize_t stop


cdef inline void hold(
    Held* held, const Bags* bags, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t first, int bits
) noexcept nogil:
    """Take rows apart, from byte `first` on."""
    cdef Py_ssize_t most = COLUMNS * bits // 8, tail = tail_of(bits), i
    cdef Py_ssize_t n = min(most, bags.width - first), count = min(<Py_ssize_t>ROWS, stop - start)
    cdef uint8_t* packed = &held.packed[0]
    cdef uint8_t* tails = <uint8_t*>&held.halves[0]
    cdef const uint8_t* row
    if bits == 8:  # they are what they become
        packed, tails = &held.integers[0], <uint8_t*>&held.parameters[0]
    for i in range(count):
        held.rows[i] = held.integers + i * COLUMNS
    if n < most:
        memset(packed, 0, ROWS * most)  # for columns that the table does not have
    for i in range(count):
        if bags.indices[start + i] < 0:
            memset(tails + i * tail, 0, tail)
            continue
        row = bags.packed + bags.indices[start + i] * (bags.width + tail)
        memcpy(tails + i * tail, row + bags.width, tail)
        if n == COLUMNS:
            held.rows[i] = row + first
        elif n == most:
            memcpy(packed + i * most, row + first, most)
        else:
            memcpy(packed + i * most, row + first, n)
    if bits < 8:
        singles_of(held.halves, held.parameters, 2 * count)
        unpack_run(packed, held.integers, count * COLUMNS, bits)
    if bags.weights != NULL:
        for i in range(count):
            held.parameters[2 * i] *= bags.weights[start + i]
            held.parameters[2 * i + 1] *= bags.weights[start + i]
    for i in range(count):
        if bags.indices[start + i] < 0:  # -0 adds nothing, not even the sign of a zero
            held.parameters[2 * i] = held.parameters[2 * i + 1] = -0.0
    held.start, held.stop = start, start + count


cdef inline void add_rows(
    float* block, const uint8_t* const* rows, const float* parameters, Py_ssize_t count
) noexcept nogil:
    cdef float sums[COLUMNS]
    cdef const uint8_t* q
    cdef uint32_t word
    cdef float scale, bias
    cdef Py_ssize_t row, k
    memcpy(sums, block, sizeof(sums))
    for row in range(count):
        q, scale, bias = rows[row], parameters[2 * row], parameters[2 * row + 1]
        for k in range(PART):
            memcpy(&word, q + 4 * k, 4)
            sums[k] = fmaf(scale, <float><int32_t>(word & 255), sums[k] + bias)
            sums[PART + k] = fmaf(
                scale, <float><int32_t>((word >> 8) & 255), sums[PART + k] + bias)
            sums[2 * PART + k] = fmaf(
                scale, <float><int32_t>((word >> 16) & 255), sums[2 * PART + k] + bias)
            sums[3 * PART + k] = fmaf(
                scale, <float><int32_t>(word >> 24), sums[3 * PART + k] + bias)
    memcpy(block, sums, sizeof(sums))


cdef inline void put_in_order(const float* block, float* y, Py_ssize_t n) noexcept nogil:
    """Put the parts of a block into columns."""
    cdef Py_ssize_t whole = n // 4, k
    for k in range(whole):
        y[4 * k] = block[k]
        y[4 * k + 1] = block[PART + k]
        y[4 * k + 2] = block[2 * PART + k]
        y[4 * k + 3] = block[3 * PART + k]
    for k in range(4 * whole, n):
        y[k] = block[k % 4 * PART + k // 4]


cdef inline void sums_of_bags(
    const Bags* bags, float* y, Py_ssize_t start, Py_ssize_t stop, int bits
) noexcept nogil:
    """Add the rows of the bags from start to stop."""
    cdef Held held
    cdef float block[COLUMNS]
    cdef Py_ssize_t columns = bags.width * 8 // bits, first = 0, n, bag, place, until, k
    while first < columns:
        n = min(<Py_ssize_t>COLUMNS, columns - first)
        held.start = held.stop = bags.bounds[start]
        for bag in range(start, stop):
            for k in range(COLUMNS):
                block[k] = 0.0
            place = bags.bounds[bag]
            while place < bags.bounds[bag + 1]:
                if place == held.stop:
                    hold(&held, bags, place, bags.bounds[stop], first * bits // 8, bits)
                until = min(held.stop, <Py_ssize_t>bags.bounds[bag + 1])
                k = place - held.start
                add_rows(block, held.rows + k, held.parameters + 2 * k, until - place)
                place = until
            put_in_order(block, y + bag * columns + first, n)
        first += COLUMNS
