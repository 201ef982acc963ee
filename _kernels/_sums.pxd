# Sums of float32 in the order of `sum_in_cascades`, refquant.engines.rules.float_sums.

from libc.string cimport memset

cdef enum:
    LANES = 8
    ROWS = 4
    ROW = 32  # LANES * ROWS
    LEVELS = 4


cdef inline void cascade_rows(
    const float* x, Py_ssize_t rows, Py_ssize_t width, float* totals
) noexcept nogil:
    """Add `rows` rows of `width` numbers, at most ROW, in blocks and blocks of blocks."""
    cdef float level[LEVELS][ROW]
    cdef Py_ssize_t i = 0, j, k, power = 4, bits = 0, until
    while (<Py_ssize_t>1 << bits) < rows:
        bits += 1
    if bits // LEVELS > power:
        power = bits // LEVELS
    memset(level, 0, sizeof(level))
    while i + (<Py_ssize_t>1 << power) <= rows:
        until = i + (<Py_ssize_t>1 << power)
        while i < until:
            for k in range(width):
                level[0][k] = level[0][k] + x[i * width + k]
            i += 1
        for j in range(1, LEVELS):
            for k in range(width):
                level[j][k] = level[j][k] + level[j - 1][k]
                level[j - 1][k] = 0
            if i & (((<Py_ssize_t>1 << power) - 1) << (j * power)):
                break
    while i < rows:
        for k in range(width):
            level[0][k] = level[0][k] + x[i * width + k]
        i += 1
    for j in range(1, LEVELS):
        for k in range(width):
            level[0][k] = level[0][k] + level[j][k]
    for k in range(width):
        totals[k] = level[0][k]


cdef inline float cascade(const float* x, Py_ssize_t n) noexcept nogil:
    """Add `n` numbers: vectors of LANES, four of them side by side; fewer one by one."""
    cdef float totals[ROW]
    cdef Py_ssize_t lanes = LANES if n >= LANES else 1, vectors = n // lanes, k, j
    cdef float total = 0
    cascade_rows(x, vectors // ROWS, ROWS * lanes, totals)
    for k in range(vectors // ROWS * ROWS, vectors):
        for j in range(lanes):
            totals[j] = totals[j] + x[k * lanes + j]
    for k in range(1, ROWS):
        for j in range(lanes):
            totals[j] = totals[j] + totals[k * lanes + j]
    for k in range(vectors * lanes, n):
        total = total + x[k]
    for j in range(lanes):
        total = total + totals[j]
    return total
