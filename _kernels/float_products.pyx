"""Kernels of refquant.reference.float_products.

Design
(a) A tile is four rows by up to 64 columns of sums, which stay in registers. For each term there is
    one loop over the columns for each row: the order along the depth is that of the definition.
(b) The last columns, where they fill no tile, are copied beside zeros into scratch memory.
(c) Threads take tiles of columns, whose sums do not depend on each other.
"""

from cython.parallel cimport prange, threadid
from libc.math cimport fmaf
from libc.string cimport memcpy, memset

from refquant._kernels._attributes cimport embedded
from refquant._kernels._threads cimport apart, threads_for

import numpy as np

cdef enum:
    WIDTH = 64  # columns of a tile
    ROWS = 4  # rows of a tile
    LANES = 16
    GRAIN = 1 << 18  # products that are worth a thread


cdef inline embedded _chain_rows(
    const float* left, Py_ssize_t step, const float* right, Py_ssize_t stride, Py_ssize_t depth,
    Py_ssize_t width, float* sums
) noexcept nogil:
    """Continue the sums of four rows by `width` columns, which is constant in the caller."""
    cdef float[WIDTH] s0, s1, s2, s3
    cdef const float* r1 = left + step
    cdef const float* r2 = left + 2 * step
    cdef const float* r3 = left + 3 * step
    cdef float x0, x1, x2, x3
    cdef Py_ssize_t j, k
    for j in range(width):
        s0[j] = sums[j]
    for j in range(width):
        s1[j] = sums[WIDTH + j]
    for j in range(width):
        s2[j] = sums[2 * WIDTH + j]
    for j in range(width):
        s3[j] = sums[3 * WIDTH + j]
    for k in range(depth):
        x0 = left[k]
        for j in range(width):
            s0[j] = fmaf(x0, right[j], s0[j])
        x1 = r1[k]
        for j in range(width):
            s1[j] = fmaf(x1, right[j], s1[j])
        x2 = r2[k]
        for j in range(width):
            s2[j] = fmaf(x2, right[j], s2[j])
        x3 = r3[k]
        for j in range(width):
            s3[j] = fmaf(x3, right[j], s3[j])
        right += stride
    for j in range(width):
        sums[j] = s0[j]
    for j in range(width):
        sums[WIDTH + j] = s1[j]
    for j in range(width):
        sums[2 * WIDTH + j] = s2[j]
    for j in range(width):
        sums[3 * WIDTH + j] = s3[j]


cdef inline embedded _chain_row(
    const float* left, const float* right, Py_ssize_t stride, Py_ssize_t depth,
    Py_ssize_t width, float* sums
) noexcept nogil:
    """Continue the sums of one row by `width` columns, which is constant in the caller."""
    cdef float[WIDTH] s
    cdef float x
    cdef Py_ssize_t j, k
    for j in range(width):
        s[j] = sums[j]
    for k in range(depth):
        x = left[k]
        for j in range(width):
            s[j] = fmaf(x, right[j], s[j])
        right += stride
    for j in range(width):
        sums[j] = s[j]


cdef inline void _chain(
    const float* left, Py_ssize_t step, Py_ssize_t rows, const float* right, Py_ssize_t stride,
    Py_ssize_t depth, Py_ssize_t width, float* sums
) noexcept nogil:
    cdef Py_ssize_t i
    if rows == ROWS and width == 64:
        _chain_rows(left, step, right, stride, depth, 64, sums)
    elif rows == ROWS and width == 32:
        _chain_rows(left, step, right, stride, depth, 32, sums)
    elif rows == ROWS:
        _chain_rows(left, step, right, stride, depth, 16, sums)
    else:
        for i in range(rows):
            if width == 64:
                _chain_row(left + i * step, right, stride, depth, 64, sums + i * WIDTH)
            elif width == 32:
                _chain_row(left + i * step, right, stride, depth, 32, sums + i * WIDTH)
            else:
                _chain_row(left + i * step, right, stride, depth, 16, sums + i * WIDTH)


cdef void _multiply(
    const float* left, Py_ssize_t rows, Py_ssize_t depth, const float* right, Py_ssize_t columns,
    Py_ssize_t first, const Py_ssize_t* ends, Py_ssize_t runs, bint from_start, float* scratch,
    float* y
) noexcept nogil:
    """Multiply all rows by the columns of the tile that begins with column `first`."""
    cdef float[ROWS * WIDTH] sums
    cdef Py_ssize_t n = min(<Py_ssize_t>WIDTH, columns - first)
    cdef Py_ssize_t width = 64 if n > 32 else 32 if n > 16 else 16
    cdef Py_ssize_t stride = columns, block, m, run, begin, i, j, k
    cdef const float* tile = right + first
    cdef float* out
    if n < width:
        for k in range(depth):
            memcpy(scratch + k * width, tile + k * columns, n * sizeof(float))
            memset(scratch + k * width + n, 0, (width - n) * sizeof(float))
        tile, stride = scratch, width
    for block in range((rows + ROWS - 1) // ROWS):
        m = min(<Py_ssize_t>ROWS, rows - block * ROWS)
        out = y + block * ROWS * columns + first
        begin = 0
        for run in range(runs):
            memset(sums, 0, sizeof(sums))
            if from_start and run == 0:
                for i in range(m):
                    memcpy(sums + i * WIDTH, out + i * columns, n * sizeof(float))
            _chain(left + block * ROWS * depth + begin, depth, m, tile + begin * stride, stride,
                   ends[run] - begin, width, sums)
            for i in range(m):
                if from_start and run == 0:
                    memcpy(out + i * columns, sums + i * WIDTH, n * sizeof(float))
                else:
                    for j in range(n):
                        out[i * columns + j] = out[i * columns + j] + sums[i * WIDTH + j]
            begin = ends[run]


def chained_products(
    const float[:, :, ::1] left not None, const float[:, :, :, ::1] right not None,
    const float[:, :, :, ::1] start not None, const Py_ssize_t[::1] ends not None,
    bint from_start
):
    """Multiply matrices, the terms added one after the other; inputs are not checked."""
    cdef Py_ssize_t batch = right.shape[0], groups = right.shape[1], depth = right.shape[2]
    cdef Py_ssize_t columns = right.shape[3], rows = left.shape[1], runs = ends.shape[0]
    cdef Py_ssize_t tiles = (columns + WIDTH - 1) // WIDTH, tasks = batch * groups * tiles
    cdef Py_ssize_t task, image, group, first
    cdef int threads
    out = np.array(start, np.float32)
    if out.size == 0 or depth == 0 or runs == 0:
        return out
    threads = threads_for(batch * groups * rows * depth * columns, GRAIN)
    cdef float[:, ::1] scratch = np.empty((max(threads, 1), apart(depth * WIDTH)), np.float32)
    cdef float[:, :, :, ::1] y = out
    with nogil:
        for task in prange(tasks, num_threads=threads, schedule="static",
                           use_threads_if=threads > 1):
            image = task // tiles // groups
            group = task // tiles % groups
            first = task % tiles * WIDTH
            _multiply(&left[group, 0, 0], rows, depth, &right[image, group, 0, 0], columns, first,
                      &ends[0], runs, from_start, &scratch[threadid(), 0], &y[image, group, 0, 0])
    return out


cdef inline float _dot(const float* a, const float* b, Py_ssize_t depth) noexcept nogil:
    cdef float[LANES] lanes
    cdef float[4] q
    cdef Py_ssize_t i, j, k, whole = depth - depth % LANES
    for j in range(LANES):
        lanes[j] = 0.0
    for i in range(depth // LANES):
        k = i * LANES
        for j in range(LANES):
            lanes[j] = fmaf(a[k + j], b[k + j], lanes[j])
    for j in range(depth - whole):
        lanes[j] = fmaf(a[whole + j], b[whole + j], lanes[j])
    for j in range(4):
        q[j] = ((lanes[j] + lanes[4 + j]) + lanes[8 + j]) + lanes[12 + j]
    return (q[0] + q[1]) + (q[2] + q[3])


def products_in_lanes(const float[:, ::1] left not None, const float[:, ::1] right not None):
    """Multiply rows by rows, every sixteenth term in a lane; inputs are not checked."""
    cdef Py_ssize_t rows = left.shape[0], columns = right.shape[0], depth = left.shape[1], i, j
    cdef int threads = threads_for(rows * columns * depth, GRAIN)
    out = np.zeros((rows, columns), np.float32)
    if out.size == 0 or depth == 0:
        return out
    cdef float[:, ::1] y = out
    with nogil:
        for j in prange(columns, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            for i in range(rows):
                y[i, j] = _dot(&left[i, 0], &right[j, 0], depth)
    return out
