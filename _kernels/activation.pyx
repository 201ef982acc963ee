"""Kernels of refquant.reference.activation.

Design
(a) A function of one operand is a loop over a buffer of real numbers, and a branch in
    `_function`; the rules on both sides of it stand in _rounding.pxd.
(b) Eight bits hold 256 integers: where a tensor has more elements, all answers are computed once,
    for vectors and for the tail, and looked up.
(c) Numbers go through small buffers, one plain loop a step.
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


cdef enum:
    ELU = 1
    LEAKY_RELU = 2


cdef struct Rules:
    int dequantize
    int function
    int quantize


cdef struct Unit:
    int function
    float factors[3]
    Quantizer a
    Output to
    Rules vector
    Rules tail


cdef void _elu(float* x, Py_ssize_t n, const float* factors, int rule) noexcept nogil:
    """Compute both branches for a chunk, and choose between them afterwards."""
    cdef float y[CHUNK]
    cdef float alpha = factors[0], output_factor = factors[1], input_factor = factors[2]
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = x[i] * input_factor
    expm1_run(y, n, rule)
    for i in range(n):
        y[i] = y[i] * alpha
    for i in range(n):
        x[i] = (x[i] if x[i] > 0.0 else y[i]) * output_factor


cdef void _leaky_relu(float* x, Py_ssize_t n, float slope) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = x[i] if x[i] > 0.0 else x[i] * slope


cdef void _function(float* x, Py_ssize_t n, const Unit* unit, int rule) noexcept nogil:
    """Apply the function to a chunk, in place."""
    if unit.function == ELU:
        _elu(x, n, unit.factors, rule)
    else:
        _leaky_relu(x, n, unit.factors[0])


cdef void _piece(
    const stored* a, stored* q, Py_ssize_t n, const Unit* unit, Rules rules
) noexcept nogil:
    """Elements that follow one set of rules."""
    cdef float x[CHUNK]
    cdef Py_ssize_t start = 0, count
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, unit.a, rules.dequantize)
        _function(x, count, unit, rules.function)
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


cdef _walk(const stored[::1] a, stored[::1] q, const Unit* unit, Runs runs):
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


cdef _applied(
    int function, a, a_quantizer, output, tuple factors, runs, dequantize, quantize,
    int rule=0, int tail_rule=0
):
    cdef Runs walk = runs_of(runs)
    cdef Unit unit
    cdef Py_ssize_t i
    unit.function, unit.a, unit.to = function, quantizer_of(a_quantizer), output_of(output)
    for i in range(len(factors)):
        unit.factors[i] = <float><double>factors[i]
    unit.vector = Rules(DEQUANTIZING[dequantize.vector], rule, QUANTIZING[quantize.vector])
    unit.tail = Rules(DEQUANTIZING[dequantize.tail], tail_rule, QUANTIZING[quantize.tail])
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        _walk[uint8_t](a, out, &unit, walk)
    elif kind == "b":
        _walk[int8_t](a, out, &unit, walk)
    else:
        _walk[int32_t](a, out, &unit, walk)
    return out


def elu(a not None, a_quantizer, output, factors, runs, dequantize, exponential, quantize):
    """Apply the exponential linear unit; inputs are not checked."""
    return _applied(ELU, a, a_quantizer, output, tuple(factors), runs, dequantize, quantize,
                    EXPONENTIAL[exponential.vector], EXPONENTIAL[exponential.tail])


def leaky_relu(
    a not None, a_quantizer, output, double negative_slope, runs, dequantize, quantize
):
    """Apply the leaky rectified linear unit; inputs are not checked."""
    return _applied(LEAKY_RELU, a, a_quantizer, output, (negative_slope,), runs, dequantize,
                    quantize)
