# Integer matrix products, summed in float.
#
# Design
# (a) Sums grow along the columns, in the tiles of _float_tiles.pxd. They have no lanes to add up in
#     the end, which takes longest where there is little to sum; and processors without dot product
#     instructions multiply floats faster than anything else.
# (b) Products of u8 and s8 are below 2**15. Sums of `EXACT` of them stay below 2**24, so that
#     float32 holds each exactly, in any order, with or without fused operations. Longer rows are
#     cut, and the pieces are added in uint32, where overflow wraps.
# (c) Packed weights are panels of 32 columns, depth after depth. They become floats once for all
#     rows, in memory that the second-level cache holds; few rows take them as they are.

from libc.stdint cimport int8_t, int32_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memset

from refquant._kernels._attributes cimport embedded
from refquant._kernels._columns cimport COLUMNS, Columns
from refquant._kernels._finishing cimport finish_rows, finish_sums, sum_rows
from refquant._kernels._float_tiles cimport (
    Piece, Row, TALL_ROWS, TILE, TILE_ROWS, multiply_add, sum_tall_tile_of_16, sum_tile_of_16,
    sum_tile_of_32, sum_tile_of_64,
)
from refquant._kernels._integers cimport round_up
from refquant._kernels._line_tiles cimport LINE_ROWS, sum_line_tile
from refquant._kernels._windows cimport EXACT, Window, in_line

cdef enum:
    PANEL = 32  # columns of a panel
    FEW_ROWS = 2  # for which weights are not turned into floats
    MOST_PANEL_ROWS = 60  # of a block, a multiple of TILE_ROWS and TALL_ROWS
    PANEL_ROWS = MOST_PANEL_ROWS + TILE_ROWS  # with those that only fill the last tile
    BLOCK_FLOATS = 16384  # of input that a block works on
    SLICE_FLOATS = 1 << 18  # of weight that are turned into floats at once
    LINE = 16  # floats of a line of the cache


cdef inline bint in_panels(packed) noexcept:
    """Whether a packed weight stands in panels, and not in rows."""
    return packed.ndim == 3


cdef inline Py_ssize_t tile_width(Py_ssize_t columns) noexcept nogil:
    """Columns of the next tile where so many are left."""
    if TILE == 64:
        return 64 if columns > 48 else 32 if columns > 16 else 16
    return TILE


cdef inline Py_ssize_t widened_length(Py_ssize_t columns, Py_ssize_t depth) noexcept nogil:
    """Floats of a weight: whole tiles."""
    return depth * round_up(columns, 16 if TILE == 64 else TILE)


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


cdef inline void widen_tiles(
    const int8_t* panels, Py_ssize_t depth, Py_ssize_t first, Py_ssize_t n, float* to
) noexcept nogil:
    """Turn the tiles of `n` columns, at most TILE, from `first` on, into floats."""
    cdef Py_ssize_t at = 0, width
    while at < n:
        width = tile_width(n - at)
        if width == 64:
            widen_columns(panels, depth, first + at, 64, PANEL, to + at * depth)
        elif width == 32:
            widen_columns(panels, depth, first + at, 32, PANEL, to + at * depth)
        else:
            widen_columns(panels, depth, first + at, 16, 16, to + at * depth)
        at += width


cdef inline void widen_run(const uint8_t* x, Py_ssize_t n, float* to) noexcept nogil:
    """Turn numbers of the input into floats."""
    cdef Py_ssize_t k
    for k in range(n):
        to[k] = <float>x[k]


# -- sums ----------------------------------------------------------------------------------------


cdef inline void sum_part(
    const Row* rows, const Window* window, Py_ssize_t part, Py_ssize_t shift, const float* w,
    Py_ssize_t width, bint tall, float* sums
) noexcept nogil:
    """Sum one part of the products of a tile."""
    cdef const Piece* piece = window.pieces + window.starts[part]
    cdef Py_ssize_t count = window.starts[part + 1] - window.starts[part]
    w += part * EXACT * width
    if width == 64:
        sum_tile_of_64(rows, piece, count, shift, w, sums)
    elif width == 32:
        sum_tile_of_32(rows, piece, count, shift, w, sums)
    elif tall:
        sum_tall_tile_of_16(rows, piece, count, shift, w, sums)
    else:
        sum_tile_of_16(rows, piece, count, shift, w, sums)


cdef inline void sum_tiles_of_floats(
    const Row* rows, Py_ssize_t m, const Window* window, Py_ssize_t part, Py_ssize_t shift,
    const float* w, Py_ssize_t width, float* sums
) noexcept nogil:
    """Sum `m` rows by the columns of a tile; pointers to rows go on for the last tile."""
    cdef Py_ssize_t i = 0, height
    cdef bint narrow = TILE == 64 and width == 16
    while i < m:
        if narrow and in_line(rows + i, m - i, window):
            height = LINE_ROWS
            sum_line_tile(rows[i] + shift, window.step, window.pieces, window.starts[1], w, sums)
        else:
            height = TALL_ROWS if narrow and m - i >= TALL_ROWS else TILE_ROWS
            sum_part(rows + i, window, part, shift, w, width, height == TALL_ROWS, sums)
        i += height
        sums += height * COLUMNS


cdef inline void sum_columns(
    const Row* rows, Py_ssize_t m, const Window* window, Py_ssize_t part, Py_ssize_t shift,
    const float* widened, Py_ssize_t n, float* sums
) noexcept nogil:
    """Sum `m` rows, `shift` floats further, by `n` columns, at most COLUMNS, in whole tiles."""
    cdef Py_ssize_t at = 0, width, i
    if window.depth == 0:
        for i in range(m):
            memset(sums + i * COLUMNS, 0, n * sizeof(float))
        return
    while at < n:
        width = tile_width(n - at)
        sum_tiles_of_floats(rows, m, window, part, shift, widened + at * window.depth, width,
                            sums + at)
        at += width


cdef inline void add_part(
    const float* sums, Py_ssize_t n, bint more, int32_t* acc
) noexcept nogil:
    """Store sums as integers, or add them to what `acc` holds."""
    cdef uint32_t keep = 0xFFFFFFFF if more else 0
    cdef Py_ssize_t j
    for j in range(n):
        acc[j] = <int32_t>((<uint32_t>acc[j] & keep) + <uint32_t><int32_t>sums[j])


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
            add_part(sums, PANEL, part > 0, acc + i * COLUMNS)


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
    const Columns* c, const Row* rows, Py_ssize_t m, const Window* window, Py_ssize_t shift,
    const float* widened, Py_ssize_t first, Py_ssize_t last, uint8_t* q, float* y,
    Py_ssize_t outputs
) noexcept nogil:
    """Multiply `m` rows by columns `first` to `last` and finish them into `q` or `y`.

    Rows are read `shift` floats further; pointers to them go on for the last tile. `widened`
    begins with column `first`. `q` or `y`, of rows `outputs` apart, is NULL.
    """
    cdef float[PANEL_ROWS * COLUMNS] sums
    cdef int32_t[MOST_PANEL_ROWS * COLUMNS] acc
    cdef uint32_t[MOST_PANEL_ROWS] row_sums
    cdef Py_ssize_t chunk, column, n, part, i
    if c.row_sums:
        for i in range(m):
            row_sums[i] = sum_of_window(rows[i] + shift, window)
    for chunk in range((last - first + COLUMNS - 1) // COLUMNS):
        column = first + chunk * COLUMNS
        n = min(<Py_ssize_t>COLUMNS, last - column)
        for part in range(window.parts):
            sum_columns(rows, m, window, part, shift, widened + (column - first) * window.depth,
                        n, sums)
            if window.parts > 1:
                for i in range(m):
                    add_part(sums + i * COLUMNS, n, part > 0, acc + i * COLUMNS)
        if window.parts > 1:
            finish_rows(c, m, column, n, row_sums, acc, q, y, outputs)
        else:
            finish_sums(c, m, column, n, row_sums, sums, COLUMNS, q, y, outputs)


cdef inline Py_ssize_t groups_of_tile(
    const Columns* c, const Window* window, Py_ssize_t columns
) noexcept nogil:
    """Groups of `columns` outputs that are finished together; tiles of the last one have room."""
    cdef Py_ssize_t whole = widened_length(columns, 1)
    if c.row_sums or window.parts > 1 or whole > COLUMNS:
        return 1
    return 1 + (COLUMNS - whole) // columns


cdef inline void multiply_groups(
    const Columns* c, const Row* rows, Py_ssize_t m, const Window* window, Py_ssize_t shift,
    Py_ssize_t apart, const float* widened, Py_ssize_t first, Py_ssize_t columns,
    Py_ssize_t groups, uint8_t* q, Py_ssize_t outputs
) noexcept nogil:
    """As `multiply_panels`, for `groups` of few columns whose inputs are `apart`, of one part."""
    cdef float[PANEL_ROWS * COLUMNS] sums
    cdef Py_ssize_t group
    for group in range(groups):
        sum_columns(rows, m, window, 0, shift + group * apart,
                    widened + group * widened_length(columns, window.depth), columns,
                    sums + group * columns)
    finish_sums(c, m, first, groups * columns, NULL, sums, COLUMNS, q, NULL, outputs)


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
