# Tiles of sums of products in float32, for filters of three columns and few outputs.
#
# Design
# (a) Where a row of a tile is one vector, _float_tiles.pxd has as many loads as products: each
#     takes another number of the input. Under a filter of three columns that number belongs to
#     three neighboring outputs; here it is loaded once for all of them.
# (b) Fourteen neighbors in a line, and the sixteen numbers of the input under them, are as many
#     vectors as there are registers for. Lines of images are often a multiple of seven.
# (c) A tap goes along all outputs before the next one does, so that no sum waits for itself.

from refquant._kernels._attributes cimport separate
from refquant._kernels._columns cimport COLUMNS
from refquant._kernels._float_tiles cimport (
    Piece, add_products, at_least_one, clear, store,
)

cdef enum:
    LINE_ROWS = 14
    LINE_COLUMNS = 16


cdef inline separate sum_line_tile(
    const float* x, Py_ssize_t step, const Piece* piece, Py_ssize_t count, const float* w,
    float* sums
) noexcept nogil:
    """Sum LINE_ROWS outputs, which are `step` floats apart, by LINE_COLUMNS columns.

    Three pieces are the columns of one line of the filter, as far apart as outputs are.
    """
    cdef float[LINE_COLUMNS] s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    cdef float[LINE_COLUMNS] s12, s13
    cdef float x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15
    cdef const float* a0
    cdef const float* a1
    cdef const float* a2
    cdef const float* a3
    cdef const float* a4
    cdef const float* a5
    cdef const float* w1
    cdef const float* w2
    cdef Py_ssize_t k, p
    clear(s0, LINE_COLUMNS)
    clear(s1, LINE_COLUMNS)
    clear(s2, LINE_COLUMNS)
    clear(s3, LINE_COLUMNS)
    clear(s4, LINE_COLUMNS)
    clear(s5, LINE_COLUMNS)
    clear(s6, LINE_COLUMNS)
    clear(s7, LINE_COLUMNS)
    clear(s8, LINE_COLUMNS)
    clear(s9, LINE_COLUMNS)
    clear(s10, LINE_COLUMNS)
    clear(s11, LINE_COLUMNS)
    clear(s12, LINE_COLUMNS)
    clear(s13, LINE_COLUMNS)
    for p in range(at_least_one(count // 3)):
        a0 = x + piece[3 * p].offset
        a1, a2, a3 = a0 + 3 * step, a0 + 6 * step, a0 + 9 * step
        a4, a5 = a0 + 12 * step, a0 + 15 * step
        w1 = w + piece[3 * p].length * LINE_COLUMNS
        w2 = w1 + piece[3 * p].length * LINE_COLUMNS
        k = 0
        while True:
            x0, x1, x2 = a0[k], a0[step + k], a0[2 * step + k]
            x3, x4, x5 = a1[k], a1[step + k], a1[2 * step + k]
            x6, x7, x8 = a2[k], a2[step + k], a2[2 * step + k]
            x9, x10, x11 = a3[k], a3[step + k], a3[2 * step + k]
            x12, x13, x14 = a4[k], a4[step + k], a4[2 * step + k]
            x15 = a5[k]
            add_products(x0, w, LINE_COLUMNS, s0)
            add_products(x1, w, LINE_COLUMNS, s1)
            add_products(x2, w, LINE_COLUMNS, s2)
            add_products(x3, w, LINE_COLUMNS, s3)
            add_products(x4, w, LINE_COLUMNS, s4)
            add_products(x5, w, LINE_COLUMNS, s5)
            add_products(x6, w, LINE_COLUMNS, s6)
            add_products(x7, w, LINE_COLUMNS, s7)
            add_products(x8, w, LINE_COLUMNS, s8)
            add_products(x9, w, LINE_COLUMNS, s9)
            add_products(x10, w, LINE_COLUMNS, s10)
            add_products(x11, w, LINE_COLUMNS, s11)
            add_products(x12, w, LINE_COLUMNS, s12)
            add_products(x13, w, LINE_COLUMNS, s13)
            add_products(x1, w1, LINE_COLUMNS, s0)
            add_products(x2, w1, LINE_COLUMNS, s1)
            add_products(x3, w1, LINE_COLUMNS, s2)
            add_products(x4, w1, LINE_COLUMNS, s3)
            add_products(x5, w1, LINE_COLUMNS, s4)
            add_products(x6, w1, LINE_COLUMNS, s5)
            add_products(x7, w1, LINE_COLUMNS, s6)
            add_products(x8, w1, LINE_COLUMNS, s7)
            add_products(x9, w1, LINE_COLUMNS, s8)
            add_products(x10, w1, LINE_COLUMNS, s9)
            add_products(x11, w1, LINE_COLUMNS, s10)
            add_products(x12, w1, LINE_COLUMNS, s11)
            add_products(x13, w1, LINE_COLUMNS, s12)
            add_products(x14, w1, LINE_COLUMNS, s13)
            add_products(x2, w2, LINE_COLUMNS, s0)
            add_products(x3, w2, LINE_COLUMNS, s1)
            add_products(x4, w2, LINE_COLUMNS, s2)
            add_products(x5, w2, LINE_COLUMNS, s3)
            add_products(x6, w2, LINE_COLUMNS, s4)
            add_products(x7, w2, LINE_COLUMNS, s5)
            add_products(x8, w2, LINE_COLUMNS, s6)
            add_products(x9, w2, LINE_COLUMNS, s7)
            add_products(x10, w2, LINE_COLUMNS, s8)
            add_products(x11, w2, LINE_COLUMNS, s9)
            add_products(x12, w2, LINE_COLUMNS, s10)
            add_products(x13, w2, LINE_COLUMNS, s11)
            add_products(x14, w2, LINE_COLUMNS, s12)
            add_products(x15, w2, LINE_COLUMNS, s13)
            w += LINE_COLUMNS
            w1 += LINE_COLUMNS
            w2 += LINE_COLUMNS
            k += 1
            if k == piece[3 * p].length:
                break
        w = w2
    store(s0, LINE_COLUMNS, sums)
    store(s1, LINE_COLUMNS, sums + COLUMNS)
    store(s2, LINE_COLUMNS, sums + 2 * COLUMNS)
    store(s3, LINE_COLUMNS, sums + 3 * COLUMNS)
    store(s4, LINE_COLUMNS, sums + 4 * COLUMNS)
    store(s5, LINE_COLUMNS, sums + 5 * COLUMNS)
    store(s6, LINE_COLUMNS, sums + 6 * COLUMNS)
    store(s7, LINE_COLUMNS, sums + 7 * COLUMNS)
    store(s8, LINE_COLUMNS, sums + 8 * COLUMNS)
    store(s9, LINE_COLUMNS, sums + 9 * COLUMNS)
    store(s10, LINE_COLUMNS, sums + 10 * COLUMNS)
    store(s11, LINE_COLUMNS, sums + 11 * COLUMNS)
    store(s12, LINE_COLUMNS, sums + 12 * COLUMNS)
    store(s13, LINE_COLUMNS, sums + 13 * COLUMNS)
