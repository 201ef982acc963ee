# Sums of rows of packed tables.
#
# Design
# (a) No table of real numbers exists: the bytes of some rows are taken apart, then these rows are
#     added.
# (b) A block of columns is added at a time, and stays in registers; its count is known, however few
#     of them a table has. The integers of a byte go to different parts of the block, and to their
#     columns at the end.
# (c) Taking apart and adding are loops of their own: a processor waits for what it has just stored
#     in narrower pieces.

from libc.math cimport fmaf
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memset

from refquant._kernels._table_rows cimport read_parameters, tail_of

cdef enum:
    COLUMNS = 64  # of a bag that are added at once
    TOGETHER = 16  # rows that are taken apart before they are added
    HELD = 1024  # integers of these


cdef struct Bag:
    const uint8_t* packed
    Py_ssize_t width
    const int64_t* indices
    const float* weights  # NULL for 1
    Py_ssize_t start
    Py_ssize_t stop


cdef inline const uint8_t* row_of(
    const Bag* bag, Py_ssize_t place, int bits, float* scale, float* bias
) noexcept nogil:
    """Find the row of an index, its scale and bias; NULL for a row of zeros."""
    cdef const uint8_t* row
    if bag.indices[place] < 0:
        return NULL
    row = bag.packed + bag.indices[place] * (bag.width + tail_of(bits))
    read_parameters(row + bag.width, bits, scale, bias)
    if bag.weights != NULL:
        scale[0] *= bag.weights[place]
        bias[0] *= bag.weights[place]
    return row


cdef inline void take_apart(
    const uint8_t* row, uint8_t* q, Py_ssize_t n, int bits
) noexcept nogil:
    """Put the integers of `n` bytes into the parts of a block, those of the lowest bits first."""
    cdef Py_ssize_t k
    if bits == 8:
        memcpy(q, row, n)
    elif bits == 4 and n == COLUMNS // 2:
        for k in range(COLUMNS // 2):
            q[k] = row[k] & 15
            q[COLUMNS // 2 + k] = row[k] >> 4
    elif bits == 4:
        for k in range(n):
            q[k] = row[k] & 15
            q[COLUMNS // 2 + k] = row[k] >> 4
    elif n == COLUMNS // 4:
        for k in range(COLUMNS // 4):
            q[k] = row[k] & 3
            q[COLUMNS // 4 + k] = (row[k] >> 2) & 3
            q[COLUMNS // 2 + k] = (row[k] >> 4) & 3
            q[COLUMNS // 4 * 3 + k] = row[k] >> 6
    else:
        for k in range(n):
            q[k] = row[k] & 3
            q[COLUMNS // 4 + k] = (row[k] >> 2) & 3
            q[COLUMNS // 2 + k] = (row[k] >> 4) & 3
            q[COLUMNS // 4 * 3 + k] = row[k] >> 6


cdef inline void interleave(
    const float* block, float* y, Py_ssize_t n, Py_ssize_t parts
) noexcept nogil:
    """Put the parts of a block into columns."""
    cdef Py_ssize_t k, part
    for k in range(n):
        for part in range(parts):
            y[k * parts + part] = block[part * (COLUMNS // parts) + k]


cdef inline void sum_of_bag(const Bag* bag, float* y, int bits) noexcept nogil:
    """Add the rows of a bag."""
    cdef float block[COLUMNS]
    cdef uint8_t held[HELD]
    cdef const uint8_t* q[TOGETHER]
    cdef float scale[TOGETHER]
    cdef float bias[TOGETHER]
    cdef const uint8_t* row
    cdef float s, b
    cdef Py_ssize_t parts = 8 // bits, most = COLUMNS // parts, first = 0, n, place, count, i, k
    while first < bag.width:
        n = min(most, bag.width - first)
        if n < most:
            memset(held, 0, HELD)  # for columns that the table does not have
        for k in range(COLUMNS):
            block[k] = 0.0
        place = bag.start
        while place < bag.stop:
            count = min(<Py_ssize_t>TOGETHER, bag.stop - place)
            for i in range(count):
                row = row_of(bag, place + i, bits, &scale[i], &bias[i])
                if row == NULL:
                    q[i] = NULL
                elif bits == 8 and n == COLUMNS:
                    q[i] = row + first
                else:
                    q[i] = held + i * COLUMNS
                    take_apart(row + first, held + i * COLUMNS, n, bits)
            for i in range(count):
                if q[i] == NULL:
                    continue
                row, s, b = q[i], scale[i], bias[i]
                for k in range(COLUMNS):
                    block[k] = fmaf(s, <float>row[k], block[k] + b)
            place += count
        if bits == 8:
            memcpy(y + first, block, n * sizeof(float))
        elif bits == 4:
            interleave(block, y + 2 * first, n, 2)
        else:
            interleave(block, y + 4 * first, n, 4)
        first += n
