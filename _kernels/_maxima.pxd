# The largest integers of windows, to be inlined into loops.
#
# Design
# (a) The largest of a window is that of the largest of its rows: runs of neighbors are compared,
#     first down the rows, then across the columns.
# (b) Runs go in chunks of a constant size, which the compiler turns into vectors without a loop
#     for the rest: the last chunk ends where the run ends and repeats some elements.
# (c) A chunk is kept in registers while all that is compared with it passes.

from refquant._kernels._operands cimport stored

cdef enum:
    CHUNK = 64


cdef struct Geometry:
    Py_ssize_t height
    Py_ssize_t width
    Py_ssize_t inner
    Py_ssize_t out_height
    Py_ssize_t out_width
    Py_ssize_t kernel_height
    Py_ssize_t kernel_width
    Py_ssize_t stride_height
    Py_ssize_t stride_width
    Py_ssize_t padding_height
    Py_ssize_t padding_width
    Py_ssize_t dilation_height
    Py_ssize_t dilation_width


cdef inline Py_ssize_t first_inside(Py_ssize_t offset, Py_ssize_t stride) noexcept nogil:
    """Smallest j >= 0 for which j * stride + offset is not negative."""
    return (-offset + stride - 1) // stride if offset < 0 else 0


cdef inline Py_ssize_t end_inside(
    Py_ssize_t offset, Py_ssize_t stride, Py_ssize_t extent, Py_ssize_t count
) noexcept nogil:
    """First j for which j * stride + offset lies behind the last element."""
    if offset >= extent:
        return 0
    if offset + (count - 1) * stride < extent:
        return count
    return (extent - 1 - offset) // stride + 1


cdef inline void largest_of_chunks(
    const stored* first, Py_ssize_t count, Py_ssize_t step, stored* out, const Py_ssize_t size
) noexcept nogil:
    cdef stored held[CHUNK]
    cdef stored value
    cdef Py_ssize_t u, k
    for k in range(size):
        held[k] = first[k]
    for u in range(1, count):
        for k in range(size):
            value = first[u * step + k]
            held[k] = value if value > held[k] else held[k]
    for k in range(size):
        out[k] = held[k]


cdef inline void largest_of_runs(
    const stored* first, Py_ssize_t count, Py_ssize_t step, Py_ssize_t n, stored* out, stored lowest
) noexcept nogil:
    """Compare `count` runs of `n` neighbors, `step` apart."""
    cdef Py_ssize_t start = 0, k, u
    cdef stored value
    if count <= 0:
        for k in range(n):
            out[k] = lowest
    elif n >= CHUNK:
        while start < n:
            start = min(start, n - CHUNK)
            largest_of_chunks(first + start, count, step, out + start, CHUNK)
            start += CHUNK
    elif n >= CHUNK // 2:
        start = n - CHUNK // 2
        largest_of_chunks(first, count, step, out, CHUNK // 2)
        largest_of_chunks(first + start, count, step, out + start, CHUNK // 2)
    elif n >= CHUNK // 4:
        start = n - CHUNK // 4
        largest_of_chunks(first, count, step, out, CHUNK // 4)
        largest_of_chunks(first + start, count, step, out + start, CHUNK // 4)
    else:
        for k in range(n):
            value = first[k]
            for u in range(1, count):
                value = max(value, first[u * step + k])
            out[k] = value


cdef inline void largest_of_window(
    const stored* line, stored* out, Py_ssize_t j, Geometry g, stored lowest
) noexcept nogil:
    """One window of a line, all channels."""
    cdef Py_ssize_t x = j * g.stride_width - g.padding_width
    cdef Py_ssize_t begin = first_inside(x, g.dilation_width)
    cdef Py_ssize_t end = end_inside(x, g.dilation_width, g.width, g.kernel_width)
    largest_of_runs(
        line + (x + begin * g.dilation_width) * g.inner, end - begin, g.dilation_width * g.inner,
        g.inner, out + j * g.inner, lowest)


cdef inline void largest_across(
    const stored* line, stored* scratch, stored* row, Geometry g, stored lowest
) noexcept nogil:
    """Compare the columns of a line; `scratch` holds another line."""
    cdef Py_ssize_t reach = (g.kernel_width - 1) * g.dilation_width, begin, end, j, place
    if g.inner > 1 or g.width <= reach:
        for j in range(g.out_width):
            largest_of_window(line, row, j, g, lowest)
        return
    # Windows that begin at every pixel, of which every `stride_width`-th one is wanted.
    largest_of_runs(line, g.kernel_width, g.dilation_width, g.width - reach, scratch, lowest)
    begin = min(first_inside(-g.padding_width, g.stride_width), g.out_width)
    end = max(begin, end_inside(reach - g.padding_width, g.stride_width, g.width, g.out_width))
    for j in range(begin):
        largest_of_window(line, row, j, g, lowest)
    place = begin * g.stride_width - g.padding_width
    for j in range(begin, end):
        row[j] = scratch[place]
        place = place + g.stride_width
    for j in range(end, g.out_width):
        largest_of_window(line, row, j, g, lowest)


cdef inline void largest_of_line(
    const stored* image, stored* row, Py_ssize_t i, Geometry g, stored lowest, stored* scratch
) noexcept nogil:
    """One row of the output of one image; `scratch` holds two rows of the input."""
    cdef Py_ssize_t across = g.width * g.inner
    cdef Py_ssize_t y = i * g.stride_height - g.padding_height
    cdef Py_ssize_t begin = first_inside(y, g.dilation_height)
    cdef Py_ssize_t end = end_inside(y, g.dilation_height, g.height, g.kernel_height)
    cdef bint columns = not (
        g.kernel_width == g.stride_width == 1 and g.padding_width == 0 and g.out_width == g.width)
    largest_of_runs(
        image + (y + begin * g.dilation_height) * across, end - begin, g.dilation_height * across,
        across, scratch if columns else row, lowest)
    if columns:
        largest_across(scratch, scratch + across, row, g, lowest)
