# Tiles of integer matrix products.
#
# Design
# (a) A tile is six rows by four columns of sums in one plain loop over the depth. Compilers turn
#     each sum of u8 times s8 into dot product instructions (vpdpbusd, usdot) where there are any;
#     ten loads then serve twenty-four sums, as many as registers hold. Four rows that are left are
#     a tile too. Depth is a multiple of 32, or of 64 where it is large, so that no loop has a rest.
# (b) A processor that multiplies only s8 by s8 (sdot) gets the input less 128, which inverts one
#     bit; 128 times the sum of the column is added with the offsets.
# (c) Sums are formed in uint32, where overflow wraps, and read as int32.
# (d) Where there is little to sum, adding up the lanes of vectors takes longest: such tiles take
#     narrow vectors and have loops of constant length.
# (e) Sixty-four columns of a few rows are summed, then finished while they lie in the cache.

from libc.stdint cimport int8_t, int32_t, uint8_t, uint32_t

from refquant._kernels._attributes cimport embedded, narrow
from refquant._kernels._columns cimport COLUMNS, Columns
from refquant._kernels._finishing cimport finish_rows, sum_rows
from refquant._kernels._integers cimport round_up

cdef extern from *:
    """
    #if defined(__ARM_FEATURE_DOTPROD) && !defined(__ARM_FEATURE_MATMUL_INT8)
    #define REFQUANT_SHIFT 128
    #define REFQUANT_OPERAND(x) ((int8_t)((x) ^ 0x80))
    #else
    #define REFQUANT_SHIFT 0
    #define REFQUANT_OPERAND(x) (x)
    #endif

    /* GCC finds all sums of products at once only if these are 16 bits wide, as they always fit;
       without such instructions the conversion takes time. */
    #if defined(__AVX512VNNI__) || defined(__ARM_FEATURE_DOTPROD)
    #define REFQUANT_TERM int16_t
    #else
    #define REFQUANT_TERM int32_t
    #endif
    """
    ctypedef int32_t term "REFQUANT_TERM"
    int32_t operand "REFQUANT_OPERAND"(uint8_t x) noexcept nogil
    enum:
        SHIFT "REFQUANT_SHIFT"  # what operands are less than the input

cdef enum:
    SHALLOW = 256
    TILE_ROWS = 6
    MOST_ROWS = 60  # of a block, a multiple of TILE_ROWS
    BLOCK_BYTES = 28672  # of input that a block works on, which the first-level cache holds


cdef inline Py_ssize_t padded_depth(Py_ssize_t depth) noexcept nogil:
    """Length of a packed row."""
    return round_up(depth, 32 if depth <= SHALLOW else 64)


cdef inline Py_ssize_t rows_of_block(Py_ssize_t depth) noexcept nogil:
    """Rows that a block takes, a multiple of `TILE_ROWS`."""
    cdef Py_ssize_t rows = BLOCK_BYTES // (depth if depth > 0 else 1) // TILE_ROWS * TILE_ROWS
    rows = rows if rows > TILE_ROWS else <Py_ssize_t>TILE_ROWS
    return rows if rows < MOST_ROWS else <Py_ssize_t>MOST_ROWS


cdef inline uint32_t product(uint8_t x, int8_t w) noexcept nogil:
    return <uint32_t><term>(operand(x) * <int32_t>w)


cdef inline embedded sum_tile(
    const uint8_t* x, Py_ssize_t stride, const int8_t* w, Py_ssize_t depth, volatile int32_t* acc
) noexcept nogil:
    """Four rows by four columns of sums; rows of `acc` are COLUMNS apart.

    It is volatile because to gather sums into vectors takes longer than to store one by one.
    """
    cdef const uint8_t* x1 = x + stride
    cdef const uint8_t* x2 = x1 + stride
    cdef const uint8_t* x3 = x2 + stride
    cdef const int8_t* w1 = w + depth
    cdef const int8_t* w2 = w1 + depth
    cdef const int8_t* w3 = w2 + depth
    cdef uint32_t s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0
    cdef uint32_t s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0
    cdef Py_ssize_t k
    for k in range(depth):
        s00 += product(x[k], w[k])
        s01 += product(x[k], w1[k])
        s02 += product(x[k], w2[k])
        s03 += product(x[k], w3[k])
        s10 += product(x1[k], w[k])
        s11 += product(x1[k], w1[k])
        s12 += product(x1[k], w2[k])
        s13 += product(x1[k], w3[k])
        s20 += product(x2[k], w[k])
        s21 += product(x2[k], w1[k])
        s22 += product(x2[k], w2[k])
        s23 += product(x2[k], w3[k])
        s30 += product(x3[k], w[k])
        s31 += product(x3[k], w1[k])
        s32 += product(x3[k], w2[k])
        s33 += product(x3[k], w3[k])
    acc[0], acc[1], acc[2], acc[3] = s00, s01, s02, s03
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s10, s11, s12, s13
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s20, s21, s22, s23
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s30, s31, s32, s33


cdef inline embedded sum_tall_tile(
    const uint8_t* x, Py_ssize_t stride, const int8_t* w, Py_ssize_t depth, volatile int32_t* acc
) noexcept nogil:
    """As `sum_tile`, six rows."""
    cdef const uint8_t* x1 = x + stride
    cdef const uint8_t* x2 = x1 + stride
    cdef const uint8_t* x3 = x2 + stride
    cdef const uint8_t* x4 = x3 + stride
    cdef const uint8_t* x5 = x4 + stride
    cdef const int8_t* w1 = w + depth
    cdef const int8_t* w2 = w1 + depth
    cdef const int8_t* w3 = w2 + depth
    cdef uint32_t s00 = 0, s01 = 0, s02 = 0, s03 = 0
    cdef uint32_t s10 = 0, s11 = 0, s12 = 0, s13 = 0
    cdef uint32_t s20 = 0, s21 = 0, s22 = 0, s23 = 0
    cdef uint32_t s30 = 0, s31 = 0, s32 = 0, s33 = 0
    cdef uint32_t s40 = 0, s41 = 0, s42 = 0, s43 = 0
    cdef uint32_t s50 = 0, s51 = 0, s52 = 0, s53 = 0
    cdef Py_ssize_t k
    for k in range(depth):
        s00 += product(x[k], w[k])
        s01 += product(x[k], w1[k])
        s02 += product(x[k], w2[k])
        s03 += product(x[k], w3[k])
        s10 += product(x1[k], w[k])
        s11 += product(x1[k], w1[k])
        s12 += product(x1[k], w2[k])
        s13 += product(x1[k], w3[k])
        s20 += product(x2[k], w[k])
        s21 += product(x2[k], w1[k])
        s22 += product(x2[k], w2[k])
        s23 += product(x2[k], w3[k])
        s30 += product(x3[k], w[k])
        s31 += product(x3[k], w1[k])
        s32 += product(x3[k], w2[k])
        s33 += product(x3[k], w3[k])
        s40 += product(x4[k], w[k])
        s41 += product(x4[k], w1[k])
        s42 += product(x4[k], w2[k])
        s43 += product(x4[k], w3[k])
        s50 += product(x5[k], w[k])
        s51 += product(x5[k], w1[k])
        s52 += product(x5[k], w2[k])
        s53 += product(x5[k], w3[k])
    acc[0], acc[1], acc[2], acc[3] = s00, s01, s02, s03
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s10, s11, s12, s13
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s20, s21, s22, s23
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s30, s31, s32, s33
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s40, s41, s42, s43
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s50, s51, s52, s53


cdef inline embedded sum_row(
    const uint8_t* x, const int8_t* w, Py_ssize_t depth, volatile int32_t* acc
) noexcept nogil:
    """One row by four columns of sums."""
    cdef const int8_t* w1 = w + depth
    cdef const int8_t* w2 = w1 + depth
    cdef const int8_t* w3 = w2 + depth
    cdef uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0
    cdef Py_ssize_t k
    for k in range(depth):
        s0 += product(x[k], w[k])
        s1 += product(x[k], w1[k])
        s2 += product(x[k], w2[k])
        s3 += product(x[k], w3[k])
    acc[0], acc[1], acc[2], acc[3] = s0, s1, s2, s3


cdef inline embedded sum_tiles(
    const uint8_t* x, Py_ssize_t stride, Py_ssize_t m, const int8_t* w, Py_ssize_t depth,
    Py_ssize_t n, int32_t* acc
) noexcept nogil:
    """Sum `m` rows by `n` columns; what is beyond `n` up to a multiple of 4 is summed too."""
    cdef Py_ssize_t i, j
    for j in range(0, n, 4):
        i = 0
        while i + TILE_ROWS <= m:
            sum_tall_tile(x + i * stride, stride, w + j * depth, depth, acc + i * COLUMNS + j)
            i += TILE_ROWS
        while i + 4 <= m:
            sum_tile(x + i * stride, stride, w + j * depth, depth, acc + i * COLUMNS + j)
            i += 4
        while i < m:
            sum_row(x + i * stride, w + j * depth, depth, acc + i * COLUMNS + j)
            i += 1


cdef inline narrow sum_shallow_tiles(
    const uint8_t* x, Py_ssize_t stride, Py_ssize_t m, const int8_t* w, Py_ssize_t depth,
    Py_ssize_t n, int32_t* acc
) noexcept nogil:
    """As `sum_tiles`, with vectors and loops for little depth."""
    if depth == 32:
        sum_tiles(x, stride, m, w, 32, n, acc)
    elif depth == 64:
        sum_tiles(x, stride, m, w, 64, n, acc)
    else:
        sum_tiles(x, stride, m, w, depth & ~31, n, acc)


cdef inline void multiply_block(
    const Columns* c, const uint8_t* x, Py_ssize_t stride, Py_ssize_t m, Py_ssize_t length,
    const int8_t* rows, Py_ssize_t depth, Py_ssize_t first, Py_ssize_t last, uint8_t* q, float* y,
    Py_ssize_t outputs
) noexcept nogil:
    """Multiply `m` rows by columns `first` to `last` and finish them into `q` or `y`.

    Rows of `x` are `stride` apart and hold `length` numbers; what follows up to `depth` can be
    read and meets zeros. `rows` begins with column `first`. `q` or `y`, of rows `outputs` apart,
    is NULL.
    """
    cdef int32_t[MOST_ROWS * COLUMNS] acc
    cdef uint32_t[MOST_ROWS] row_sums
    cdef Py_ssize_t chunk, column, n
    cdef const int8_t* w
    sum_rows(c, x, stride, m, length, row_sums)
    for chunk in range((last - first + COLUMNS - 1) // COLUMNS):
        column = first + chunk * COLUMNS
        n = min(<Py_ssize_t>COLUMNS, last - column)
        w = rows + (column - first) * depth
        if depth <= SHALLOW:
            sum_shallow_tiles(x, stride, m, w, depth, n, acc)
        else:
            sum_tiles(x, stride, m, w, depth & ~63, n, acc)
        finish_rows(c, m, column, n, row_sums, acc, q, y, outputs)
