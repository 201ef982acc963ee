# Sums of the real numbers of columns of integers, in the order of `sum_in_cascades`,
# refquant.engines.rules.float_sums.
#
# Design
# (a) A few rows at a time become real numbers, in a buffer that stays in the first cache, and are
#     added to the lowest level of the cascade.
# (b) Columns are added in chunks of a constant size, which stay in registers while rows pass.

from libc.string cimport memset

from refquant._kernels._operands cimport Quantizer, stored
from refquant._kernels._rounding cimport dequantize_run

cdef enum:
    WIDEST = 256  # columns
    ROWS = 16     # of the smallest block
    CHUNK = 32
    LEVELS = 4
    SIDE = 4      # cascades side by side
    LANES = 8


cdef inline void add_real_rows(
    const float* x, Py_ssize_t rows, Py_ssize_t width, float* totals
) noexcept nogil:
    """Add rows of `width` numbers to totals, one after the other."""
    cdef float held[CHUNK]
    cdef Py_ssize_t whole = width - width % CHUNK, start = 0, i, k
    while start < whole:
        for k in range(CHUNK):
            held[k] = totals[start + k]
        for i in range(rows):
            for k in range(CHUNK):
                held[k] = held[k] + x[i * width + start + k]
        for k in range(CHUNK):
            totals[start + k] = held[k]
        start += CHUNK
    if whole < width:
        for i in range(rows):
            for k in range(whole, width):
                totals[k] = totals[k] + x[i * width + k]


cdef inline void dequantize_rows(
    const stored* q, Py_ssize_t rows, Py_ssize_t step, Py_ssize_t width, float* x, Quantizer of,
    int code
) noexcept nogil:
    cdef Py_ssize_t i
    if step == width:
        dequantize_run(q, x, rows * width, of, code)
        return
    for i in range(rows):
        dequantize_run(q + i * step, x + i * width, width, of, code)


cdef inline void cascade_columns(
    const stored* q, Py_ssize_t n, Py_ssize_t step, Py_ssize_t width, float* totals, Quantizer of,
    int code
) noexcept nogil:
    """Add `n` rows of at most WIDEST columns, `step` apart: blocks, then blocks of blocks."""
    cdef float x[ROWS * WIDEST]
    cdef float level[LEVELS][WIDEST]
    cdef Py_ssize_t done = 0, bits = 0, power = 4, rows, j, k
    while (<Py_ssize_t>1 << bits) < n:
        bits += 1
    power = max(power, bits // LEVELS)
    memset(level, 0, sizeof(level))
    while done < n:
        rows = min(<Py_ssize_t>ROWS, n - done)
        dequantize_rows(q + done * step, rows, step, width, x, of, code)
        add_real_rows(x, rows, width, level[0])
        done += rows
        j = 1
        while j < LEVELS and not done & ((<Py_ssize_t>1 << (j * power)) - 1):
            for k in range(width):
                level[j][k] = level[j][k] + level[j - 1][k]
                level[j - 1][k] = 0
            j += 1
    for j in range(1, LEVELS):
        for k in range(width):
            level[0][k] = level[0][k] + level[j][k]
    for k in range(width):
        totals[k] = level[0][k]


cdef inline void four_cascades(
    const stored* q, Py_ssize_t n, Py_ssize_t step, Py_ssize_t width, float* totals, Quantizer of,
    int code
) noexcept nogil:
    """Add `n` rows: every fourth in a cascade of its own, what is left to the first of them."""
    cdef float part[WIDEST]
    cdef Py_ssize_t whole = n - n % SIDE, i, j
    cascade_columns(q, whole // SIDE, SIDE * step, width, totals, of, code)
    for i in range(whole, n):
        dequantize_run(q + i * step, part, width, of, code)
        add_real_rows(part, 1, width, totals)
    for j in range(1, SIDE):
        cascade_columns(q + j * step, whole // SIDE, SIDE * step, width, part, of, code)
        add_real_rows(part, 1, width, totals)


cdef inline void sum_columns(
    const stored* q, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t start, float* totals,
    Quantizer of, int code
) noexcept nogil:
    """Add the columns from `start` on, at most WIDEST, of `columns` that are neighbors."""
    cdef Py_ssize_t together = SIDE * LANES if columns >= LANES else SIDE
    cdef Py_ssize_t width = min(<Py_ssize_t>WIDEST, columns - start)
    cdef Py_ssize_t whole = width - width % together  # WIDEST is a multiple
    if whole:
        cascade_columns(q, n, columns, whole, totals, of, code)
    if whole < width:
        four_cascades(q + whole, n, columns, width - whole, totals + whole, of, code)
