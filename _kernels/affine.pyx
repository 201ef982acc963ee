"""Kernels of refquant.reference.affine.

Design
(a) The formula of an element stands in _rounding.pxd; here are the loops around it.
(b) The rule is chosen once for a run, outside the loop, so that the loop vectorizes.
(c) Threads take blocks of a fixed size.
(d) Where slices of channels are narrow, scales and zero points are repeated as the elements lie,
    so that loops go over many slices.
"""

from cython.parallel cimport prange
from libc.math cimport fabsf, rintf
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t

from refquant._kernels._buffers cimport Elements, elements_of, kind_of
from refquant._kernels._operands cimport Output, Quantizer, output_of, quantizer_of, stored
from refquant._kernels._rounding cimport (
    clampf, dequantize_each, dequantize_run, factor_of, quantize_each, quantize_run,
)
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import DEQUANTIZING, QUANTIZING

cdef enum:
    BLOCK = 16384  # elements: 64 KiB of float32
    GRAIN = 16     # blocks that are worth a thread
    FEW = 1024     # elements that take less time than to hand over the interpreter's lock
    NARROW = 16    # elements of a slice
    REPEATED = 1024

ctypedef fused parameter:
    float
    double
    int64_t

ctypedef fused repeated:
    float
    double
    int32_t


cdef void _quantize(
    const float* x, stored* q, Py_ssize_t n, Output to, int code
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, GRAIN)
    if threads == 1:
        quantize_run(x, q, n, to, code)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        quantize_run(x + start, q + start, min(<Py_ssize_t>BLOCK, n - start), to, code)


cdef void _quantize_split(
    const float* x, stored* q, Py_ssize_t n, Output to, Py_ssize_t vectors, int code, int tail_code
) noexcept nogil:
    if vectors > 0:
        _quantize(x, q, vectors, to, code)
    if n > vectors:
        _quantize(x + vectors, q + vectors, n - vectors, to, tail_code)


cdef void _quantize_any(
    Elements x, Elements q, Output to, Py_ssize_t vectors, int code, int tail_code, Py_UCS4 kind
) noexcept nogil:
    cdef const float* real = <float*>x.start
    if kind == u"B":
        _quantize_split(real, <uint8_t*>q.start, q.count, to, vectors, code, tail_code)
    elif kind == u"b":
        _quantize_split(real, <int8_t*>q.start, q.count, to, vectors, code, tail_code)
    else:
        _quantize_split(real, <int32_t*>q.start, q.count, to, vectors, code, tail_code)


def quantize_per_tensor(x not None, output, storage, Py_ssize_t vector_length, quantize):
    """Quantize with one scale and zero point; inputs are not checked."""
    out = np.empty(x.shape, storage)
    cdef Py_UCS4 kind = kind_of(storage)
    cdef Elements reals = elements_of(x, sizeof(float))
    cdef Elements into = elements_of(out, 4 if kind == u"i" else 1)
    cdef Output to = output_of(output)
    cdef int code = QUANTIZING[quantize.vector], tail_code = QUANTIZING[quantize.tail]
    if into.count <= FEW:
        _quantize_any(reals, into, to, vector_length, code, tail_code, kind)
        return out
    with nogil:
        _quantize_any(reals, into, to, vector_length, code, tail_code, kind)
    return out


cdef void _dequantize(
    const stored* q, float* x, Py_ssize_t n, Quantizer of, int code
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, GRAIN)
    if threads == 1:
        dequantize_run(q, x, n, of, code)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        dequantize_run(q + start, x + start, min(<Py_ssize_t>BLOCK, n - start), of, code)


cdef void _dequantize_any(
    Elements q, Elements x, Quantizer of, int code, Py_UCS4 kind
) noexcept nogil:
    cdef float* real = <float*>x.start
    if kind == u"B":
        _dequantize(<uint8_t*>q.start, real, q.count, of, code)
    elif kind == u"b":
        _dequantize(<int8_t*>q.start, real, q.count, of, code)
    else:
        _dequantize(<int32_t*>q.start, real, q.count, of, code)


def dequantize_per_tensor(q not None, quantizer, rule):
    """Dequantize with one scale and zero point; inputs are not checked."""
    out = np.empty(q.shape, np.float32)
    cdef Py_UCS4 kind = kind_of(q.dtype)
    cdef Elements codes = elements_of(q, 4 if kind == u"i" else 1)
    cdef Elements into = elements_of(out, sizeof(float))
    cdef int code = DEQUANTIZING[rule]
    cdef Quantizer of = quantizer_of(quantizer)
    if into.count <= FEW:
        _dequantize_any(codes, into, of, code, kind)
        return out
    with nogil:
        _dequantize_any(codes, into, of, code, kind)
    return out


cdef Py_ssize_t _period(Py_ssize_t outer, Py_ssize_t channels, Py_ssize_t inner) noexcept nogil:
    """Elements after which the channels begin anew, a multiple of that if they are few."""
    cdef Py_ssize_t across = channels * inner
    return across * max(<Py_ssize_t>1, min(outer, REPEATED // across))


cdef repeated[::1] _repeat(const parameter[::1] of, Py_ssize_t inner, repeated[::1] out):
    """Repeat the parameters of channels as their elements lie."""
    cdef Py_ssize_t k = 0, c, _
    while k < out.shape[0]:
        for c in range(of.shape[0]):
            for _ in range(inner):
                out[k] = <repeated>of[c]
                k += 1
    return out


cdef void _quantize_narrow(
    const float* x, stored* q, Py_ssize_t n, const float[::1] factors,
    const int32_t[::1] zero_points, int32_t lo, int32_t hi, int code
) noexcept nogil:
    cdef Py_ssize_t period = factors.shape[0], blocks = (n + period - 1) // period, block, start
    cdef int threads = threads_for(n, GRAIN * BLOCK)
    for block in prange(blocks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        start = block * period
        quantize_each(x + start, q + start, min(period, n - start), &factors[0], &zero_points[0],
                      lo, hi, code)


cdef _quantize_slices(
    const float[:, :, ::1] x, stored[:, :, ::1] q, const double[::1] scales,
    const int64_t[::1] zero_points, int32_t lo, int32_t hi, int code
):
    cdef Py_ssize_t slices = x.shape[0] * x.shape[1], inner = x.shape[2], k, c
    cdef int threads = threads_for(slices * inner, GRAIN * BLOCK)
    cdef float[::1] factors
    cdef int32_t[::1] zeros
    if inner < NARROW:
        period = _period(x.shape[0], x.shape[1], inner)
        own = np.empty(x.shape[1], np.float32)
        factors = own
        for c in range(x.shape[1]):
            factors[c] = factor_of(scales[c], code)
        factors = _repeat[float, float](own, inner, np.empty(period, np.float32))
        zeros = _repeat[int64_t, int32_t](zero_points, inner, np.empty(period, np.int32))
        with nogil:
            _quantize_narrow(&x[0, 0, 0], &q[0, 0, 0], slices * inner, factors, zeros, lo, hi, code)
        return
    with nogil:
        for k in prange(slices, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            c = k % x.shape[1]
            quantize_run(&x[k // x.shape[1], c, 0], &q[k // x.shape[1], c, 0], inner,
                         Output(scales[c], <int32_t>zero_points[c], lo, hi), code)


def quantize_per_channel(
    const float[:, :, ::1] x not None, const double[::1] scales not None,
    const int64_t[::1] zero_points not None, int32_t quant_min, int32_t quant_max, storage, rule
):
    """Quantize each slice of the middle axis with its own parameters; inputs are not checked."""
    out = np.empty((x.shape[0], x.shape[1], x.shape[2]), storage)
    cdef int code = QUANTIZING[rule]
    if x.shape[0] == 0 or x.shape[1] == 0 or x.shape[2] == 0:
        return out
    kind = storage.char
    if kind == "B":
        _quantize_slices[uint8_t](x, out, scales, zero_points, quant_min, quant_max, code)
    elif kind == "b":
        _quantize_slices[int8_t](x, out, scales, zero_points, quant_min, quant_max, code)
    else:
        _quantize_slices[int32_t](x, out, scales, zero_points, quant_min, quant_max, code)
    return out


cdef void _dequantize_narrow(
    const stored* q, float* x, Py_ssize_t n, const double[::1] scales,
    const int32_t[::1] zero_points, int code
) noexcept nogil:
    cdef Py_ssize_t period = scales.shape[0], blocks = (n + period - 1) // period, block, start
    cdef int threads = threads_for(n, GRAIN * BLOCK)
    for block in prange(blocks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        start = block * period
        dequantize_each(q + start, x + start, min(period, n - start), &scales[0], &zero_points[0],
                        code)


def dequantize_per_channel(
    const stored[:, :, ::1] q not None, const double[::1] scales not None,
    const int64_t[::1] zero_points not None, rule
):
    """Dequantize each slice of the middle axis with its own parameters; inputs are not checked."""
    out = np.empty((q.shape[0], q.shape[1], q.shape[2]), np.float32)
    cdef float[:, :, ::1] x = out
    cdef Py_ssize_t slices = q.shape[0] * q.shape[1], inner = q.shape[2], k, c
    cdef int threads = threads_for(slices * inner, GRAIN * BLOCK)
    cdef int code = DEQUANTIZING[rule]
    cdef double[::1] factors
    cdef int32_t[::1] zeros
    if slices == 0 or inner == 0:
        return out
    if inner < NARROW:
        period = _period(q.shape[0], q.shape[1], inner)
        factors = _repeat[double, double](scales, inner, np.empty(period, np.float64))
        zeros = _repeat[int64_t, int32_t](zero_points, inner, np.empty(period, np.int32))
        with nogil:
            _dequantize_narrow(&q[0, 0, 0], &x[0, 0, 0], slices * inner, factors, zeros, code)
        return out
    with nogil:
        for k in prange(slices, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            c = k % q.shape[1]
            dequantize_run(&q[k // q.shape[1], c, 0], &x[k // q.shape[1], c, 0], inner,
                           Quantizer(scales[c], <int32_t>zero_points[c]), code)
    return out


cdef inline uint8_t few_bits(float x, float inv, float z, float lo, float hi) noexcept nogil:
    """What int64 cannot hold, and NaN, becomes the smallest integer."""
    cdef float r = rintf(x * inv)
    r = r if fabsf(r) < <float>9223372036854775808.0 else <float>-1024.0
    return <uint8_t>clampf(clampf(r, -1024.0, 1024.0) + z, lo, hi)  # small integers: exact


def quantize_few_bits(const float[::1] x not None, output):
    """Quantize to fewer than 8 bits; inputs are not checked."""
    out = np.empty(x.shape[0], np.uint8)
    cdef uint8_t[::1] q = out
    cdef Output to = output_of(output)
    cdef float inv = <float>1.0 / <float>to.scale, z = <float>to.zero_point
    cdef float lo = <float>to.output_min, hi = <float>to.output_max
    cdef Py_ssize_t i, n = x.shape[0]
    with nogil:
        for i in range(n):
            q[i] = few_bits(x[i], inv, z, lo, hi)
    return out


cdef inline int32_t wrapped(float r, int32_t lo, int32_t hi) noexcept nogil:
    """Convert by way of int64 to int32; what int64 cannot hold becomes 0."""
    cdef float held = r if fabsf(r) < <float>9223372036854775808.0 else <float>0.0
    cdef int32_t v = <int32_t><uint32_t><int64_t>held
    v = v if v > lo else lo
    return v if v < hi else hi


cdef void _quantize_float(
    const float* x, stored* q, Py_ssize_t n, float scale, float z, int32_t lo, int32_t hi
) noexcept nogil:
    cdef float inv = <float>1.0 / scale
    cdef Py_ssize_t i
    for i in range(n):
        q[i] = <stored>wrapped(rintf(x[i] * inv + z), lo, hi)


cdef void _quantize_float_narrow(
    const float* x, stored* q, Py_ssize_t n, const float[::1] factors, const float[::1] zeros,
    int32_t lo, int32_t hi
) noexcept nogil:
    cdef Py_ssize_t period = factors.shape[0], blocks = (n + period - 1) // period, block, start, i
    cdef int threads = threads_for(n, GRAIN * BLOCK)
    cdef const float* by = &factors[0]
    cdef const float* z = &zeros[0]
    for block in prange(blocks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        start = block * period
        for i in range(min(period, n - start)):
            q[start + i] = <stored>wrapped(rintf(x[start + i] * by[i] + z[i]), lo, hi)


cdef _quantize_float_slices(
    const float[:, :, ::1] x, stored[:, :, ::1] q, const float[::1] scales,
    const float[::1] zero_points, int32_t lo, int32_t hi
):
    cdef Py_ssize_t slices = x.shape[0] * x.shape[1], inner = x.shape[2], k, c
    cdef int threads = threads_for(slices * inner, GRAIN * BLOCK)
    cdef float[::1] factors, zeros
    if inner < NARROW:
        period = _period(x.shape[0], x.shape[1], inner)
        factors = _repeat[float, float](scales, inner, np.empty(period, np.float32))
        zeros = _repeat[float, float](zero_points, inner, np.empty(period, np.float32))
        with nogil:
            for k in range(factors.shape[0]):
                factors[k] = <float>1.0 / factors[k]
            _quantize_float_narrow(&x[0, 0, 0], &q[0, 0, 0], slices * inner, factors, zeros, lo, hi)
        return
    with nogil:
        for k in prange(slices, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            c = k % x.shape[1]
            _quantize_float(&x[k // x.shape[1], c, 0], &q[k // x.shape[1], c, 0], inner,
                            scales[c], zero_points[c], lo, hi)


def quantize_per_channel_float(
    const float[:, :, ::1] x not None, const float[::1] scales not None,
    const float[::1] zero_points not None, int32_t quant_min, int32_t quant_max, storage
):
    """Quantize each slice with a float zero point; inputs are not checked."""
    out = np.empty((x.shape[0], x.shape[1], x.shape[2]), storage)
    if x.shape[0] == 0 or x.shape[1] == 0 or x.shape[2] == 0:
        return out
    if storage.char == "B":
        _quantize_float_slices[uint8_t](x, out, scales, zero_points, quant_min, quant_max)
    else:
        _quantize_float_slices[int8_t](x, out, scales, zero_points, quant_min, quant_max)
    return out


cdef void _dequantize_float(
    const stored* q, float* x, Py_ssize_t n, float scale, float z
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = (<float>q[i] - z) * scale


cdef void _dequantize_float_narrow(
    const stored* q, float* x, Py_ssize_t n, const float[::1] scales, const float[::1] zeros
) noexcept nogil:
    cdef Py_ssize_t period = scales.shape[0], blocks = (n + period - 1) // period, block, start, i
    cdef int threads = threads_for(n, GRAIN * BLOCK)
    cdef const float* s = &scales[0]
    cdef const float* z = &zeros[0]
    for block in prange(blocks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        start = block * period
        for i in range(min(period, n - start)):
            x[start + i] = (<float>q[start + i] - z[i]) * s[i]


def dequantize_per_channel_float(
    const stored[:, :, ::1] q not None, const float[::1] scales not None,
    const float[::1] zero_points not None
):
    """Dequantize each slice with a float zero point; inputs are not checked."""
    out = np.empty((q.shape[0], q.shape[1], q.shape[2]), np.float32)
    cdef float[:, :, ::1] x = out
    cdef Py_ssize_t slices = q.shape[0] * q.shape[1], inner = q.shape[2], k, c
    cdef int threads = threads_for(slices * inner, GRAIN * BLOCK)
    cdef float[::1] factors, zeros
    if slices == 0 or inner == 0:
        return out
    if inner < NARROW:
        period = _period(q.shape[0], q.shape[1], inner)
        factors = _repeat[float, float](scales, inner, np.empty(period, np.float32))
        zeros = _repeat[float, float](zero_points, inner, np.empty(period, np.float32))
        with nogil:
            _dequantize_float_narrow(&q[0, 0, 0], &x[0, 0, 0], slices * inner, factors, zeros)
        return out
    with nogil:
        for k in prange(slices, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            c = k % q.shape[1]
            _dequantize_float(&q[k // q.shape[1], c, 0], &x[k // q.shape[1], c, 0], inner,
                              scales[c], zero_points[c])
    return out
