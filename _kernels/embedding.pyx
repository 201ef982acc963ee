"""Kernels of refquant.reference.embedding.

Design
(a) A row is walked once: its bytes are taken apart and added to the bag in the same loop, so that
    no table of real numbers exists.
(b) Scale and bias of a row are read and written byte by byte, because rows begin anywhere. There
    are two for a row, so that float16 is converted in plain code.
(c) Threads take bags, or rows; a bag is added by one thread, in its order.
"""

from cython.parallel cimport prange
from libc.math cimport fmaf, isinf, rintf
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    GRAIN = 1 << 14  # elements that are worth a thread


cdef inline float single_of(uint16_t half) noexcept nogil:
    """A float16 as float32."""
    cdef uint32_t sign = <uint32_t>(half & 0x8000) << 16, exponent = (half >> 10) & 31
    cdef uint32_t mantissa = half & 1023, bits
    cdef float x
    if exponent == 0:
        x = <float>mantissa * <float>5.9604644775390625e-08  # 2**-24
        return -x if sign else x
    if exponent == 31:
        bits = sign | 0x7F800000 | (mantissa << 13)
    else:
        bits = sign | ((exponent + 112) << 23) | (mantissa << 13)
    memcpy(&x, &bits, sizeof(float))
    return x


cdef inline uint16_t half_of(float x) noexcept nogil:
    """Round to float16, ties to even."""
    cdef uint32_t bits, size, sign, payload
    cdef float positive
    memcpy(&bits, &x, sizeof(float))
    sign, size = (bits >> 16) & 0x8000, bits & 0x7FFFFFFF
    if size > 0x7F800000:  # NaN
        payload = (size >> 13) & 1023
        return <uint16_t>(sign | 0x7C00 | (payload if payload else 1))
    if size >= 0x477FF000:  # 65520 and beyond
        return <uint16_t>(sign | 0x7C00)
    if size < 0x38800000:  # below 2**-14: a multiple of 2**-24
        memcpy(&positive, &size, sizeof(float))
        return <uint16_t>(sign | <uint32_t>rintf(positive * <float>16777216.0))
    size += 0xFFF + ((size >> 13) & 1)
    return <uint16_t>(sign | ((size - 0x38000000) >> 13))


cdef inline float through_half(float x) noexcept nogil:
    return single_of(half_of(x))


cdef inline void read_parameters(
    const uint8_t* tail, int bits, float* scale, float* bias
) noexcept nogil:
    cdef uint16_t half
    if bits == 8:
        memcpy(scale, tail, sizeof(float))
        memcpy(bias, tail + 4, sizeof(float))
    else:
        memcpy(&half, tail, sizeof(uint16_t))
        scale[0] = single_of(half)
        memcpy(&half, tail + 2, sizeof(uint16_t))
        bias[0] = single_of(half)


cdef inline void write_parameters(
    uint8_t* tail, int bits, float scale, float bias
) noexcept nogil:
    cdef uint16_t half
    if bits == 8:
        memcpy(tail, &scale, sizeof(float))
        memcpy(tail + 4, &bias, sizeof(float))
    else:
        half = half_of(scale)
        memcpy(tail, &half, sizeof(uint16_t))
        half = half_of(bias)
        memcpy(tail + 2, &half, sizeof(uint16_t))


cdef inline Py_ssize_t tail_of(int bits) noexcept nogil:
    return 8 if bits == 8 else 4


cdef void pack_run(const uint8_t* q, uint8_t* packed, Py_ssize_t n, int bits) noexcept nogil:
    """Pack `n` integers, those of the last byte with zeros behind them."""
    cdef Py_ssize_t whole = n * bits // 8, k, first = whole * (8 // bits)
    cdef uint8_t last = 0
    if bits == 8:
        for k in range(whole):
            packed[k] = q[k]
    elif bits == 4:
        for k in range(whole):
            packed[k] = q[2 * k] | (q[2 * k + 1] << 4)
    else:
        for k in range(whole):
            packed[k] = (
                q[4 * k] | (q[4 * k + 1] << 2) | (q[4 * k + 2] << 4) | (q[4 * k + 3] << 6)
            )
    if first < n:
        for k in range(first, n):
            last |= q[k] << ((k - first) * bits)
        packed[whole] = last


cdef void unpack_run(const uint8_t* packed, uint8_t* q, Py_ssize_t n, int bits) noexcept nogil:
    cdef Py_ssize_t whole = n * bits // 8, k, first = whole * (8 // bits)
    if bits == 8:
        for k in range(whole):
            q[k] = packed[k]
    elif bits == 4:
        for k in range(whole):
            q[2 * k] = packed[k] & 15
            q[2 * k + 1] = packed[k] >> 4
    else:
        for k in range(whole):
            q[4 * k] = packed[k] & 3
            q[4 * k + 1] = (packed[k] >> 2) & 3
            q[4 * k + 2] = (packed[k] >> 4) & 3
            q[4 * k + 3] = packed[k] >> 6
    for k in range(first, n):
        q[k] = (packed[whole] >> ((k - first) * bits)) & ((1 << bits) - 1)


def pack_bits(const uint8_t[::1] q not None, int bits):
    """Put several integers into a byte; inputs are not checked."""
    cdef Py_ssize_t count = 8 // bits
    out = np.empty((q.shape[0] + count - 1) // count, np.uint8)
    cdef uint8_t[::1] packed = out
    if q.shape[0]:
        with nogil:
            pack_run(&q[0], &packed[0], q.shape[0], bits)
    return out


def unpack_bits(const uint8_t[::1] packed not None, int bits, Py_ssize_t count):
    """Take integers out of bytes; inputs are not checked."""
    out = np.empty(count, np.uint8)
    cdef uint8_t[::1] q = out
    if count:
        with nogil:
            unpack_run(&packed[0], &q[0], count, bits)
    return out


def embedding_pack(
    const uint8_t[:, ::1] q not None, const float[::1] scales not None,
    const float[::1] biases not None, int bits
):
    """Put integers, scales and biases into rows; inputs are not checked."""
    cdef Py_ssize_t rows = q.shape[0], columns = q.shape[1], width = columns * bits // 8, row
    out = np.empty((rows, width + tail_of(bits)), np.uint8)
    cdef uint8_t[:, ::1] packed = out
    cdef int threads = threads_for(rows * columns, 4 * GRAIN)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            if columns:
                pack_run(&q[row, 0], &packed[row, 0], columns, bits)
            write_parameters(&packed[row, width], bits, scales[row], biases[row])
    return out


cdef inline uint8_t rounded(float x, float bias, float factor, float most) noexcept nogil:
    cdef float r = rintf((x - bias) * factor)
    r = r if r > 0.0 else <float>0.0
    return <uint8_t>(r if r < most else most)


cdef void _prepack(
    const float* x, uint8_t* packed, Py_ssize_t n, float lower, float upper, int bits
) noexcept nogil:
    cdef float most = <float>((1 << bits) - 1), extent = upper - lower, bias = lower, scale, factor
    cdef Py_ssize_t width = n * bits // 8, count = 8 // bits, k, first, block
    cdef uint8_t chunk[256]
    if bits == 8:
        scale = extent / most
        factor = most / (extent + <float>1e-8)
    else:
        bias = through_half(lower)
        extent = upper - bias
        scale = through_half(<float>1.0 if extent == 0.0 else extent / most)
        if scale == 0.0 or isinf(<float>1.0 / scale):
            scale = 1.0
        factor = <float>1.0 / scale
    for first in range(0, n, 256):
        block = min(<Py_ssize_t>256, n - first)
        for k in range(block):
            chunk[k] = rounded(x[first + k], bias, factor, most)
        pack_run(chunk, packed + first // count, block, bits)
    write_parameters(packed + width, bits, scale, bias)


def embedding_prepack(
    const float[:, ::1] x not None, const float[::1] lower not None,
    const float[::1] upper not None, int bits
):
    """Quantize the rows of a table; inputs are not checked."""
    cdef Py_ssize_t rows = x.shape[0], columns = x.shape[1], row
    out = np.empty((rows, columns * bits // 8 + tail_of(bits)), np.uint8)
    cdef uint8_t[:, ::1] packed = out
    cdef int threads = threads_for(rows * columns, 4 * GRAIN)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            _prepack(&x[row, 0] if columns else NULL, &packed[row, 0], columns, lower[row],
                     upper[row], bits)
    return out


cdef void _add_row(
    const uint8_t* packed, float* y, Py_ssize_t width, float scale, float bias, int bits
) noexcept nogil:
    cdef Py_ssize_t k
    cdef uint8_t byte
    if bits == 8:
        for k in range(width):
            y[k] = fmaf(scale, <float>packed[k], y[k] + bias)
    elif bits == 4:
        for k in range(width):
            byte = packed[k]
            y[2 * k] = fmaf(scale, <float>(byte & 15), y[2 * k] + bias)
            y[2 * k + 1] = fmaf(scale, <float>(byte >> 4), y[2 * k + 1] + bias)
    else:
        for k in range(width):
            byte = packed[k]
            y[4 * k] = fmaf(scale, <float>(byte & 3), y[4 * k] + bias)
            y[4 * k + 1] = fmaf(scale, <float>((byte >> 2) & 3), y[4 * k + 1] + bias)
            y[4 * k + 2] = fmaf(scale, <float>((byte >> 4) & 3), y[4 * k + 2] + bias)
            y[4 * k + 3] = fmaf(scale, <float>(byte >> 6), y[4 * k + 3] + bias)


cdef void _set_row(
    const uint8_t* packed, float* y, Py_ssize_t width, float scale, float bias, int bits
) noexcept nogil:
    cdef Py_ssize_t k
    cdef uint8_t byte
    if bits == 8:
        for k in range(width):
            y[k] = fmaf(scale, <float>packed[k], bias)
    elif bits == 4:
        for k in range(width):
            byte = packed[k]
            y[2 * k] = fmaf(scale, <float>(byte & 15), bias)
            y[2 * k + 1] = fmaf(scale, <float>(byte >> 4), bias)
    else:
        for k in range(width):
            byte = packed[k]
            y[4 * k] = fmaf(scale, <float>(byte & 3), bias)
            y[4 * k + 1] = fmaf(scale, <float>((byte >> 2) & 3), bias)
            y[4 * k + 2] = fmaf(scale, <float>((byte >> 4) & 3), bias)
            y[4 * k + 3] = fmaf(scale, <float>(byte >> 6), bias)


def embedding_unpack(const uint8_t[:, ::1] packed not None, int bits):
    """Turn a packed table into real numbers; inputs are not checked."""
    cdef Py_ssize_t rows = packed.shape[0], width = packed.shape[1] - tail_of(bits), row
    cdef Py_ssize_t columns = width * 8 // bits
    out = np.empty((rows, columns), np.float32)
    cdef float[:, ::1] y = out
    cdef int threads = threads_for(rows * columns, 4 * GRAIN)
    if columns == 0:
        return out
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            _unpack_row(&packed[row, 0], &y[row, 0], width, bits)
    return out


cdef void _unpack_row(
    const uint8_t* packed, float* y, Py_ssize_t width, int bits
) noexcept nogil:
    cdef float scale, bias
    read_parameters(packed + width, bits, &scale, &bias)
    _set_row(packed, y, width, scale, bias, bits)


cdef void _add_bag(
    const uint8_t[:, ::1] packed, const int64_t* indices, const float* weights, Py_ssize_t start,
    Py_ssize_t stop, float* y, Py_ssize_t width, int bits
) noexcept nogil:
    cdef Py_ssize_t place
    cdef float scale, bias
    for place in range(start, stop):
        if indices[place] < 0:
            continue
        read_parameters(&packed[indices[place], width], bits, &scale, &bias)
        if weights != NULL:
            scale *= weights[place]
            bias *= weights[place]
        _add_row(&packed[indices[place], 0], y, width, scale, bias, bits)


def embedding_bag(
    const uint8_t[:, ::1] packed not None, const int64_t[::1] indices not None,
    const int64_t[::1] bounds not None, const float[::1] weights, int bits
):
    """Add rows of a packed table; inputs are not checked."""
    cdef Py_ssize_t bags = bounds.shape[0] - 1, width = packed.shape[1] - tail_of(bits), bag
    cdef Py_ssize_t columns = width * 8 // bits
    out = np.zeros((bags, columns), np.float32)
    cdef float[:, ::1] y = out
    cdef int threads = threads_for(indices.shape[0] * columns, GRAIN)
    cdef const float* factors = NULL
    if columns == 0 or indices.shape[0] == 0:
        return out
    if weights is not None:
        factors = &weights[0]
    with nogil:
        for bag in prange(bags, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            _add_bag(packed, &indices[0], factors, bounds[bag], bounds[bag + 1], &y[bag, 0],
                     width, bits)
    return out
