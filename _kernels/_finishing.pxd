# What becomes of sums of products: rows of at most COLUMNS of them are finished together.

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.string cimport memcpy

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._columns cimport COLUMNS, Columns
from refquant._kernels._output_rules cimport (
    BIAS_ADDED, BIAS_IN_PRODUCT, IN_REAL, IN_REAL_RELU, RARE, Shared, common_rule,
    finish_by_rare_rule, finish_columns, finish_row_dynamic, offsets_of, shared_by_columns,
    sum_type,
)

cdef enum:
    CONVERTED = 8  # rows of float sums that become integers at once


cdef inline void correct_row(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, int32_t* acc, uint32_t row_sum
) noexcept nogil:
    """Take what the zero points of the weight add to the sums of a row."""
    cdef const int32_t* zero_points = c.zero_points + first
    cdef Py_ssize_t j
    for j in range(n):
        acc[j] = <int32_t>(<uint32_t>acc[j] - <uint32_t>zero_points[j] * row_sum)


cdef inline embedded finish_block(
    int rule, const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t width, Py_ssize_t n,
    const sum_type* acc, Py_ssize_t apart, uint8_t* q, Py_ssize_t outputs
) noexcept nogil:
    """Turn sums into `n` quantized outputs of each row, from column `first` on.

    `rule`, and `width`, which is at least `n`, are constant in the caller: no loop has a rest. What
    belongs to columns is copied and outputs have memory of their own, which nothing else can mean.
    """
    cdef sum_type[COLUMNS] offsets
    cdef float[COLUMNS] biases, factors, multipliers
    cdef uint8_t[COLUMNS] done
    cdef Shared shared = shared_by_columns(c)
    cdef Py_ssize_t _row
    memcpy(offsets, offsets_of(c, acc) + first, width * sizeof(float))
    memcpy(biases, c.biases + first, width * sizeof(float))
    memcpy(factors, c.factors + first, width * sizeof(float))
    memcpy(multipliers, c.multipliers + first, width * sizeof(float))
    for _row in range(m):
        finish_columns(rule, &shared, width, acc, offsets, biases, factors, multipliers, done)
        if n == width:
            memcpy(q, done, width)
        else:
            memcpy(q, done, n)
        acc += apart
        q += outputs


cdef inline embedded finish_rows_of(
    int rule, const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t width, Py_ssize_t n,
    const sum_type* acc, Py_ssize_t apart, uint8_t* q, Py_ssize_t outputs
) noexcept nogil:
    """As `finish_block`, by any rule that is not rare."""
    if rule == IN_REAL:
        finish_block(IN_REAL, c, m, first, width, n, acc, apart, q, outputs)
    elif rule == IN_REAL_RELU:
        finish_block(IN_REAL_RELU, c, m, first, width, n, acc, apart, q, outputs)
    elif rule == BIAS_IN_PRODUCT:
        finish_block(BIAS_IN_PRODUCT, c, m, first, width, n, acc, apart, q, outputs)
    else:
        finish_block(BIAS_ADDED, c, m, first, width, n, acc, apart, q, outputs)


cdef inline void sum_rows(
    const Columns* c, const uint8_t* x, Py_ssize_t stride, Py_ssize_t m, Py_ssize_t length,
    uint32_t* row_sums
) noexcept nogil:
    """Add up each of `m` rows of the input, if the zero points of the weight need the sums."""
    cdef Py_ssize_t i, k
    cdef uint32_t row_sum
    for i in range(m):
        row_sum = 0
        if c.row_sums:
            for k in range(length):
                row_sum += x[i * stride + k]
        row_sums[i] = row_sum


cdef inline embedded finish(
    int rule, const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t n, const sum_type* acc,
    Py_ssize_t apart, uint8_t* q, float* y, Py_ssize_t outputs
) noexcept nogil:
    cdef Py_ssize_t i
    if y != NULL:
        for i in range(m):
            finish_row_dynamic(c, first, n, acc + i * apart, y + i * outputs + first)
    elif n > COLUMNS // 2 or (n > COLUMNS // 4 and sum_type is int32_t):
        finish_rows_of(rule, c, m, first, COLUMNS, n, acc, apart, q + first, outputs)
    elif n > COLUMNS // 4:
        finish_rows_of(rule, c, m, first, COLUMNS // 2, n, acc, apart, q + first, outputs)
    else:
        finish_rows_of(rule, c, m, first, COLUMNS // 4, n, acc, apart, q + first, outputs)


cdef inline void finish_rare_rows(
    const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t n, const int32_t* acc,
    uint8_t* q, Py_ssize_t outputs
) noexcept nogil:
    cdef uint8_t[COLUMNS] done
    cdef Py_ssize_t _row
    for _row in range(m):
        finish_by_rare_rule(c, first, n, acc, q - c.start, done)
        memcpy(q, done, n)
        acc += COLUMNS
        q += outputs


cdef inline separate finish_rows(
    const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t n, const uint32_t* row_sums,
    int32_t* acc, uint8_t* q, float* y, Py_ssize_t outputs
) noexcept nogil:
    """Turn the sums of `n` columns of `m` rows into `q` or `y`, from column `first` on.

    Rows of `acc` are COLUMNS apart, those of `q` or `y` `outputs`; one of these is NULL.
    """
    cdef Py_ssize_t i
    cdef int rule = RARE if q == NULL else common_rule(c)
    if c.row_sums:
        for i in range(m):
            correct_row(c, first, n, acc + i * COLUMNS, row_sums[i])
    if q != NULL and rule == RARE:
        finish_rare_rows(c, m, first, n, acc, q + first, outputs)
    else:
        finish(rule, c, m, first, n, acc, COLUMNS, q, y, outputs)


cdef inline void convert_rows(
    Py_ssize_t m, Py_ssize_t n, const float* sums, Py_ssize_t apart, int32_t* acc
) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(m):
        for j in range(n):
            acc[i * COLUMNS + j] = <int32_t>sums[i * apart + j]


cdef inline separate finish_sums(
    const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t n, const uint32_t* row_sums,
    const float* sums, Py_ssize_t apart, uint8_t* q, float* y, Py_ssize_t outputs
) noexcept nogil:
    """As `finish_rows`, for integers in float32, whose rows are `apart`."""
    cdef int32_t[CONVERTED * COLUMNS] acc
    cdef Py_ssize_t i = 0, count
    cdef int rule = RARE if q == NULL else common_rule(c)
    if c.exact and not c.row_sums and (q == NULL or rule != RARE):
        finish(rule, c, m, first, n, sums, apart, q, y, outputs)
        return
    while i < m:
        count = min(<Py_ssize_t>CONVERTED, m - i)
        convert_rows(count, n, sums + i * apart, apart, acc)
        finish_rows(c, count, first, n, row_sums + i if c.row_sums else NULL, acc,
                    NULL if q == NULL else q + i * outputs, NULL if y == NULL else y + i * outputs,
                    outputs)
        i += count
