"""Kernels of refquant.reference.exponential.

Design
(a) The formula of an element stands in _exponential.pxd and _rounding.pxd.
(b) Eight bits hold 256 integers: where a tensor has more elements, all answers are computed once,
    for vectors and for the tail, and looked up.
(c) Numbers go through two small buffers, one plain loop a step: both branches of the unit are
    computed for a chunk and chosen between afterwards.
(d) Elements are cut where vectors and runs end; rules are chosen once a piece.
(e) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange
from libc.stdint cimport int8_t, int32_t, uint8_t

from refquant._kernels._exponential cimport expm1_run
from refquant._kernels._operands cimport (
    Output, Quantizer, Runs, output_of, quantizer_of, runs_of, stored,
)
from refquant._kernels._rounding cimport dequantize_run, quantize_run
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
    Quantizer a
    Output to
    float alpha
    float output_factor
    float input_factor
    Rules vector
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
        dequantize_run(a + start, x, count, unit.a, rules.dequantize)
        for i in range(count):
            y[i] = x[i] * unit.input_factor
        expm1_run(y, count, rules.exponential)
        for i in range(count):
            y[i] = y[i] * unit.alpha
        for i in range(count):
            x[i] = (x[i] if x[i] > 0.0 else y[i]) * unit.output_factor
        quantize_run(x, q + start, count, unit.to, rules.quantize)
        start += count


cdef void _answers(stored* answers, const Unit* unit) noexcept nogil:
    """Answers to all integers of eight bits, in the order of their bits: vectors, then tail."""
    cdef stored integers[ANSWERS]
    cdef Py_ssize_t i
    for i in range(ANSWERS):
        integers[i] = <stored>i
    _piece(integers, answers, ANSWERS, unit, unit.vector)
    _piece(integers, answers + ANSWERS, ANSWERS, unit, unit.tail)


cdef void _look_up(
    const stored* a, stored* q, Py_ssize_t n, const stored* answers
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        q[i] = answers[<uint8_t>a[i]]


cdef void _span(
    const stored* a, stored* q, Py_ssize_t start, Py_ssize_t stop, const Unit* unit, Runs runs,
    const stored* answers
) noexcept nogil:
    """Elements from start to stop, piece by piece."""
    cdef Py_ssize_t place, end
    cdef bint inside
    while start < stop:
        place = start % runs.run_length
        inside = place < runs.vector_length
        end = min(stop, start + (runs.vector_length if inside else runs.run_length) - place)
        if answers != NULL:
            _look_up(a + start, q + start, end - start, answers + (0 if inside else ANSWERS))
        else:
            _piece(a + start, q + start, end - start, unit, unit.vector if inside else unit.tail)
        start = end


cdef _elu(const stored[::1] a, stored[::1] q, const Unit* unit, Runs runs):
    cdef Py_ssize_t n = a.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    cdef stored table[2 * ANSWERS]
    cdef stored* answers = NULL
    with nogil:
        if sizeof(stored) == 1 and n > 2 * ANSWERS:
            answers = table
            _answers(answers, unit)
        for block in prange(blocks, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            start = block * BLOCK
            _span(&a[0], &q[0], start, min(start + BLOCK, n), unit, runs, answers)


def elu(a not None, a_quantizer, output, factors, runs, dequantize, exponential, quantize):
    """Apply the exponential linear unit; inputs are not checked."""
    cdef tuple f = <tuple>factors
    cdef double alpha = f[0], output_factor = f[1], input_factor = f[2]
    cdef Runs walk = runs_of(runs)
    cdef Unit unit = Unit(
        quantizer_of(a_quantizer), output_of(output), <float>alpha, <float>output_factor,
        <float>input_factor,
        Rules(DEQUANTIZING[dequantize.vector], EXPONENTIAL[exponential.vector],
              QUANTIZING[quantize.vector]),
        Rules(DEQUANTIZING[dequantize.tail], EXPONENTIAL[exponential.tail],
              QUANTIZING[quantize.tail]),
    )
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        _elu[uint8_t](a, out, &unit, walk)
    elif kind == "b":
        _elu[int8_t](a, out, &unit, walk)
    else:
        _elu[int32_t](a, out, &unit, walk)
    return out
