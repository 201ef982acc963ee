# Images that lie channels-last, and what stands under a filter.

from libc.stdint cimport uint8_t

# Extents along depth, height and width.
cdef struct Geometry:
    Py_ssize_t[3] image
    Py_ssize_t[3] kernel
    Py_ssize_t[3] stride
    Py_ssize_t[3] padding
    Py_ssize_t[3] dilation
    Py_ssize_t[3] out
    Py_ssize_t channels  # of the image
    Py_ssize_t in_group
    Py_ssize_t size  # of all images
    bint pointwise  # each output position has one pixel under it, in the same order
    int zero_point

# Of an output: plane, line and column, and the image they are taken from.
cdef struct Position:
    Py_ssize_t[3] at
    const uint8_t* image


cdef inline const uint8_t* line_of(
    const Geometry* g, const uint8_t* image, Py_ssize_t plane, Py_ssize_t line
) noexcept nogil:
    """First pixel of a line of an image; NULL outside."""
    if not (0 <= plane < g.image[0] and 0 <= line < g.image[1]):
        return NULL
    return image + (plane * g.image[1] + line) * g.image[2] * g.channels


cdef inline Position position_of(
    const Geometry* g, const uint8_t* x, Py_ssize_t number
) noexcept nogil:
    """Find an output position by its number in memory."""
    cdef Position p
    cdef int d
    for d in range(2, -1, -1):
        p.at[d] = number % g.out[d]
        number = number // g.out[d]
    p.image = x + number * g.image[0] * g.image[1] * g.image[2] * g.channels
    return p


cdef inline void advance(const Geometry* g, Position* p) noexcept nogil:
    """Go to the next position in memory."""
    cdef int d
    for d in range(2, -1, -1):
        p.at[d] += 1
        if p.at[d] < g.out[d]:
            return
        p.at[d] = 0
    p.image += g.image[0] * g.image[1] * g.image[2] * g.channels
