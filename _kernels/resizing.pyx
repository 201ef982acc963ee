"""Kernels of refquant.reference.resizing.

Design
(a) One scalar function for each way to mix; the loop over channels vectorizes for channels-last
    images, that over output columns gathers for row-major ones.
(b) Every row of the output is a unit of work for a thread.
"""

from cython.parallel cimport prange
from libc.math cimport fmaf, rintf
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from refquant._kernels._rounding cimport saturate, stored
from refquant._kernels._rules cimport MIX_FUSED, MIX_ROUNDED
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import MIX

cdef enum:
    GRAIN = 1 << 16  # elements worth a thread


cdef struct Shares:
    float h0
    float h1
    float w0
    float w1


cdef struct Target:
    float zero
    int32_t lower
    int32_t upper


cdef inline float mix_rounded(float a, float b, float c, float d, Shares s) noexcept nogil:
    return s.h0 * (s.w0 * a + s.w1 * b) + s.h1 * (s.w0 * c + s.w1 * d)


cdef inline float mix_fused(float a, float b, float c, float d, Shares s) noexcept nogil:
    return fmaf(s.h1, fmaf(s.w1, d, s.w0 * c), s.h0 * fmaf(s.w1, b, s.w0 * a))


cdef inline float mix_fused_first(float a, float b, float c, float d, Shares s) noexcept nogil:
    return fmaf(s.h0, fmaf(s.w0, a, s.w1 * b), s.h1 * fmaf(s.w0, c, s.w1 * d))


cdef inline int32_t rounded(float mixed, Target to, stored unused) noexcept nogil:
    return saturate(rintf(to.zero + (mixed - to.zero)), to.lower, to.upper, unused)


cdef void _mix_channels(
    const stored* a, const stored* b, const stored* c, const stored* d, stored* out,
    Py_ssize_t n, Shares s, Target to, int code
) noexcept nogil:
    """Neighbouring channels of one pixel, by one rule."""
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
    const float[:, ::1] shares, float h0, float h1, Py_ssize_t inner, Target to,
    Py_ssize_t body, int code, int tail_code
) noexcept nogil:
    """One row of the output."""
    cdef Py_ssize_t j, left, right
    cdef stored unused = 0
    cdef Shares s
    s.h0, s.h1 = h0, h1
    if inner == 1 and code == MIX_ROUNDED and body == 1:
        for j in range(columns.shape[0]):
            s.w0, s.w1 = shares[j, 0], shares[j, 1]
            left, right = columns[j, 0], columns[j, 1]
            out[j] = <stored>rounded(
                mix_rounded(upper[left], upper[right], lower[left], lower[right], s), to, unused)
        return
    for j in range(columns.shape[0]):
        s.w0, s.w1 = shares[j, 0], shares[j, 1]
        left, right = columns[j, 0] * inner, columns[j, 1] * inner
        _mix_channels(upper + left, upper + right, lower + left, lower + right, out + j * inner,
                      body, s, to, code)
        left, right = left + body, right + body
        _mix_channels(upper + left, upper + right, lower + left, lower + right,
                      out + j * inner + body, inner - body, s, to, tail_code)


cdef void _mix_image(
    const stored[:, :, :, ::1] q, stored[:, :, :, ::1] result, const int64_t[:, ::1] rows,
    const float[:, ::1] row_shares, const int64_t[:, ::1] columns,
    const float[:, ::1] column_shares, Target to, Py_ssize_t body, int code, int tail_code
) noexcept nogil:
    cdef Py_ssize_t heights = rows.shape[0], lines = q.shape[0] * heights, k, i
    cdef int threads = threads_for(lines * columns.shape[0] * q.shape[3], GRAIN)
    for k in prange(lines, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        i = k % heights
        _mix_row(
            &q[k // heights, rows[i, 0], 0, 0], &q[k // heights, rows[i, 1], 0, 0],
            &result[k // heights, i, 0, 0], columns, column_shares, row_shares[i, 0],
            row_shares[i, 1], q.shape[3], to, body, code, tail_code)


def resize_bilinear(
    const stored[:, :, :, ::1] q not None, const int64_t[:, ::1] rows not None,
    const float[:, ::1] row_shares not None, const int64_t[:, ::1] columns not None,
    const float[:, ::1] column_shares not None, int64_t zero_point, int64_t quant_min,
    int64_t quant_max, Py_ssize_t body, rule, tail_rule
):
    """Mix the four neighbours of every place; inputs are not checked."""
    cdef int code = MIX[rule], tail_code = MIX[tail_rule]
    cdef Target to
    to.zero = <float>zero_point
    to.lower, to.upper = <int32_t>quant_min, <int32_t>quant_max
    shape = (q.shape[0], rows.shape[0], columns.shape[0], q.shape[3])
    if stored is uint8_t:
        out = np.empty(shape, np.uint8)
    elif stored is int8_t:
        out = np.empty(shape, np.int8)
    else:
        out = np.empty(shape, np.int32)
    cdef stored[:, :, :, ::1] result = out
    if out.size:
        with nogil:
            _mix_image(q, result, rows, row_shares, columns, column_shares, to, body, code,
                       tail_code)
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
    if stored is uint8_t:
        out = np.empty(shape, np.uint8)
    elif stored is int8_t:
        out = np.empty(shape, np.int8)
    else:
        out = np.empty(shape, np.int32)
    cdef stored[:, :, :, ::1] result = out
    if out.size:
        with nogil:
            _copy_image(q, result, rows, columns)
    return out
