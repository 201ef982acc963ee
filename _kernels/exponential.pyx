"""Kernels of refquant.reference.exponential.

Design
(a) The formula of an element stands in _exponential.pxd and _rounding.pxd.
(b) Eight bits hold 256 integers: where a tensor has more elements, all answers are computed once,
    for the body and for the tail, and looked up.
(c) Numbers go through two small buffers, one plain loop a step: both branches of the unit are
    computed for a chunk and chosen between afterwards.
(d) A walk cuts the elements at the borders of bodies and runs; rules are chosen once a piece.
(e) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange
from libc.stdint cimport int8_t, int32_t, uint8_t

from refquant._kernels._exponential cimport expm1_run
from refquant._kernels._rounding cimport dequantize_run, quantize_run, stored
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import DEQUANTIZING, EXPONENTIAL, QUANTIZING

cdef enum:
    BLOCK = 32768  # elements a thread takes at once
    CHUNK = 1024   # elements of a buffer: 4 KiB of float32
    ANSWERS = 256  # integers of eight bits


cdef struct Rules:
    int dequantize
    int exponential
    int quantize


cdef struct Unit:
    double a_scale
    int32_t a_zero_point
    double scale
    int32_t zero_point
    int32_t lower
    int32_t upper
    float alpha
    float factor
    float input_factor
    Rules body
    Rules tail


cdef void _piece(
    const stored* a, stored* q, Py_ssize_t n, const Unit* unit, Rules rules
) noexcept nogil:
    """Elements that follow one set of rules."""
    cdef float x[CHUNK]
    cdef float y[CHUNK]
    cdef Py_ssize_t start = 0, count, i
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, unit.a_scale, unit.a_zero_point, rules.dequantize)
        for i in range(count):
            y[i] = x[i] * unit.input_factor
        expm1_run(y, count, rules.exponential)
        for i in range(count):
            y[i] = y[i] * unit.alpha
        for i in range(count):
            x[i] = (x[i] if x[i] > 0.0 else y[i]) * unit.factor
        quantize_run(x, q + start, count, unit.scale, unit.zero_point, unit.lower, unit.upper,
                     rules.quantize)
        start += count


cdef void _answers(stored* answers, const Unit* unit) noexcept nogil:
    """Answers to all integers of eight bits, in the order of their bits: body, then tail."""
    cdef stored integers[ANSWERS]
    cdef Py_ssize_t i
    for i in range(ANSWERS):
        integers[i] = <stored>i
    _piece(integers, answers, ANSWERS, unit, unit.body)
    _piece(integers, answers + ANSWERS, ANSWERS, unit, unit.tail)


cdef void _look_up(
    const stored* a, stored* q, Py_ssize_t n, const stored* answers
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        q[i] = answers[<uint8_t>a[i]]


cdef void _span(
    const stored* a, stored* q, Py_ssize_t start, Py_ssize_t stop, const Unit* unit,
    Py_ssize_t run, Py_ssize_t body, const stored* answers
) noexcept nogil:
    """Elements from start to stop, piece by piece."""
    cdef Py_ssize_t place, end
    cdef bint inside
    while start < stop:
        place = start % run
        inside = place < body
        end = min(stop, start + (body if inside else run) - place)
        if answers != NULL:
            _look_up(a + start, q + start, end - start, answers + (0 if inside else ANSWERS))
        else:
            _piece(a + start, q + start, end - start, unit, unit.body if inside else unit.tail)
        start = end


cdef void _elu(
    const stored* a, stored* q, Py_ssize_t n, const Unit* unit, Py_ssize_t run, Py_ssize_t body
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    cdef stored table[2 * ANSWERS]
    cdef stored* answers = NULL
    if sizeof(stored) == 1 and n > 2 * ANSWERS:
        answers = table
        _answers(answers, unit)
    for block in prange(blocks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        start = block * BLOCK
        _span(a, q, start, min(start + BLOCK, n), unit, run, body, answers)


def elu(
    a not None, double a_scale, int32_t a_zero_point, double scale, int32_t zero_point,
    int32_t quant_min, int32_t quant_max, double alpha, double factor, double input_factor,
    Py_ssize_t run, Py_ssize_t body, dequantize, exponential, quantize
):
    """Apply the exponential linear unit; inputs are not checked."""
    cdef Unit unit = Unit(
        a_scale, a_zero_point, scale, zero_point, quant_min, quant_max,
        <float>alpha, <float>factor, <float>input_factor,
        Rules(DEQUANTIZING[dequantize.body], EXPONENTIAL[exponential.body],
              QUANTIZING[quantize.body]),
        Rules(DEQUANTIZING[dequantize.tail], EXPONENTIAL[exponential.tail],
              QUANTIZING[quantize.tail]),
    )
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
            _elu(&a8[0], &q8[0], a8.shape[0], &unit, run, body)
    elif kind == "b":
        as8, qs8 = a, out
        with nogil:
            _elu(&as8[0], &qs8[0], as8.shape[0], &unit, run, body)
    else:
        a32, q32 = a, out
        with nogil:
            _elu(&a32[0], &q32[0], a32.shape[0], &unit, run, body)
    return out
