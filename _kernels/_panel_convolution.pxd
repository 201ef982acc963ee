# Convolutions by panels of filters, on bands of an image in float.
#
# Design
# (a) The filters of some groups, and of these some columns, are turned into floats at once: a
#     slice.
# (b) What lies under a filter is a window of pieces, which begins at another place of the band for
#     each output position and each group; nothing is gathered.

from libc.stdint cimport int8_t, uint8_t

from refquant._kernels._bands cimport Band, first_line_of, lines_of, widen_band
from refquant._kernels._columns cimport Columns
from refquant._kernels._float_tiles cimport Row, TILE
from refquant._kernels._images cimport Geometry
from refquant._kernels._line_tiles cimport LINE_ROWS
from refquant._kernels._panels cimport (
    MOST_PANEL_ROWS, PANEL, PANEL_ROWS, groups_of_tile, multiply_groups, multiply_panels,
    widen_tiles, widened_length,
)
from refquant._kernels._windows cimport Window, add_piece, begin_window, fill_last_tile


cdef struct Slice:
    Py_ssize_t first_group
    Py_ssize_t last_group
    Py_ssize_t first  # column of a group
    Py_ssize_t last


cdef inline void widen_slice(
    const Slice* s, Py_ssize_t task, Py_ssize_t tiles, Py_ssize_t panels, Py_ssize_t depth,
    const int8_t* packed, float* to
) noexcept nogil:
    """Turn up to TILE columns of a slice into floats; `panels` is how many each group has."""
    cdef Py_ssize_t group = task // tiles, at = task % tiles * TILE
    widen_tiles(packed + (s.first_group + group) * panels * PANEL * depth, depth, s.first + at,
                min(<Py_ssize_t>TILE, s.last - s.first - at),
                to + group * widened_length(s.last - s.first, depth) + at * depth)


cdef inline Window window_of(
    const Geometry* g, const Band* b, Py_ssize_t* table, Py_ssize_t depth
) noexcept nogil:
    """List what lies under the filter, from where its first number lies in a band."""
    cdef bint lines = g.dilation[2] == 1 and g.in_group == g.channels
    cdef Py_ssize_t i, j, t, offset
    cdef Window window = begin_window(table, g.kernel[0] * g.kernel[1] * g.kernel[2], depth)
    for i in range(g.kernel[0]):
        for j in range(g.kernel[1]):
            offset = (i * b.held + j * g.dilation[1]) * b.width
            if lines:
                add_piece(&window, offset, g.kernel[2] * g.channels)
            else:
                for t in range(g.kernel[2]):
                    add_piece(&window, offset + t * g.dilation[2] * g.channels, g.in_group)
    if (not lines and window.parts == 1 and window.depth > 0 and g.kernel[2] == 3
            and g.stride[2] == g.dilation[2]):
        window.step = g.stride[2] * g.channels
    return window


cdef inline Py_ssize_t rows_to_compute(
    const Geometry* g, const Window* window, Py_ssize_t column, Py_ssize_t most
) noexcept nogil:
    """Output positions that are computed at once, from one in a line on: whole lines if they fit.

    Parts of a line are multiples of what a tile takes.
    """
    cdef Py_ssize_t count = MOST_PANEL_ROWS
    if window.step > 0 and g.out[2] <= MOST_PANEL_ROWS:
        count = MOST_PANEL_ROWS // g.out[2] * g.out[2]
    elif window.step > 0:
        count = min(MOST_PANEL_ROWS // LINE_ROWS * LINE_ROWS, g.out[2] - column)
    return min(count, most)


cdef inline void set_rows(
    const Geometry* g, const Band* b, const float* band, Py_ssize_t start, Py_ssize_t count,
    Row* rows
) noexcept nogil:
    """Point at what lies under the filter at output positions of a band, and repeat the last."""
    cdef Py_ssize_t line = start // g.out[2], column = start % g.out[2], i
    for i in range(count):
        rows[i] = band + line * g.stride[1] * b.width + column * g.stride[2] * g.channels
        column += 1
        if column == g.out[2]:
            line, column = line + 1, 0
    fill_last_tile(rows, count)


cdef inline void convolve_band(
    const Columns* c, const Geometry* g, const Band* b, const Window* window, const Slice* s,
    Py_ssize_t task, float* scratch, const uint8_t* x, const float* widened, Py_ssize_t in_group,
    Py_ssize_t outputs, uint8_t* q
) noexcept nogil:
    """Compute the columns of a slice for some lines of the output."""
    cdef Py_ssize_t total = lines_of(g, b, task) * g.out[2], start = 0, count, group, n
    cdef Py_ssize_t columns = s.last - s.first, length = widened_length(columns, window.depth)
    cdef Py_ssize_t at_once = groups_of_tile(c, window, columns) if columns == in_group else 1
    cdef const float* w
    cdef Row[PANEL_ROWS] rows
    q += first_line_of(g, b, task) * g.out[2] * outputs
    widen_band(g, b, task, x, scratch)
    while start < total:
        count = rows_to_compute(g, window, start % g.out[2], total - start)
        set_rows(g, b, scratch, start, count, rows)
        group = s.first_group
        while group < s.last_group:
            n = min(at_once, s.last_group - group)
            w = widened + (group - s.first_group) * length
            if n > 1:
                multiply_groups(c, rows, count, window, group * g.in_group, g.in_group, w,
                                group * in_group, in_group, n, q + start * outputs, outputs)
            else:
                multiply_panels(c, rows, count, window, group * g.in_group, w,
                                group * in_group + s.first, group * in_group + s.last,
                                q + start * outputs, NULL, outputs)
            group += n
        start += count
