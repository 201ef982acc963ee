# Tiles of sums of products in float32: some rows by the columns that fill the registers.
#
# Design
# (a) For each number of the input there is one loop over the columns: a product with a number that
#     all of them share, and a sum. Each row has a loop of its own: in one loop over all rows GCC
#     moves sums to memory and back.
# (b) Six rows by many columns, or ten where there are fewer, are as many sums and as many rows as
#     there are registers for.
# (c) The inner loop asks behind its first turn whether there is another: where there might be none,
#     GCC keeps the sums in memory as well. So a piece has a number.
# (d) A row of the input is a list of pieces, so that what lies under the filter of a convolution is
#     not copied: a filter of three lines has three pieces, which rows of the input share.

from libc.math cimport fmaf

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._columns cimport COLUMNS

cdef extern from *:
    """
    #if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__)
    #define REFQUANT_MULTIPLY_ADD(a, b, c) fmaf(a, b, c)
    #else
    #define REFQUANT_MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
    #endif
    #if defined(__AVX512F__)
    #define REFQUANT_TILE 64
    #elif defined(__AVX2__) || defined(__aarch64__)
    #define REFQUANT_TILE 16
    #else
    #define REFQUANT_TILE 32
    #endif
    """
    float multiply_add "REFQUANT_MULTIPLY_ADD"(float a, float b, float c) noexcept nogil
    enum:
        TILE "REFQUANT_TILE"  # columns of a tile, at most COLUMNS

cdef enum:
    TILE_ROWS = 6
    TALL_ROWS = 10

ctypedef const float* Row

# What lies under a row of the weight: a piece of the input that is contiguous.
cdef struct Piece:
    Py_ssize_t offset  # from where the row begins
    Py_ssize_t length


cdef inline Py_ssize_t at_least_one(Py_ssize_t count) noexcept nogil:
    """Tell GCC so, where there are registers for more than the sums."""
    return max(count, <Py_ssize_t>1) if TILE == 64 else count


cdef inline embedded clear(float* sums, Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(width):
        sums[j] = 0.0


cdef inline embedded store(const float* sums, Py_ssize_t width, float* to) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(width):
        to[j] = sums[j]


cdef inline embedded add_products(
    float x, const float* w, Py_ssize_t width, float* sums
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(width):
        sums[j] = multiply_add(x, w[j], sums[j])


cdef inline embedded sum_wide_tile(
    const Row* rows, const Piece* piece, Py_ssize_t count, Py_ssize_t shift, const float* w,
    Py_ssize_t width, float* sums
) noexcept nogil:
    """Sum six rows by `width` columns, which is constant in the caller."""
    cdef float[COLUMNS] s0, s1, s2, s3, s4, s5
    cdef const float* r0
    cdef const float* r1
    cdef const float* r2
    cdef const float* r3
    cdef const float* r4
    cdef const float* r5
    cdef Py_ssize_t k, p, at
    clear(s0, width)
    clear(s1, width)
    clear(s2, width)
    clear(s3, width)
    clear(s4, width)
    clear(s5, width)
    for p in range(at_least_one(count)):
        at = piece[p].offset + shift
        r0, r1, r2 = rows[0] + at, rows[1] + at, rows[2] + at
        r3, r4, r5 = rows[3] + at, rows[4] + at, rows[5] + at
        k = 0
        while True:
            add_products(r0[k], w, width, s0)
            add_products(r1[k], w, width, s1)
            add_products(r2[k], w, width, s2)
            add_products(r3[k], w, width, s3)
            add_products(r4[k], w, width, s4)
            add_products(r5[k], w, width, s5)
            w += width
            k += 1
            if k == piece[p].length:
                break
    store(s0, width, sums)
    store(s1, width, sums + COLUMNS)
    store(s2, width, sums + 2 * COLUMNS)
    store(s3, width, sums + 3 * COLUMNS)
    store(s4, width, sums + 4 * COLUMNS)
    store(s5, width, sums + 5 * COLUMNS)


cdef inline embedded sum_tall_tile(
    const Row* rows, const Piece* piece, Py_ssize_t count, Py_ssize_t shift, const float* w,
    Py_ssize_t width, float* sums
) noexcept nogil:
    """Sum ten rows by `width` columns, which is constant in the caller."""
    cdef float[COLUMNS] s0, s1, s2, s3, s4, s5, s6, s7, s8, s9
    cdef const float* r0
    cdef const float* r1
    cdef const float* r2
    cdef const float* r3
    cdef const float* r4
    cdef const float* r5
    cdef const float* r6
    cdef const float* r7
    cdef const float* r8
    cdef const float* r9
    cdef Py_ssize_t k, p, at
    clear(s0, width)
    clear(s1, width)
    clear(s2, width)
    clear(s3, width)
    clear(s4, width)
    clear(s5, width)
    clear(s6, width)
    clear(s7, width)
    clear(s8, width)
    clear(s9, width)
    for p in range(at_least_one(count)):
        at = piece[p].offset + shift
        r0, r1, r2 = rows[0] + at, rows[1] + at, rows[2] + at
        r3, r4, r5 = rows[3] + at, rows[4] + at, rows[5] + at
        r6, r7, r8 = rows[6] + at, rows[7] + at, rows[8] + at
        r9 = rows[9] + at
        k = 0
        while True:
            add_products(r0[k], w, width, s0)
            add_products(r1[k], w, width, s1)
            add_products(r2[k], w, width, s2)
            add_products(r3[k], w, width, s3)
            add_products(r4[k], w, width, s4)
            add_products(r5[k], w, width, s5)
            add_products(r6[k], w, width, s6)
            add_products(r7[k], w, width, s7)
            add_products(r8[k], w, width, s8)
            add_products(r9[k], w, width, s9)
            w += width
            k += 1
            if k == piece[p].length:
                break
    store(s0, width, sums)
    store(s1, width, sums + COLUMNS)
    store(s2, width, sums + 2 * COLUMNS)
    store(s3, width, sums + 3 * COLUMNS)
    store(s4, width, sums + 4 * COLUMNS)
    store(s5, width, sums + 5 * COLUMNS)
    store(s6, width, sums + 6 * COLUMNS)
    store(s7, width, sums + 7 * COLUMNS)
    store(s8, width, sums + 8 * COLUMNS)
    store(s9, width, sums + 9 * COLUMNS)


# Tiles by name: in functions of their own GCC keeps no copy of the sums in memory.


cdef inline separate sum_tile_of_64(
    const Row* rows, const Piece* piece, Py_ssize_t count, Py_ssize_t shift, const float* w,
    float* sums
) noexcept nogil:
    sum_wide_tile(rows, piece, count, shift, w, 64, sums)


cdef inline separate sum_tile_of_32(
    const Row* rows, const Piece* piece, Py_ssize_t count, Py_ssize_t shift, const float* w,
    float* sums
) noexcept nogil:
    sum_wide_tile(rows, piece, count, shift, w, 32, sums)


cdef inline separate sum_tile_of_16(
    const Row* rows, const Piece* piece, Py_ssize_t count, Py_ssize_t shift, const float* w,
    float* sums
) noexcept nogil:
    sum_wide_tile(rows, piece, count, shift, w, 16, sums)


cdef inline separate sum_tall_tile_of_16(
    const Row* rows, const Piece* piece, Py_ssize_t count, Py_ssize_t shift, const float* w,
    float* sums
) noexcept nogil:
    sum_tall_tile(rows, piece, count, shift, w, 16, sums)
