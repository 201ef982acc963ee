"""Kernels of refquant.reference.resizing.

Design
(a) One scalar function for each way to mix, whose loop over the channels of channels-last images
    vectorizes.
(b) Row-major images are mixed across first, a line of the image at once, and the last two lines are
    kept: the lines of the output between them need no others.
(c) Some rows of the output are a unit of work for a thread.
"""

from cython.parallel cimport prange, threadid
from libc.math cimport fabsf, floorf, fmaf, rintf
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from refquant._kernels._operands cimport Output, char_of, output_of, stored
from refquant._kernels._rounding cimport saturate
from refquant._kernels._rules cimport MIX_FUSED, MIX_ROUNDED
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import MIX

cdef enum:
    GRAIN = 1 << 16  # elements worth a thread
    ROWS = 32  # of the output that a thread mixes in turn


cdef struct Shares:
    float h0
    float h1
    float w0
    float w1


cdef inline float mix_rounded(float a, float b, float c, float d, Shares s) noexcept nogil:
    return s.h0 * (s.w0 * a + s.w1 * b) + s.h1 * (s.w0 * c + s.w1 * d)


cdef inline float mix_fused(float a, float b, float c, float d, Shares s) noexcept nogil:
    return fmaf(s.h1, fmaf(s.w1, d, s.w0 * c), s.h0 * fmaf(s.w1, b, s.w0 * a))


cdef inline float mix_fused_first(float a, float b, float c, float d, Shares s) noexcept nogil:
    return fmaf(s.h0, fmaf(s.w0, a, s.w1 * b), s.h1 * fmaf(s.w0, c, s.w1 * d))


cdef inline int32_t rounded(float mixed, Output to, stored unused) noexcept nogil:
    cdef float zero = <float>to.zero_point
    return saturate(rintf(zero + (mixed - zero)), to.output_min, to.output_max, unused)


cdef void _mix_channels(
    const stored* a, const stored* b, const stored* c, const stored* d, stored* out,
    Py_ssize_t n, Shares s, Output to, int code
) noexcept nogil:
    """Neighboring channels of one pixel, by one rule."""
    cdef Py_ssize_t k
    cdef stored unused = 0
    if code == MIX_ROUNDED:
        for k in range(n):
            out[k] = <stored>rounded(mix_rounded(a[k], b[k], c[k], d[k], s), to, unused)
    elif code == MIX_FUSED:
        for k in range(n):
            out[k] = <stored>rounded(mix_fused(a[k], b[k], c[k], d[k], s), to, unused)
    else:
        for k in range(n):
            out[k] = <stored>rounded(mix_fused_first(a[k], b[k], c[k], d[k], s), to, unused)


cdef void _mix_row(
    const stored* upper, const stored* lower, stored* out, const int64_t[:, ::1] columns,
    const float[:, ::1] shares, float h0, float h1, Py_ssize_t inner, Output to,
    Py_ssize_t vectors, int code, int tail_code
) noexcept nogil:
    """One row of the output."""
    cdef Py_ssize_t j, left, right
    cdef Shares s
    s.h0, s.h1 = h0, h1
    for j in range(columns.shape[0]):
        s.w0, s.w1 = shares[j, 0], shares[j, 1]
        left, right = columns[j, 0] * inner, columns[j, 1] * inner
        _mix_channels(upper + left, upper + right, lower + left, lower + right, out + j * inner,
                      vectors, s, to, code)
        left, right = left + vectors, right + vectors
        _mix_channels(upper + left, upper + right, lower + left, lower + right,
                      out + j * inner + vectors, inner - vectors, s, to, tail_code)


cdef void _mix_image(
    const stored[:, :, :, ::1] q, stored[:, :, :, ::1] result, const int64_t[:, ::1] rows,
    const float[:, ::1] row_shares, const int64_t[:, ::1] columns,
    const float[:, ::1] column_shares, Output to, Py_ssize_t vectors, int code, int tail_code
) noexcept nogil:
    cdef Py_ssize_t heights = rows.shape[0], lines = q.shape[0] * heights, k, i
    cdef int threads = threads_for(lines * columns.shape[0] * q.shape[3], GRAIN)
    for k in prange(lines, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        i = k % heights
        _mix_row(
            &q[k // heights, rows[i, 0], 0, 0], &q[k // heights, rows[i, 1], 0, 0],
            &result[k // heights, i, 0, 0], columns, column_shares, row_shares[i, 0],
            row_shares[i, 1], q.shape[3], to, vectors, code, tail_code)


ctypedef float* Line

# Two lines of an image, mixed across.
cdef struct Mixed:
    Line[2] line
    Py_ssize_t[2] number  # of each in the image, or -1


cdef inline void _mix_across(
    const stored* line, const int64_t[:, ::1] columns, const float[:, ::1] shares, float* mixed
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(columns.shape[0]):
        mixed[j] = (shares[j, 0] * <float>line[columns[j, 0]]
                    + shares[j, 1] * <float>line[columns[j, 1]])


cdef inline void _mix_down(
    const float* upper, const float* lower, float h0, float h1, Output to, Py_ssize_t n,
    stored* out
) noexcept nogil:
    cdef Py_ssize_t j
    cdef stored unused = 0
    for j in range(n):
        out[j] = <stored>rounded(h0 * upper[j] + h1 * lower[j], to, unused)


cdef inline const float* _mixed_line(
    Mixed* mixed, const stored* image, Py_ssize_t width, Py_ssize_t number, Py_ssize_t other,
    const int64_t[:, ::1] columns, const float[:, ::1] shares
) noexcept nogil:
    """Find a line, or mix it in place of one that is not the `other` which is needed."""
    cdef int k = 0 if mixed.number[0] == number else 1
    if mixed.number[k] != number:
        k = 1 if mixed.number[0] == other else 0
        _mix_across(image + number * width, columns, shares, mixed.line[k])
        mixed.number[k] = number
    return mixed.line[k]


cdef void _mix_rows(
    const stored* image, Py_ssize_t width, stored* out, Py_ssize_t first, Py_ssize_t last,
    const int64_t[:, ::1] rows, const float[:, ::1] row_shares, const int64_t[:, ::1] columns,
    const float[:, ::1] column_shares, Output to, float* scratch
) noexcept nogil:
    """Rows `first` to `last` of the output, of an image of one channel."""
    cdef Py_ssize_t n = columns.shape[0], i
    cdef const float* upper
    cdef const float* lower
    cdef Mixed mixed
    mixed.line[0], mixed.line[1] = scratch, scratch + n
    mixed.number[0] = mixed.number[1] = -1
    for i in range(first, last):
        upper = _mixed_line(&mixed, image, width, rows[i, 0], rows[i, 1], columns, column_shares)
        lower = _mixed_line(&mixed, image, width, rows[i, 1], rows[i, 0], columns, column_shares)
        _mix_down(upper, lower, row_shares[i, 0], row_shares[i, 1], to, n, out + i * n)


cdef void _mix_planes(
    const stored[:, :, :, ::1] q, stored[:, :, :, ::1] result, const int64_t[:, ::1] rows,
    const float[:, ::1] row_shares, const int64_t[:, ::1] columns,
    const float[:, ::1] column_shares, Output to, float[:, ::1] scratch
) noexcept nogil:
    """Images of one channel."""
    cdef Py_ssize_t heights = rows.shape[0], parts = (heights + ROWS - 1) // ROWS
    cdef Py_ssize_t tasks = q.shape[0] * parts, k, first
    cdef int threads = <int>scratch.shape[0]
    for k in prange(tasks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        first = k % parts * ROWS
        _mix_rows(&q[k // parts, 0, 0, 0], q.shape[2], &result[k // parts, 0, 0, 0], first,
                  min(first + ROWS, heights), rows, row_shares, columns, column_shares, to,
                  &scratch[threadid(), 0])


def resize_bilinear(
    const stored[:, :, :, ::1] q not None, rows, columns, output, Py_ssize_t vector_length, mix
):
    """Mix the four neighbors of every place; inputs are not checked."""
    cdef tuple down = <tuple>rows, across = <tuple>columns
    cdef const int64_t[:, ::1] row_indices = down[0], column_indices = across[0]
    cdef const float[:, ::1] row_shares = down[1], column_shares = across[1]
    cdef int code = MIX[mix.vector], tail_code = MIX[mix.tail]
    cdef Output to = output_of(output)
    shape = (q.shape[0], row_indices.shape[0], column_indices.shape[0], q.shape[3])
    out = np.empty(shape, char_of(<stored>0))
    cdef stored[:, :, :, ::1] result = out
    cdef float[:, ::1] scratch
    if out.size and q.shape[3] == 1 and code == MIX_ROUNDED and vector_length == 1:
        scratch = np.empty((threads_for(out.size, GRAIN), 2 * shape[2]), np.float32)
        with nogil:
            _mix_planes(q, result, row_indices, row_shares, column_indices, column_shares, to,
                        scratch)
    elif out.size:
        with nogil:
            _mix_image(q, result, row_indices, row_shares, column_indices, column_shares, to,
                       vector_length, code, tail_code)
    return out


cdef void _copy_row(
    const stored* line, stored* out, const int64_t[::1] columns, Py_ssize_t inner
) noexcept nogil:
    cdef Py_ssize_t j
    if inner == 1:
        for j in range(columns.shape[0]):
            out[j] = line[columns[j]]
        return
    for j in range(columns.shape[0]):
        memcpy(out + j * inner, line + columns[j] * inner, inner * sizeof(stored))


cdef void _copy_image(
    const stored[:, :, :, ::1] q, stored[:, :, :, ::1] result, const int64_t[::1] rows,
    const int64_t[::1] columns
) noexcept nogil:
    cdef Py_ssize_t heights = rows.shape[0], lines = q.shape[0] * heights, k, i
    cdef Py_ssize_t length = columns.shape[0] * q.shape[3]
    cdef int threads = threads_for(lines * length, GRAIN)
    for k in prange(lines, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        i = k % heights
        _copy_row(&q[k // heights, rows[i], 0, 0], &result[k // heights, i, 0, 0], columns,
                  q.shape[3])


def resize_nearest(
    const stored[:, :, :, ::1] q not None, const int64_t[::1] rows not None,
    const int64_t[::1] columns not None
):
    """Copy pixels; inputs are not checked."""
    shape = (q.shape[0], rows.shape[0], columns.shape[0], q.shape[3])
    out = np.empty(shape, char_of(<stored>0))
    cdef stored[:, :, :, ::1] result = out
    if out.size:
        with nogil:
            _copy_image(q, result, rows, columns)
    return out


cdef inline int64_t whole(float place) noexcept nogil:
    """Convert to int64; what does not fit becomes the smallest number."""
    return <int64_t>place if fabsf(place) < 9223372036854775808.0 else INT64_MIN


cdef inline float seen(
    const uint8_t* image, int64_t row, int64_t column, Py_ssize_t height, Py_ssize_t width,
    float zero
) noexcept nogil:
    if row < 0 or row >= height or column < 0 or column >= width:
        return zero
    return image[row * width + column]


cdef void _sample_image(
    const uint8_t* images, const float* x, const float* y, uint8_t* out, Py_ssize_t channels,
    Py_ssize_t height, Py_ssize_t width, Py_ssize_t count, float zero
) noexcept nogil:
    """All channels of one image; the weights of a place serve all of them."""
    cdef Py_ssize_t k, c
    cdef int64_t left, right, top, bottom
    cdef float from_left, to_right, from_top, to_bottom, nw, ne, sw, se, mixed
    cdef const uint8_t* image
    for k in range(count):
        left, top = whole(floorf(x[k])), whole(floorf(y[k]))
        right, bottom = left + 1, top + 1
        from_left, to_right = x[k] - <float>left, <float>right - x[k]
        from_top, to_bottom = y[k] - <float>top, <float>bottom - y[k]
        nw, ne = to_right * to_bottom, from_left * to_bottom
        sw, se = to_right * from_top, from_left * from_top
        for c in range(channels):
            image = images + c * height * width
            mixed = <float>0.0 + nw * seen(image, top, left, height, width, zero)
            mixed = mixed + ne * seen(image, top, right, height, width, zero)
            mixed = mixed + sw * seen(image, bottom, left, height, width, zero)
            mixed = rintf(mixed + se * seen(image, bottom, right, height, width, zero))
            out[c * count + k] = (
                <uint8_t><int64_t>mixed if fabsf(mixed) < 2147483648.0 else <uint8_t>0)


def sample_bilinear(
    const uint8_t[:, :, :, ::1] q not None, const float[:, ::1] x not None,
    const float[:, ::1] y not None, int64_t zero_point
):
    """Mix the four neighbors of given places; inputs are not checked."""
    cdef Py_ssize_t batch = q.shape[0], channels = q.shape[1], count = x.shape[1], k
    cdef Py_ssize_t height = q.shape[2], width = q.shape[3]
    out = np.empty((batch, channels, count), np.uint8)
    cdef uint8_t[:, :, ::1] result = out
    cdef const uint8_t* images = NULL
    cdef int threads = threads_for(batch * channels * count, GRAIN)
    if out.size == 0:
        return out
    if q.size:
        images = &q[0, 0, 0, 0]
    with nogil:
        for k in prange(batch, num_threads=threads, schedule="static", use_threads_if=threads > 1):
            _sample_image(images + k * channels * height * width, &x[k, 0], &y[k, 0],
                          &result[k, 0, 0], channels, height, width, count, <float>zero_point)
    return out
