# Tiles of integer matrix products, and what becomes of a row of sums.
#
# Design
# (a) A tile is four rows by four columns of sums in one plain loop over the depth. Compilers turn
#     each sum of u8 times s8 into dot product instructions (vpdpbusd, usdot) where there are any;
#     four loads of each side then serve sixteen sums. Depth is a multiple of 64, so that no loop
#     has a rest.
# (b) Sums are formed in uint32, where overflow wraps, and read as int32.
# (c) Sixty-four columns of a few rows are summed, then finished while they lie in the cache: bias,
#     multiplier and rounding run along the columns, where they vectorize.
# (d) All that depends on a column alone (offset, bias, multiplier) is computed once for a call.
# (e) Clamps stand before conversions to integer, so that these are defined on every processor.

from libc.math cimport fmaf, rintf
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from refquant._kernels._rounding cimport (
    ADD_THEN_ROUND, DIVIDE_THEN_ROUND_WIDE, clampf, quantize_run,
)

# Adding up the lanes of wide vectors takes long where there is little to sum.
cdef extern from *:
    """
    #if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512VNNI__)
    #pragma GCC diagnostic ignored "-Wattributes"  /* it stands beside `inline` */
    #define REFQUANT_NARROW __attribute__((noinline, target("prefer-vector-width=256")))
    #else
    #define REFQUANT_NARROW
    #endif
    """
    ctypedef void narrow "REFQUANT_NARROW void"

cdef enum:
    SHALLOW = 256
    COLUMNS = 64  # finished at once; a multiple of 4
    MOST_ROWS = 64  # of a block
    BLOCK_BYTES = 16384  # of input that a block works on: half of a small first-level cache

cdef enum:
    NO_BIAS = 1
    BIAS_FUSED = 2
    BIAS_DIVIDED = 3
    BIAS_ROUNDED = 4
    BIAS_ROUNDED_QUOTIENT = 5

cdef enum:
    QUOTIENT = 1
    TIMES_RECIPROCAL = 2

cdef enum:
    FLOAT_PRODUCT = 1
    FIXED_POINT = 2

cdef enum:
    OUTPUT_FUSED = 1
    OUTPUT_ROUNDED_TWICE = 2

# Rows of the table that holds what depends on a column.
cdef enum:
    OFFSETS = 0
    BIASES = 1
    FACTORS = 2
    MULTIPLIERS = 3
    TABLE_ROWS = 4

cdef struct Columns:
    int32_t* offsets  # K zx zw - zx sum(w), and the bias where it is an integer
    const int32_t* zero_points  # of the weight
    bint row_sums  # whether any of them is not 0
    float* biases  # b, or b / aw
    float* factors  # 1 / aw
    float* multipliers
    int bias_code  # NO_BIAS, BIAS_FUSED or BIAS_DIVIDED
    int rule_code
    int32_t zero_point  # of the output
    int32_t lowest
    bint relu  # of dynamic outputs


cdef inline Py_ssize_t round_up(Py_ssize_t length, Py_ssize_t multiple) noexcept nogil:
    return (length + multiple - 1) // multiple * multiple


cdef inline Py_ssize_t rows_of_block(Py_ssize_t depth) noexcept nogil:
    """Rows that a block takes, a multiple of 4."""
    cdef Py_ssize_t rows = BLOCK_BYTES // (depth if depth > 0 else 1) // 4 * 4
    rows = rows if rows > 4 else 4
    return rows if rows < MOST_ROWS else <Py_ssize_t>MOST_ROWS


# -- before the product: what depends on a column ------------------------------------------------


cdef inline void set_offsets(
    Columns* c, int32_t* table, Py_ssize_t outputs, Py_ssize_t depth, int32_t input_zero_point,
    const int32_t* sums, const int32_t* zero_points
) noexcept nogil:
    """Bind the table and fill in the offsets; `zero_points` NULL means that all are 0."""
    cdef Py_ssize_t n
    cdef uint32_t zx = <uint32_t>input_zero_point, k_zx = <uint32_t>depth * zx, any = 0
    c.offsets = table
    c.biases = <float*>(table + BIASES * outputs)
    c.factors = <float*>(table + FACTORS * outputs)
    c.multipliers = <float*>(table + MULTIPLIERS * outputs)
    c.zero_points = zero_points
    if zero_points == NULL:
        c.row_sums = False
        for n in range(outputs):
            c.offsets[n] = <int32_t>(0 - zx * <uint32_t>sums[n])
        return
    for n in range(outputs):
        any |= <uint32_t>zero_points[n]
        c.offsets[n] = <int32_t>(k_zx * <uint32_t>zero_points[n] - zx * <uint32_t>sums[n])
    c.row_sums = any != 0


cdef inline void set_static(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, double output_scale, int32_t zero_point, int32_t lowest, int bias_code,
    int multiplier_code, int rule_code
) noexcept nogil:
    """Fill in biases and multipliers of quantized outputs."""
    cdef Py_ssize_t n
    cdef float x = <float>input_scale, o = <float>output_scale, inv = <float>1.0 / o
    cdef int32_t integer
    cdef int quantizing = ADD_THEN_ROUND if bias_code == BIAS_ROUNDED else DIVIDE_THEN_ROUND_WIDE
    c.bias_code, c.rule_code = bias_code, rule_code
    c.zero_point, c.lowest = zero_point, lowest
    if multiplier_code == QUOTIENT:
        for n in range(outputs):
            c.multipliers[n] = x * <float>weight_scales[n] / o
    else:
        for n in range(outputs):
            c.multipliers[n] = x * <float>weight_scales[n] * inv
    if bias_code == BIAS_FUSED:
        for n in range(outputs):
            c.biases[n] = bias[n]
            c.factors[n] = <float>1.0 / (x * <float>weight_scales[n])
    elif bias_code == BIAS_DIVIDED:
        for n in range(outputs):
            c.biases[n] = bias[n] / (x * <float>weight_scales[n])
    elif bias_code != NO_BIAS:
        c.bias_code = NO_BIAS
        for n in range(outputs):
            quantize_run(bias + n, &integer, 1, input_scale * weight_scales[n], 0,
                         -2147483648, 2147483647, quantizing)
            c.offsets[n] = <int32_t>(<uint32_t>c.offsets[n] + <uint32_t>integer)


cdef inline void set_dynamic(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, bint relu, int rule_code
) noexcept nogil:
    """Fill in biases and scales of real outputs."""
    cdef Py_ssize_t n
    c.rule_code, c.relu = rule_code, relu
    for n in range(outputs):
        c.biases[n] = bias[n]
        c.multipliers[n] = <float>input_scale * <float>weight_scales[n]


# -- the product -------------------------------------------------------------------------------


cdef inline void sum_tile(
    const uint8_t* x, const int8_t* w, Py_ssize_t depth, int32_t* acc
) noexcept nogil:
    """Four rows by four columns of sums; rows of `acc` are COLUMNS apart."""
    cdef const uint8_t* x1 = x + depth
    cdef const uint8_t* x2 = x1 + depth
    cdef const uint8_t* x3 = x2 + depth
    cdef const int8_t* w1 = w + depth
    cdef const int8_t* w2 = w1 + depth
    cdef const int8_t* w3 = w2 + depth
    cdef uint32_t s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0
    cdef uint32_t s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0
    cdef Py_ssize_t k
    for k in range(depth & ~63):
        s00 += <uint32_t>(<int32_t>x[k] * <int32_t>w[k])
        s01 += <uint32_t>(<int32_t>x[k] * <int32_t>w1[k])
        s02 += <uint32_t>(<int32_t>x[k] * <int32_t>w2[k])
        s03 += <uint32_t>(<int32_t>x[k] * <int32_t>w3[k])
        s10 += <uint32_t>(<int32_t>x1[k] * <int32_t>w[k])
        s11 += <uint32_t>(<int32_t>x1[k] * <int32_t>w1[k])
        s12 += <uint32_t>(<int32_t>x1[k] * <int32_t>w2[k])
        s13 += <uint32_t>(<int32_t>x1[k] * <int32_t>w3[k])
        s20 += <uint32_t>(<int32_t>x2[k] * <int32_t>w[k])
        s21 += <uint32_t>(<int32_t>x2[k] * <int32_t>w1[k])
        s22 += <uint32_t>(<int32_t>x2[k] * <int32_t>w2[k])
        s23 += <uint32_t>(<int32_t>x2[k] * <int32_t>w3[k])
        s30 += <uint32_t>(<int32_t>x3[k] * <int32_t>w[k])
        s31 += <uint32_t>(<int32_t>x3[k] * <int32_t>w1[k])
        s32 += <uint32_t>(<int32_t>x3[k] * <int32_t>w2[k])
        s33 += <uint32_t>(<int32_t>x3[k] * <int32_t>w3[k])
    acc[0], acc[1], acc[2], acc[3] = s00, s01, s02, s03
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s10, s11, s12, s13
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s20, s21, s22, s23
    acc += COLUMNS
    acc[0], acc[1], acc[2], acc[3] = s30, s31, s32, s33


cdef inline narrow sum_shallow_tile(
    const uint8_t* x, const int8_t* w, Py_ssize_t depth, int32_t* acc
) noexcept nogil:
    """As `sum_tile`."""
    sum_tile(x, w, depth, acc)


cdef inline void sum_row(
    const uint8_t* x, const int8_t* w, Py_ssize_t depth, int32_t* acc
) noexcept nogil:
    """One row by four columns of sums."""
    cdef const int8_t* w1 = w + depth
    cdef const int8_t* w2 = w1 + depth
    cdef const int8_t* w3 = w2 + depth
    cdef uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0
    cdef Py_ssize_t k
    for k in range(depth & ~63):
        s0 += <uint32_t>(<int32_t>x[k] * <int32_t>w[k])
        s1 += <uint32_t>(<int32_t>x[k] * <int32_t>w1[k])
        s2 += <uint32_t>(<int32_t>x[k] * <int32_t>w2[k])
        s3 += <uint32_t>(<int32_t>x[k] * <int32_t>w3[k])
    acc[0], acc[1], acc[2], acc[3] = s0, s1, s2, s3


# -- after the product: rows of at most COLUMNS sums ---------------------------------------------


cdef inline uint8_t float_product(
    float total, float multiplier, int32_t zero_point, float lo, float hi
) noexcept nogil:
    """`lo` and `hi` are the limits less the zero point."""
    cdef float r = rintf(total * multiplier)
    r = r if r < 2147483648.0 else <float>-2147483648.0
    return <uint8_t>(<int32_t>clampf(r, lo, hi) + zero_point)


cdef inline uint8_t fixed_point(
    int64_t n, float multiplier, int32_t zero_point, int64_t lo, int64_t hi
) noexcept nogil:
    """`multiplier` is at least 2**-32 and less than 1."""
    cdef uint32_t bits
    memcpy(&bits, &multiplier, sizeof(bits))
    cdef int64_t mantissa = <int64_t>((bits & 0x7FFFFF) | 0x800000) << 7
    cdef int64_t shift = 126 - <int64_t>(bits >> 23)
    cdef int64_t high = (n * mantissa + (<int64_t>1 << 30)) >> 31
    cdef int64_t mask = (<int64_t>1 << shift) - 1
    cdef int64_t remainder = (high & mask) - (1 if high < 0 else 0)
    cdef int64_t r = (high >> shift) + (1 if remainder > (mask >> 1) else 0) + zero_point
    r = r if r > lo else lo
    return <uint8_t>(r if r < hi else hi)


cdef inline int32_t convert_to_int32(float x) noexcept nogil:
    """Round half to even; what int32 cannot hold, and NaN, become -2**31."""
    cdef float r = rintf(x)
    r = r if r < 2147483648.0 else <float>-2147483648.0
    return <int32_t>(r if r > -2147483648.0 else <float>-2147483648.0)


cdef inline void correct_row(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, int32_t* acc, uint32_t row_sum
) noexcept nogil:
    """Take what the zero points of the weight add to the sums of a row."""
    cdef const int32_t* zero_points = c.zero_points + first
    cdef Py_ssize_t j
    for j in range(n):
        acc[j] = <int32_t>(<uint32_t>acc[j] - <uint32_t>zero_points[j] * row_sum)


cdef inline int32_t corrected(int32_t acc, int32_t offset) noexcept nogil:
    return <int32_t>(<uint32_t>acc + <uint32_t>offset)


cdef inline void finish_columns(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, const int32_t* acc, uint8_t* q
) noexcept nogil:
    cdef float[COLUMNS] total
    cdef const int32_t* offsets = c.offsets + first
    cdef const float* biases = c.biases + first
    cdef const float* factors = c.factors + first
    cdef const float* multipliers = c.multipliers + first
    cdef int32_t z = c.zero_point, lowest = c.lowest
    cdef float lo = <float>(lowest - z), hi = <float>(255 - z)
    cdef Py_ssize_t j
    if c.bias_code == BIAS_FUSED:
        for j in range(n):
            total[j] = fmaf(biases[j], factors[j], <float>corrected(acc[j], offsets[j]))
    elif c.bias_code == BIAS_DIVIDED:
        for j in range(n):
            total[j] = <float>corrected(acc[j], offsets[j]) + biases[j]
    elif c.rule_code == FLOAT_PRODUCT:
        for j in range(n):
            total[j] = <float>corrected(acc[j], offsets[j])
    if c.rule_code == FLOAT_PRODUCT:
        for j in range(n):
            q[j] = float_product(total[j], multipliers[j], z, lo, hi)
    elif c.bias_code == NO_BIAS:
        for j in range(n):
            q[j] = fixed_point(corrected(acc[j], offsets[j]), multipliers[j], z, lowest, 255)
    else:
        for j in range(n):
            q[j] = fixed_point(convert_to_int32(total[j]), multipliers[j], z, lowest, 255)


cdef inline void finish_row(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, const int32_t* acc, uint8_t* q
) noexcept nogil:
    """Turn sums into `n` quantized outputs, from column `first` on."""
    if n == COLUMNS:  # the same with a constant, so that no loop has a rest
        finish_columns(c, first, COLUMNS, acc, q)
    else:
        finish_columns(c, first, n, acc, q)


cdef inline void finish_row_dynamic(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, const int32_t* acc, float* y
) noexcept nogil:
    """Turn sums into `n` real outputs, from column `first` on."""
    cdef const int32_t* offsets = c.offsets + first
    cdef const float* biases = c.biases + first
    cdef const float* scales = c.multipliers + first
    cdef Py_ssize_t j
    if c.rule_code == OUTPUT_FUSED:
        for j in range(n):
            y[j] = fmaf(<float>corrected(acc[j], offsets[j]), scales[j], biases[j])
    else:
        for j in range(n):
            y[j] = <float>corrected(acc[j], offsets[j]) * scales[j] + biases[j]
    if c.relu:
        for j in range(n):
            y[j] = <float>0.0 if y[j] < 0.0 else y[j]


cdef inline void multiply_block(
    const Columns* c, const uint8_t* x, Py_ssize_t m, Py_ssize_t depth, const int8_t* rows,
    Py_ssize_t first, Py_ssize_t last, uint8_t* q, float* y, Py_ssize_t stride
) noexcept nogil:
    """Multiply `m` rows by columns `first` to `last` and finish them into `q` or `y`.

    `rows` begins with column `first`; rows of `x` and `rows` are `depth` apart and padded, those
    of the output `stride`. `q` or `y` is NULL.
    """
    cdef int32_t[MOST_ROWS * COLUMNS] acc
    cdef uint32_t[MOST_ROWS] row_sums
    cdef uint32_t row_sum
    cdef Py_ssize_t chunk, column, n, i, j, k
    for i in range(m):
        row_sum = 0
        if c.row_sums:
            for k in range(depth):
                row_sum += x[i * depth + k]
        row_sums[i] = row_sum
    for chunk in range((last - first + COLUMNS - 1) // COLUMNS):
        column = first + chunk * COLUMNS
        n = min(<Py_ssize_t>COLUMNS, last - column)
        for j in range(0, n, 4):
            i = 0
            while i + 4 <= m and depth <= SHALLOW:
                sum_shallow_tile(x + i * depth, rows + (column - first + j) * depth, depth,
                                 acc + i * COLUMNS + j)
                i += 4
            while i + 4 <= m:
                sum_tile(x + i * depth, rows + (column - first + j) * depth, depth,
                         acc + i * COLUMNS + j)
                i += 4
            while i < m:
                sum_row(x + i * depth, rows + (column - first + j) * depth, depth,
                        acc + i * COLUMNS + j)
                i += 1
        for i in range(m):
            if c.row_sums:
                correct_row(c, column, n, acc + i * COLUMNS, row_sums[i])
            if y == NULL:
                finish_row(c, column, n, acc + i * COLUMNS, q + i * stride + column)
            else:
                finish_row_dynamic(c, column, n, acc + i * COLUMNS, y + i * stride + column)
