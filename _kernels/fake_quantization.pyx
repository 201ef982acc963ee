"""Kernels of refquant.reference.fake_quantization.

Design
(a) Between -2**22 and 2**22 float32 holds all integers, their limits and their differences, so
    that clamping there gives the bits that float64 gives, at twice the speed. Wider limits take
    the way over double.
(b) Clamps are ternaries: NaN takes the lower limit, and the loop vectorizes.
(c) Adding zero turns -0 into 0, which is what a difference of integers is.
(d) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange
from libc.math cimport rintf
from libc.stdint cimport int64_t

from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    BLOCK = 16384  # elements: 64 KiB of float32
    EXACT = 1 << 22


cdef inline bint are_small(int64_t zero_point, int64_t lo, int64_t hi) noexcept nogil:
    return -EXACT <= lo and hi <= EXACT and -EXACT <= zero_point <= EXACT


cdef inline float forward_small(
    float x, float s, float inv, float z, float lo, float hi
) noexcept nogil:
    cdef float q = rintf(z + x * inv)
    q = q if q > lo else lo
    q = q if q < hi else hi
    return (q - z + <float>0.0) * s


cdef inline float forward_wide(
    float x, float s, float inv, double z, double lo, double hi
) noexcept nogil:
    cdef double q = rintf(<float>z + x * inv)
    q = q if q > lo else lo
    q = q if q < hi else hi
    return <float>(q - z + 0.0) * s


cdef inline float backward(
    float gradient, float x, float inv, float z, double lo, double hi
) noexcept nogil:
    cdef double q = rintf(z + x * inv)
    return gradient * (<float>1.0 if (q >= lo) & (q <= hi) else <float>0.0)


cdef inline float backward_small(
    float gradient, float x, float inv, float z, float lo, float hi
) noexcept nogil:
    cdef float q = rintf(z + x * inv)
    return gradient * (<float>1.0 if (q >= lo) & (q <= hi) else <float>0.0)


cdef inline void forward_run(
    const float* x, float* y, Py_ssize_t n, float s, int64_t zero_point, int64_t lo, int64_t hi
) noexcept nogil:
    cdef float inv = <float>1.0 / s, z = <float>zero_point, low = <float>lo, high = <float>hi
    cdef Py_ssize_t i
    if are_small(zero_point, lo, hi):
        for i in range(n):
            y[i] = forward_small(x[i], s, inv, z, low, high)
    else:
        for i in range(n):
            y[i] = forward_wide(x[i], s, inv, <double>zero_point, <double>lo, <double>hi)


cdef inline void backward_run(
    const float* gradient, const float* x, float* result, Py_ssize_t n, float s,
    int64_t zero_point, int64_t lo, int64_t hi
) noexcept nogil:
    cdef float inv = <float>1.0 / s, z = <float>zero_point, low = <float>lo, high = <float>hi
    cdef Py_ssize_t i
    if are_small(zero_point, lo, hi):
        for i in range(n):
            result[i] = backward_small(gradient[i], x[i], inv, z, low, high)
    else:
        for i in range(n):
            result[i] = backward(gradient[i], x[i], inv, z, <double>lo, <double>hi)


def fake_quantize_per_tensor(
    const float[::1] x not None, double scale, int64_t zero_point, int64_t quant_min,
    int64_t quant_max
):
    """Quantize and dequantize with one scale and zero point; inputs are not checked."""
    out = np.empty(x.shape[0], np.float32)
    cdef float[::1] y = out
    cdef Py_ssize_t n = x.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block
    cdef int threads = threads_for(blocks, 4)
    cdef float s = <float>scale
    with nogil:
        for block in prange(blocks, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            forward_run(&x[block * BLOCK], &y[block * BLOCK],
                        min(<Py_ssize_t>BLOCK, n - block * BLOCK), s, zero_point, quant_min,
                        quant_max)
    return out


def fake_quantize_per_tensor_backward(
    const float[::1] gradient not None, const float[::1] x not None, double scale,
    int64_t zero_point, int64_t quant_min, int64_t quant_max
):
    """Pass the gradient where nothing was clipped; inputs are not checked."""
    out = np.empty(x.shape[0], np.float32)
    cdef float[::1] result = out
    cdef Py_ssize_t n = x.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block
    cdef int threads = threads_for(blocks, 4)
    cdef float s = <float>scale
    with nogil:
        for block in prange(blocks, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            backward_run(&gradient[block * BLOCK], &x[block * BLOCK], &result[block * BLOCK],
                         min(<Py_ssize_t>BLOCK, n - block * BLOCK), s, zero_point, quant_min,
                         quant_max)
    return out


def fake_quantize_per_channel(
    const float[:, :, ::1] x not None, const float[::1] scales not None,
    const int64_t[::1] zero_points not None, int64_t quant_min, int64_t quant_max
):
    """Quantize and dequantize each slice of the middle axis; inputs are not checked."""
    out = np.empty((x.shape[0], x.shape[1], x.shape[2]), np.float32)
    cdef float[:, :, ::1] y = out
    cdef Py_ssize_t slices = x.shape[0] * x.shape[1], inner = x.shape[2], k, c
    cdef int threads = threads_for(slices * inner, 4 * BLOCK)
    if slices == 0 or inner == 0:
        return out
    with nogil:
        for k in prange(slices, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            c = k % x.shape[1]
            forward_run(&x[k // x.shape[1], c, 0], &y[k // x.shape[1], c, 0], inner, scales[c],
                        zero_points[c], quant_min, quant_max)
    return out


def fake_quantize_per_channel_backward(
    const float[:, :, ::1] gradient not None, const float[:, :, ::1] x not None,
    const float[::1] scales not None, const int64_t[::1] zero_points not None,
    int64_t quant_min, int64_t quant_max
):
    """Pass the gradient where nothing was clipped; inputs are not checked."""
    out = np.empty((x.shape[0], x.shape[1], x.shape[2]), np.float32)
    cdef float[:, :, ::1] result = out
    cdef Py_ssize_t slices = x.shape[0] * x.shape[1], inner = x.shape[2], k, c, o
    cdef int threads = threads_for(slices * inner, 4 * BLOCK)
    if slices == 0 or inner == 0:
        return out
    with nogil:
        for k in prange(slices, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            c = k % x.shape[1]
            o = k // x.shape[1]
            backward_run(&gradient[o, c, 0], &x[o, c, 0], &result[o, c, 0], inner, scales[c],
                         zero_points[c], quant_min, quant_max)
    return out
