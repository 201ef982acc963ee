# Bands of an image in float: what lies under the filter for some lines of the output.
#
# Design
# (a) A band has the border of the image, so that nothing under a filter lies outside it, and
#     every output position of a line is as far from the next one.
# (b) It is as large as a cache: a line of the output, or several short ones. Lines that two bands
#     need are turned into floats twice, which costs little beside the products.

from libc.stdint cimport uint8_t

from refquant._kernels._images cimport Geometry, line_of
from refquant._kernels._integers cimport round_up
from refquant._kernels._panels cimport widen_run

cdef enum:
    POSITIONS = 96  # of the output that are computed at once where lines are short
    LINES = 8  # of the output where the band stays small
    FLOATS = 65536  # of a small band


cdef struct Band:
    Py_ssize_t lines  # of the output
    Py_ssize_t held  # lines of the input in each plane
    Py_ssize_t width  # of a line, with its border
    Py_ssize_t size  # of all floats


cdef inline Py_ssize_t bands_of(const Geometry* g, const Band* b) noexcept nogil:
    """Bands of each plane of the output."""
    return (g.out[1] + b.lines - 1) // b.lines


cdef inline Band band_of(const Geometry* g, int threads) noexcept nogil:
    """Choose how many lines of the output are computed at once, as many for each thread."""
    cdef Band b
    cdef Py_ssize_t bands
    b.width = (g.image[2] + 2 * g.padding[2]) * g.channels
    b.lines = min(<Py_ssize_t>LINES, FLOATS // (b.width * g.kernel[0] * g.stride[1] + 1))
    b.lines = min(g.out[1], max(b.lines, (POSITIONS + g.out[2] - 1) // g.out[2]))
    bands = round_up(bands_of(g, &b), threads)
    b.lines = (g.out[1] + bands - 1) // bands
    b.held = (b.lines - 1) * g.stride[1] + (g.kernel[1] - 1) * g.dilation[1] + 1
    b.size = g.kernel[0] * b.held * b.width
    return b


cdef inline void widen_line(
    const Geometry* g, const Band* b, const uint8_t* source, float* to
) noexcept nogil:
    """Turn a line into floats, with its border; NULL lies outside the image."""
    cdef Py_ssize_t k, border = g.padding[2] * g.channels, inside = g.image[2] * g.channels
    if source == NULL:
        for k in range(b.width):
            to[k] = <float>g.zero_point
        return
    for k in range(border):
        to[k] = to[border + inside + k] = <float>g.zero_point
    widen_run(source, inside, to + border)


cdef inline Py_ssize_t first_line_of(
    const Geometry* g, const Band* b, Py_ssize_t task
) noexcept nogil:
    """First line of the output of a band, counted over all planes and images."""
    cdef Py_ssize_t bands = bands_of(g, b)
    return task // bands * g.out[1] + task % bands * b.lines


cdef inline Py_ssize_t lines_of(const Geometry* g, const Band* b, Py_ssize_t task) noexcept nogil:
    """Lines of the output that a band has; the last one of a plane may have fewer."""
    return min(b.lines, g.out[1] - task % bands_of(g, b) * b.lines)


cdef inline void widen_band(
    const Geometry* g, const Band* b, Py_ssize_t task, const uint8_t* x, float* to
) noexcept nogil:
    """Turn what the lines of a band need into floats; long strides skip lines."""
    cdef Py_ssize_t bands = bands_of(g, b), reach = (g.kernel[1] - 1) * g.dilation[1] + 1
    cdef Py_ssize_t plane = task // bands % g.out[0] * g.stride[0] - g.padding[0]
    cdef Py_ssize_t first = task % bands * b.lines * g.stride[1] - g.padding[1]
    cdef Py_ssize_t line, i, j, begin, end = 0
    cdef const uint8_t* image = x + (
        task // bands // g.out[0] * g.image[0] * g.image[1] * g.image[2] * g.channels)
    for line in range(lines_of(g, b, task)):
        begin = max(line * g.stride[1], end)
        end = line * g.stride[1] + reach
        for i in range(g.kernel[0]):
            for j in range(begin, end):
                widen_line(g, b, line_of(g, image, plane + i * g.dilation[0], first + j),
                           to + (i * b.held + j) * b.width)
