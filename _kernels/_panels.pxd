# Tiles of integer matrix products, summed in float.
#
# Design
# (a) A tile is six rows by some columns of sums. For each number of the input there is one loop
#     over the columns: a product with a number that all of them share, and a sum. It has no lanes
#     to add up in the end, which takes longest where there is little to sum; and processors
#     without dot product instructions multiply floats faster than anything else.
# (b) Products of u8 and s8 are below 2**15. Sums of `EXACT` of them stay below 2**24, so that
#     float32 holds each exactly, in any order, with or without fused operations. Longer rows are
#     cut, and the pieces are added in uint32, where overflow wraps.
# (c) Packed weights are panels of 32 columns, depth after depth. They become floats once for all
#     rows, in memory that the second-level cache holds; few rows take them as they are.
# (d) A row of the input is a list of pieces, so that what lies under the filter of a convolution is
#     not copied: a filter of three lines has three pieces, which rows of the input share.
# (e) As many columns as fill the registers are summed at once; which, depends on the processor.

from libc.math cimport fmaf
from libc.stdint cimport int8_t, int32_t, uint8_t, uint32_t, uintptr_t

from refquant._kernels._attributes cimport embedded
from refquant._kernels._columns cimport COLUMNS, Columns, finish_rows, sum_rows

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
    PANEL = 32  # columns of a panel
    TILE_ROWS = 6
    FEW_ROWS = 2  # for which weights are not turned into floats
    EXACT = 512  # products whose sum float32 holds
    MOST_PANEL_ROWS = 48  # of a block, a multiple of TILE_ROWS
    BLOCK_FLOATS = 16384  # of input that a block works on
    SLICE_FLOATS = 1 << 18  # of weight that are turned into floats at once
    LINE = 16  # floats of a line of the cache


ctypedef const float* Row

# What lies under a row of the weight: a piece of the input that is contiguous.
cdef struct Piece:
    Py_ssize_t offset  # from where the row begins
    Py_ssize_t length

# All pieces of a row, in the order of the weight, in parts of EXACT products.
cdef struct Window:
    Py_ssize_t depth
    Py_ssize_t parts
    Piece* pieces
    Py_ssize_t* starts  # of each part among the pieces, and where the last one ends


cdef inline Py_ssize_t window_length(Py_ssize_t pieces, Py_ssize_t depth) noexcept nogil:
    """Numbers of the table of a window that has so many pieces before they are cut."""
    return 2 * pieces + 3 * (depth // EXACT + 1) + 1


cdef inline Window begin_window(
    Py_ssize_t* table, Py_ssize_t pieces, Py_ssize_t depth
) noexcept nogil:
    """Bind the table of a window that will have so many pieces before they are cut."""
    cdef Window window
    window.depth, window.parts = 0, 1  # a window of nothing has a part, so that it has sums
    window.pieces = <Piece*>table
    window.starts = table + 2 * (pieces + depth // EXACT + 1)
    window.starts[0] = window.starts[1] = 0
    return window


cdef inline void add_piece(Window* w, Py_ssize_t offset, Py_ssize_t length) noexcept nogil:
    """Append a piece, cut where a part ends."""
    cdef Py_ssize_t n
    while length > 0:
        if w.depth > 0 and w.depth % EXACT == 0:
            w.parts += 1
            w.starts[w.parts] = w.starts[w.parts - 1]
        n = min(length, EXACT - w.depth % EXACT)
        w.pieces[w.starts[w.parts]].offset = offset
        w.pieces[w.starts[w.parts]].length = n
        w.starts[w.parts] += 1
        w.depth += n
        offset += n
        length -= n


cdef inline bint in_panels(packed) noexcept:
    """Whether a packed weight stands in panels, and not in rows."""
    return packed.ndim == 3


cdef inline Py_ssize_t tile_width(Py_ssize_t columns) noexcept nogil:
    """Columns of the next tile where so many are left."""
    if TILE == 64:
        return 64 if columns > 32 else 32 if columns > 16 else 16
    return TILE


cdef inline Py_ssize_t widened_length(Py_ssize_t columns, Py_ssize_t depth) noexcept nogil:
    """Floats of a weight: whole tiles."""
    cdef Py_ssize_t whole = columns // TILE * TILE
    return depth * (whole + (tile_width(columns - whole) if columns > whole else 0))


cdef inline Py_ssize_t panel_rows_of_block(Py_ssize_t depth) noexcept nogil:
    """Rows that a block takes, a multiple of `TILE_ROWS`."""
    cdef Py_ssize_t rows = BLOCK_FLOATS // (depth if depth > 0 else 1) // TILE_ROWS * TILE_ROWS
    rows = rows if rows > TILE_ROWS else <Py_ssize_t>TILE_ROWS
    return rows if rows < MOST_PANEL_ROWS else <Py_ssize_t>MOST_PANEL_ROWS


cdef inline Py_ssize_t columns_of_slice(Py_ssize_t depth) noexcept nogil:
    """Columns that are turned into floats at once, a multiple of COLUMNS."""
    cdef Py_ssize_t columns = SLICE_FLOATS // (depth if depth > 0 else 1) // COLUMNS * COLUMNS
    return columns if columns > COLUMNS else <Py_ssize_t>COLUMNS


# -- scratch memory ------------------------------------------------------------------------------


cdef inline Py_ssize_t room(Py_ssize_t floats) noexcept nogil:
    """Floats to allocate so that so many can begin with a line of the cache."""
    return floats + LINE


cdef inline float* on_a_line(float* scratch) noexcept nogil:
    """Go to where a line of the cache begins; what is allocated begins anywhere."""
    return scratch + (LINE - <uintptr_t>scratch // sizeof(float) % LINE) % LINE


# -- from integers to floats ---------------------------------------------------------------------


cdef inline embedded widen_columns(
    const int8_t* panels, Py_ssize_t depth, Py_ssize_t first, Py_ssize_t width,
    Py_ssize_t at_once, float* to
) noexcept nogil:
    """Turn `width` columns from `first` on into floats, `at_once` of each panel."""
    cdef Py_ssize_t i, j, k, t
    cdef const int8_t* panel
    for i in range(width // at_once):
        j = i * at_once
        panel = panels + (first + j) // PANEL * PANEL * depth + (first + j) % PANEL
        for k in range(depth):
            for t in range(at_once):
                to[k * width + j + t] = <float>panel[k * PANEL + t]


cdef inline void widen_tile(
    const int8_t* panels, Py_ssize_t depth, Py_ssize_t first, Py_ssize_t width, float* to
) noexcept nogil:
    """Turn the columns of a tile, from `first` on, into floats."""
    if width == 64:
        widen_columns(panels, depth, first, 64, PANEL, to)
    elif width == 32:
        widen_columns(panels, depth, first, 32, PANEL, to)
    else:
        widen_columns(panels, depth, first, 16, 16, to)


cdef inline void widen_run(const uint8_t* x, Py_ssize_t n, float* to) noexcept nogil:
    """Turn numbers of the input into floats."""
    cdef Py_ssize_t k
    for k in range(n):
        to[k] = <float>x[k]


# -- sums ----------------------------------------------------------------------------------------


cdef inline embedded store_row(
    const float* sums, Py_ssize_t width, uint32_t keep, int32_t* acc
) noexcept nogil:
    """Add to what `acc` holds, of which the mask `keep` keeps all or nothing.

    With a branch here GCC makes scalars of the last loop before it.
    """
    cdef Py_ssize_t j
    for j in range(width):
        acc[j] = <int32_t>((<uint32_t>acc[j] & keep) + <uint32_t><int32_t>sums[j])


cdef inline embedded sum_wide_tile(
    const Row* rows, const Piece* piece, Py_ssize_t count, const float* w, Py_ssize_t width,
    uint32_t keep, int32_t* acc
) noexcept nogil:
    """Sum six rows by `width` columns, which is constant in the caller."""
    cdef float[COLUMNS] s0, s1, s2, s3, s4, s5
    cdef const float* r0
    cdef const float* r1
    cdef const float* r2
    cdef const float* r3
    cdef const float* r4
    cdef const float* r5
    cdef float x0, x1, x2, x3, x4, x5
    cdef Py_ssize_t j, k, n, p
    for j in range(width):
        s0[j] = 0.0
    for j in range(width):
        s1[j] = 0.0
    for j in range(width):
        s2[j] = 0.0
    for j in range(width):
        s3[j] = 0.0
    for j in range(width):
        s4[j] = 0.0
    for j in range(width):
        s5[j] = 0.0
    for p in range(count):
        n = piece[p].length
        r0 = rows[0] + piece[p].offset
        r1 = rows[1] + piece[p].offset
        r2 = rows[2] + piece[p].offset
        r3 = rows[3] + piece[p].offset
        r4 = rows[4] + piece[p].offset
        r5 = rows[5] + piece[p].offset
        for k in range(n):
            x0 = r0[k]
            for j in range(width):
                s0[j] = multiply_add(x0, w[j], s0[j])
            x1 = r1[k]
            for j in range(width):
                s1[j] = multiply_add(x1, w[j], s1[j])
            x2 = r2[k]
            for j in range(width):
                s2[j] = multiply_add(x2, w[j], s2[j])
            x3 = r3[k]
            for j in range(width):
                s3[j] = multiply_add(x3, w[j], s3[j])
            x4 = r4[k]
            for j in range(width):
                s4[j] = multiply_add(x4, w[j], s4[j])
            x5 = r5[k]
            for j in range(width):
                s5[j] = multiply_add(x5, w[j], s5[j])
            w += width
    store_row(s0, width, keep, acc)
    store_row(s1, width, keep, acc + COLUMNS)
    store_row(s2, width, keep, acc + 2 * COLUMNS)
    store_row(s3, width, keep, acc + 3 * COLUMNS)
    store_row(s4, width, keep, acc + 4 * COLUMNS)
    store_row(s5, width, keep, acc + 5 * COLUMNS)


cdef inline void sum_tiles_of_floats(
    const Row* rows, Py_ssize_t m, const Window* window, const float* w, Py_ssize_t width,
    int32_t* acc
) noexcept nogil:
    """Sum `m` rows by the columns of a tile; pointers to rows go on to a multiple of six."""
    cdef Py_ssize_t tile, part, i, count
    cdef const Piece* piece
    cdef const float* part_of_w
    cdef uint32_t keep
    for tile in range((m + TILE_ROWS - 1) // TILE_ROWS):
        i = tile * TILE_ROWS
        for part in range(window.parts):
            piece = window.pieces + window.starts[part]
            count = window.starts[part + 1] - window.starts[part]
            part_of_w = w + part * EXACT * width
            keep = 0xFFFFFFFF if part > 0 else 0
            if width == 64:
                sum_wide_tile(rows + i, piece, count, part_of_w, 64, keep, acc + i * COLUMNS)
            elif width == 32:
                sum_wide_tile(rows + i, piece, count, part_of_w, 32, keep, acc + i * COLUMNS)
            else:
                sum_wide_tile(rows + i, piece, count, part_of_w, 16, keep, acc + i * COLUMNS)


cdef inline void sum_few_rows(
    const uint8_t* x, Py_ssize_t stride, Py_ssize_t m, const int8_t* panel, Py_ssize_t depth,
    int32_t* acc
) noexcept nogil:
    """Sum `m` rows by the columns of a panel."""
    cdef float[PANEL] sums
    cdef Py_ssize_t i, j, k, part, start
    cdef float number
    for i in range(m):
        for part in range((depth + EXACT - 1) // EXACT if depth > 0 else 1):
            start = part * EXACT
            for j in range(PANEL):
                sums[j] = 0.0
            for k in range(start, min(start + EXACT, depth)):
                number = <float>x[i * stride + k]
                for j in range(PANEL):
                    sums[j] = multiply_add(number, <float>panel[k * PANEL + j], sums[j])
            store_row(sums, PANEL, 0xFFFFFFFF if part > 0 else 0, acc + i * COLUMNS)


# -- blocks --------------------------------------------------------------------------------------


cdef inline uint32_t sum_of_window(const float* row, const Window* window) noexcept nogil:
    """Add up a row of the input."""
    cdef uint32_t total = 0
    cdef Py_ssize_t p, k
    for p in range(window.starts[window.parts]):
        for k in range(window.pieces[p].length):
            total += <uint32_t>row[window.pieces[p].offset + k]
    return total


cdef inline void multiply_panels(
    const Columns* c, const Row* rows, Py_ssize_t m, const Window* window, const float* widened,
    Py_ssize_t first, Py_ssize_t last, uint8_t* q, float* y, Py_ssize_t outputs
) noexcept nogil:
    """Multiply `m` rows by columns `first` to `last` and finish them into `q` or `y`.

    `widened` begins with column `first`. Pointers to rows go on to a multiple of six. `q` or `y`,
    of rows `outputs` apart, is NULL.
    """
    cdef int32_t[MOST_PANEL_ROWS * COLUMNS] acc
    cdef uint32_t[MOST_PANEL_ROWS] row_sums
    cdef Py_ssize_t chunk, column, at, n, i, width
    if c.row_sums:
        for i in range(m):
            row_sums[i] = sum_of_window(rows[i], window)
    for chunk in range((last - first + COLUMNS - 1) // COLUMNS):
        column = first + chunk * COLUMNS
        n = min(<Py_ssize_t>COLUMNS, last - column)
        at = 0
        while at < n:
            width = tile_width(n - at)
            sum_tiles_of_floats(rows, m, window, widened + (column - first + at) * window.depth,
                                width, acc + at)
            at += width
        finish_rows(c, m, column, n, row_sums, acc, q, y, outputs)


cdef inline void multiply_few(
    const Columns* c, const uint8_t* x, Py_ssize_t m, Py_ssize_t depth, const int8_t* panels,
    Py_ssize_t first, Py_ssize_t last, uint8_t* q, float* y, Py_ssize_t outputs
) noexcept nogil:
    """As `multiply_panels`, for at most `FEW_ROWS` rows and panels that begin with `first`."""
    cdef int32_t[FEW_ROWS * COLUMNS] acc
    cdef uint32_t[FEW_ROWS] row_sums
    cdef Py_ssize_t chunk, column, at, n
    sum_rows(c, x, depth, m, depth, row_sums)
    for chunk in range((last - first + COLUMNS - 1) // COLUMNS):
        column = first + chunk * COLUMNS
        n = min(<Py_ssize_t>COLUMNS, last - column)
        at = 0
        while at < n:
            sum_few_rows(x, depth, m, panels + (column - first + at) * depth, depth, acc + at)
            at += PANEL
        finish_rows(c, m, column, n, row_sums, acc, q, y, outputs)
