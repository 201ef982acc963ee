# What lies under a row of a weight: a window of pieces, which begins elsewhere for each output.

from refquant._kernels._float_tiles cimport Piece, Row, TILE_ROWS
from refquant._kernels._line_tiles cimport LINE_ROWS

cdef enum:
    EXACT = 512  # products whose sum float32 holds


# All pieces of a row, in the order of the weight, in parts of EXACT products.
cdef struct Window:
    Py_ssize_t depth
    Py_ssize_t parts
    Piece* pieces
    Py_ssize_t* starts  # of each part among the pieces, and where the last one ends
    Py_ssize_t step  # from an output to the next, if each three pieces are so far apart, else 0


cdef inline Py_ssize_t window_length(Py_ssize_t pieces, Py_ssize_t depth) noexcept nogil:
    """Numbers of the table of a window that has so many pieces before they are cut."""
    return 2 * pieces + 3 * (depth // EXACT + 1) + 1


cdef inline Window begin_window(
    Py_ssize_t* table, Py_ssize_t pieces, Py_ssize_t depth
) noexcept nogil:
    """Bind the table of a window that will have so many pieces before they are cut."""
    cdef Window window
    window.depth, window.parts = 0, 1  # a window of nothing has a part, so that it has sums
    window.step = 0
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


cdef inline bint in_line(const Row* rows, Py_ssize_t m, const Window* w) noexcept nogil:
    """Whether there are LINE_ROWS rows that are neighbors in a line."""
    return (w.step > 0 and m >= LINE_ROWS
            and rows[LINE_ROWS - 1] == rows[0] + (LINE_ROWS - 1) * w.step)


cdef inline void fill_last_tile(Row* rows, Py_ssize_t count) noexcept nogil:
    """Repeat the last of `count` rows, of which there may be too few for a tile."""
    cdef Py_ssize_t i
    for i in range(count, count + TILE_ROWS):
        rows[i] = rows[count - 1]
