# Sums of the real numbers of columns of integers, in the order of `sum_in_cascades`,
# refquant.engines.rules.float_sums.
#
# Design
# (a) A few rows at a time become real numbers, in a buffer that stays in the first cache, and are
#     added to the lowest level of the cascade.
# (b) Columns are added in chunks of a constant size, which stay in registers while rows pass. By
#     the rule of PyTorch's engines, whole chunks need no buffer, and the sum of a block goes to the
#     second level at once.

from libc.stdint cimport int32_t
from libc.string cimport memset

from refquant._kernels._operands cimport Quantizer, stored
from refquant._kernels._rounding cimport dequantize_run, subtract
from refquant._kernels._rules cimport SUBTRACT

cdef enum:
    WIDEST = 256   # columns
    BUFFER = 4096  # numbers
    ROWS = 16      # of the smallest block; the buffer holds those of the widest
    CHUNK = 64
    LEVELS = 4
    SIDE = 4       # cascades side by side
    LANES = 8


cdef inline void add_chunk(
    const float* x, Py_ssize_t rows, Py_ssize_t step, float* totals, const Py_ssize_t size
) noexcept nogil:
    cdef float held[CHUNK]
    cdef Py_ssize_t i, k
    for k in range(size):
        held[k] = totals[k]
    for i in range(rows):
        for k in range(size):
            held[k] = held[k] + x[i * step + k]
    for k in range(size):
        totals[k] = held[k]


cdef inline void add_real_rows(
    const float* x, Py_ssize_t rows, Py_ssize_t width, float* totals
) noexcept nogil:
    """Add rows of `width` numbers to totals, one after the other."""
    cdef Py_ssize_t start = 0, i, k
    while start + CHUNK // 2 <= width:
        add_chunk(x + start, rows, width, totals + start, CHUNK // 2)
        start += CHUNK // 2
    if start < width:
        for i in range(rows):
            for k in range(start, width):
                totals[k] = totals[k] + x[i * width + k]


cdef inline void subtract_chunk(
    const stored* q, Py_ssize_t blocks, Py_ssize_t step, float* totals, Quantizer of,
    const Py_ssize_t size
) noexcept nogil:
    cdef float held[CHUNK]
    cdef float total[CHUNK]
    cdef float s = <float>of.scale
    cdef int32_t z = of.zero_point
    cdef Py_ssize_t b, i, k
    for k in range(size):
        total[k] = totals[k]
    for b in range(blocks):
        for k in range(size):
            held[k] = 0
        for i in range(ROWS):
            for k in range(size):
                held[k] = held[k] + subtract(q[(b * ROWS + i) * step + k], s, z)
        for k in range(size):
            total[k] = total[k] + held[k]
    for k in range(size):
        totals[k] = total[k]


cdef inline void subtract_blocks(
    const stored* q, Py_ssize_t blocks, Py_ssize_t step, Py_ssize_t width, float* totals,
    Quantizer of
) noexcept nogil:
    """Add the sums of blocks of ROWS dequantized rows of half a chunk or more of them."""
    cdef Py_ssize_t start = 0
    while start + CHUNK <= width:
        subtract_chunk(q + start, blocks, step, totals + start, of, CHUNK)
        start += CHUNK
    if start < width:
        subtract_chunk(q + start, blocks, step, totals + start, of, CHUNK // 2)


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
    cdef float x[BUFFER]
    cdef float level[LEVELS][WIDEST]
    cdef Py_ssize_t held = BUFFER // width // ROWS * ROWS, done = 0, bits = 0, power = 4, place
    cdef Py_ssize_t rows, j, k
    cdef bint direct
    while (<Py_ssize_t>1 << bits) < n:
        bits += 1
    power = max(power, bits // LEVELS)
    direct = code == SUBTRACT and width % (CHUNK // 2) == 0 and <Py_ssize_t>1 << power == ROWS
    memset(level, 0, sizeof(level))
    while done < n:
        rows, j = min(<Py_ssize_t>ROWS, n - done), 1
        if direct and rows == ROWS:
            rows, j = min(<Py_ssize_t>ROWS, (n - done) // ROWS) * ROWS, 2
            subtract_blocks(q + done * step, rows // ROWS, step, width, level[1], of)
        else:
            place = 0 if direct else done % held
            if place == 0:
                dequantize_rows(q + done * step, min(held, n - done), step, width, x, of, code)
            add_real_rows(x + place * width, rows, width, level[0])
        done += rows
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
