"""Kernels of refquant.reference.exponential.

Design
(a) The formula of an element stands in _exponential.pxd and _rounding.pxd.
(b) Numbers go through two small buffers, one plain loop a step: both branches of the unit are
    computed for a chunk and chosen between afterwards.
(c) A walk cuts the elements at the borders of bodies and runs; rules are chosen once a piece.
(d) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange
from libc.stdint cimport int8_t, int32_t, uint8_t

from refquant._kernels._exponential cimport expm1_run
from refquant._kernels._rounding cimport dequantize_run, quantize_run, stored
from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    BLOCK = 32768  # elements a thread takes at once
    CHUNK = 1024   # elements of a buffer: 4 KiB of float32


cdef struct Quantizer:
    double scale
    int32_t zero_point


cdef struct Target:
    double scale
    int32_t zero_point
    int32_t lower
    int32_t upper
    int code          # of the body
    int tail_code


cdef struct Walk:
    Py_ssize_t run
    Py_ssize_t body


cdef struct Unit:
    float alpha
    float factor
    float input_factor
    int code          # of the exponential function in the body
    int tail_code


cdef void _unit_piece(
    const stored* a, Quantizer qa, stored* q, Py_ssize_t n, Target to, Unit unit, int dequantize,
    int exponential, int quantize
) noexcept nogil:
    """Elements that follow one set of rules."""
    cdef float x[CHUNK]
    cdef float y[CHUNK]
    cdef Py_ssize_t start = 0, count, i
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, qa.scale, qa.zero_point, dequantize)
        for i in range(count):
            y[i] = x[i] * unit.input_factor
        expm1_run(y, count, exponential)
        for i in range(count):
            y[i] = y[i] * unit.alpha
        for i in range(count):
            x[i] = (x[i] if x[i] > 0.0 else y[i]) * unit.factor
        quantize_run(x, q + start, count, to.scale, to.zero_point, to.lower, to.upper, quantize)
        start += count


cdef void _unit_span(
    const stored* a, Quantizer qa, stored* q, Py_ssize_t start, Py_ssize_t stop, Target to,
    Unit unit, Walk walk, int dequantize, int tail_dequantize
) noexcept nogil:
    """Elements from start to stop, piece by piece."""
    cdef Py_ssize_t place, end
    while start < stop:
        place = start % walk.run
        if place < walk.body:
            end = min(stop, start + walk.body - place)
            _unit_piece(a + start, qa, q + start, end - start, to, unit, dequantize, unit.code,
                        to.code)
        else:
            end = min(stop, start + walk.run - place)
            _unit_piece(a + start, qa, q + start, end - start, to, unit, tail_dequantize,
                        unit.tail_code, to.tail_code)
        start = end


cdef void _unit(
    const stored* a, Quantizer qa, stored* q, Py_ssize_t n, Target to, Unit unit, Walk walk,
    int dequantize, int tail_dequantize
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    for block in prange(blocks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        start = block * BLOCK
        _unit_span(a, qa, q, start, min(start + BLOCK, n), to, unit, walk, dequantize,
                   tail_dequantize)


def elu(
    a not None, double a_scale, int32_t a_zero_point, double scale, int32_t zero_point,
    int32_t quant_min, int32_t quant_max, double alpha, double factor, double input_factor,
    Py_ssize_t run, Py_ssize_t body, dequantize, exponential, quantize
):
    """Apply the exponential linear unit; inputs are not checked."""
    cdef Quantizer qa = Quantizer(a_scale, a_zero_point)
    cdef Target to = Target(
        scale, zero_point, quant_min, quant_max, quantize.body.code, quantize.tail.code)
    cdef Unit unit = Unit(
        <float>alpha, <float>factor, <float>input_factor, exponential.body.code,
        exponential.tail.code)
    cdef int code = dequantize.body.code, tail_code = dequantize.tail.code
    cdef Walk walk = Walk(run, body)
    cdef const uint8_t[::1] a8
    cdef const int8_t[::1] as8
    cdef const int32_t[::1] a32
    cdef uint8_t[::1] q8
    cdef int8_t[::1] qs8
    cdef int32_t[::1] q32
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        a8, q8 = a, out
        with nogil:
            _unit(&a8[0], qa, &q8[0], a8.shape[0], to, unit, walk, code, tail_code)
    elif kind == "b":
        as8, qs8 = a, out
        with nogil:
            _unit(&as8[0], qa, &qs8[0], as8.shape[0], to, unit, walk, code, tail_code)
    else:
        a32, q32 = a, out
        with nogil:
            _unit(&a32[0], qa, &q32[0], a32.shape[0], to, unit, walk, code, tail_code)
    return out
