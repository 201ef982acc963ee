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
from libc.math cimport INFINITY, rintf
from libc.stdint cimport int64_t

from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    BLOCK = 16384  # elements: 64 KiB of float32
    EXACT = 1 << 22

# The largest float32 that int64 can hold.
cdef float BELOW_2_63 = 9223371487098961920.0


cdef inline bint are_small(int64_t zero_point, int64_t lo, int64_t hi) noexcept nogil:
    return -EXACT <= lo and hi <= EXACT and -EXACT <= zero_point <= EXACT


cdef inline float rounded(float x, float inv, float z, bint add_first) noexcept nogil:
    return rintf(z + x * inv) if add_first else rintf(x * inv) + z


cdef inline float forward_small(
    float x, float s, float inv, float z, float lo, float hi, bint add_first, float top
) noexcept nogil:
    cdef float q = rounded(x, inv, z, add_first)
    q = q if q <= top else lo
    q = q if q > lo else lo
    q = q if q < hi else hi
    return (q - z + <float>0.0) * s


cdef inline double forward_wide(
    float x, float inv, double z, double lo, double hi, bint add_first, float top
) noexcept nogil:
    """Return the integer, less the zero point."""
    cdef double q = rounded(x, inv, <float>z, add_first)
    q = q if q <= top else lo
    q = q if q > lo else lo
    q = q if q < hi else hi
    return q - z + 0.0


cdef inline float backward(
    float gradient, float x, float inv, float z, double lo, double hi, bint add_first
) noexcept nogil:
    cdef double q = rounded(x, inv, z, add_first)
    return gradient * (<float>1.0 if (q >= lo) & (q <= hi) else <float>0.0)


cdef inline float backward_small(
    float gradient, float x, float inv, float z, float lo, float hi, bint add_first
) noexcept nogil:
    cdef float q = rounded(x, inv, z, add_first)
    return gradient * (<float>1.0 if (q >= lo) & (q <= hi) else <float>0.0)


cdef inline void forward_run(
    const float* x, float* y, Py_ssize_t n, float s, int64_t zero_point, int64_t lo, int64_t hi,
    bint add_first, bint converted
) noexcept nogil:
    """`converted`: numbers that int64 cannot hold take the lower limit, one rounding at the end."""
    cdef float inv = <float>1.0 / s, z = <float>zero_point, low = <float>lo, high = <float>hi
    cdef float top = BELOW_2_63 if converted else <float>INFINITY
    cdef Py_ssize_t i
    if are_small(zero_point, lo, hi):
        if add_first:
            for i in range(n):
                y[i] = forward_small(x[i], s, inv, z, low, high, True, top)
        else:
            for i in range(n):
                y[i] = forward_small(x[i], s, inv, z, low, high, False, top)
    elif converted:
        for i in range(n):
            y[i] = <float>(
                forward_wide(x[i], inv, <double>zero_point, <double>lo, <double>hi, add_first, top)
                * <double>s
            )
    else:
        for i in range(n):
            y[i] = <float>forward_wide(
                x[i], inv, <double>zero_point, <double>lo, <double>hi, add_first, top
            ) * s


cdef inline void backward_run(
    const float* gradient, const float* x, float* result, Py_ssize_t n, float s,
    int64_t zero_point, int64_t lo, int64_t hi, bint add_first
) noexcept nogil:
    cdef float inv = <float>1.0 / s, z = <float>zero_point, low = <float>lo, high = <float>hi
    cdef Py_ssize_t i
    if not are_small(zero_point, lo, hi):
        for i in range(n):
            result[i] = backward(gradient[i], x[i], inv, z, <double>lo, <double>hi, add_first)
    elif add_first:
        for i in range(n):
            result[i] = backward_small(gradient[i], x[i], inv, z, low, high, True)
    else:
        for i in range(n):
            result[i] = backward_small(gradient[i], x[i], inv, z, low, high, False)


def fake_quantize_per_tensor(
    const float[::1] x not None, double scale, int64_t zero_point, int64_t quant_min,
    int64_t quant_max, str rule
):
    """Quantize and dequantize with one scale and zero point; inputs are not checked."""
    cdef bint add_first = rule == "add_then_round"
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
                        quant_max, add_first, False)
    return out


def fake_quantize_per_tensor_backward(
    const float[::1] gradient not None, const float[::1] x not None, double scale,
    int64_t zero_point, int64_t quant_min, int64_t quant_max, str rule
):
    """Pass the gradient where nothing was clipped; inputs are not checked."""
    cdef bint add_first = rule == "add_then_round"
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
                         quant_max, add_first)
    return out


def fake_quantize_per_channel(
    const float[:, :, ::1] x not None, const float[::1] scales not None,
    const int64_t[::1] zero_points not None, int64_t quant_min, int64_t quant_max,
    str rule
):
    """Quantize and dequantize each slice of the middle axis; inputs are not checked."""
    cdef bint add_first = rule == "add_then_round"
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
                        zero_points[c], quant_min, quant_max, add_first, not add_first)
    return out


def fake_quantize_per_channel_backward(
    const float[:, :, ::1] gradient not None, const float[:, :, ::1] x not None,
    const float[::1] scales not None, const int64_t[::1] zero_points not None,
    int64_t quant_min, int64_t quant_max, str rule
):
    """Pass the gradient where nothing was clipped; inputs are not checked."""
    cdef bint add_first = rule == "add_then_round"
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
                         zero_points[c], quant_min, quant_max, add_first)
    return out
