"""Kernels of refquant.reference.activation.

Design
(a) A function of one operand is a loop over a buffer of real numbers, and a branch in
    `_function`; the rules on both sides of it stand in _rounding.pxd.
(b) Eight bits hold 256 integers: where a tensor has as many elements, all answers are computed, for
    vectors and for the tail, and looked up. They are kept, because in a model an operation has the
    same parameters at each call.
(c) Numbers go through small buffers, one plain loop a step.
(d) Elements are cut where vectors and runs end; rules are chosen once a piece.
(e) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t

from refquant._kernels._exponential cimport expm1_run
from refquant._kernels._functions cimport function_run
from refquant._kernels._integers cimport convert_then_add, difference, widen_then_add
from refquant._kernels._operands cimport (
    Output, Quantizer, Runs, output_of, quantizer_of, runs_of, stored,
)
from refquant._kernels._rounding cimport dequantize_run, quantize_run
from refquant._kernels._rules cimport CONVERT_THEN_ADD
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import (
    DEQUANTIZING, EXPONENTIAL, FUNCTION, QUANTIZING, REQUANTIZING,
)

cdef enum:
    BLOCK = 32768  # elements a thread takes at once
    CHUNK = 1024   # elements of a buffer: 4 KiB of float32
    ANSWERS = 256  # integers of eight bits
    KEPT = 256     # tables of answers: 128 KiB

# By all that they depend on.
_tables = {}

cdef enum:
    ELU = 1
    LEAKY_RELU = 2
    THRESHOLD = 3
    OF_RULES = 4


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


cdef void _threshold(float* x, Py_ssize_t n, float threshold, float value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = x[i] if x[i] > threshold else value


cdef void _function(float* x, Py_ssize_t n, const Unit* unit, int rule) noexcept nogil:
    """Apply the function to a chunk, in place."""
    if unit.function == ELU:
        _elu(x, n, unit.factors, rule)
    elif unit.function == LEAKY_RELU:
        _leaky_relu(x, n, unit.factors[0])
    elif unit.function == THRESHOLD:
        _threshold(x, n, unit.factors[0], unit.factors[1])
    else:
        function_run(x, n, rule)


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


cdef _walk(const stored[::1] a, stored[::1] q, const Unit* unit, Runs runs, tuple key):
    """Apply the function to all elements; `key` names the table to look them up in, if any."""
    cdef Py_ssize_t n = a.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    cdef stored made[2 * ANSWERS]
    cdef const stored* answers = NULL
    cdef bytes table
    if key is not None:
        table = _tables.get(key)
        if table is None:
            with nogil:
                _answers(made, unit)
            table = (<char*>made)[:2 * ANSWERS]
            if len(_tables) >= KEPT:
                _tables.clear()
            _tables[key] = table
        answers = <const stored*><const char*>table
    with nogil:
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
    cdef tuple key = None
    unit.function, unit.a, unit.to = function, quantizer_of(a_quantizer), output_of(output)
    for i in range(len(factors)):
        unit.factors[i] = <float><double>factors[i]
    unit.vector = Rules(DEQUANTIZING[dequantize.vector], rule, QUANTIZING[quantize.vector])
    unit.tail = Rules(DEQUANTIZING[dequantize.tail], tail_rule, QUANTIZING[quantize.tail])
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind != "i" and out.size >= ANSWERS:
        key = (function, kind, a_quantizer, output, factors, unit.vector.dequantize, rule,
               unit.vector.quantize, unit.tail.dequantize, tail_rule, unit.tail.quantize)
    if kind == "B":
        _walk[uint8_t](a, out, &unit, walk, key)
    elif kind == "b":
        _walk[int8_t](a, out, &unit, walk, key)
    else:
        _walk[int32_t](a, out, &unit, walk, key)
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


def threshold(a not None, a_quantizer, output, factors, runs, dequantize, quantize):
    """Replace what is not above a threshold; inputs are not checked."""
    return _applied(THRESHOLD, a, a_quantizer, output, tuple(factors), runs, dequantize, quantize)


def function(a not None, a_quantizer, output, runs, dequantize, rules, quantize):
    """Apply a function that is given by its rules; inputs are not checked."""
    return _applied(OF_RULES, a, a_quantizer, output, (), runs, dequantize, quantize,
                    FUNCTION[rules.vector], FUNCTION[rules.tail])


cdef _looked_up(const uint8_t[::1] a, uint8_t[::1] q, const uint8_t[::1] answers):
    cdef Py_ssize_t n = a.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    with nogil:
        for block in prange(blocks, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            start = block * BLOCK
            _look_up(&a[start], &q[start], min(<Py_ssize_t>BLOCK, n - start), &answers[0])


def look_up(a not None, answers not None):
    """Take answers from a table; inputs are not checked."""
    out = np.empty_like(a)
    _looked_up(a, out, answers)
    return out


cdef struct Slopes:
    int32_t zero_point
    int32_t weight_zero_point
    int32_t one
    float factor


cdef void _prelu_piece(
    const stored* a, const stored* weight, stored* q, Py_ssize_t n, Slopes by, Output to, int rule
) noexcept nogil:
    """Elements that follow one rule, each with a slope of its own."""
    cdef Py_ssize_t i
    cdef int32_t p, slope, z = to.zero_point, lower = to.output_min, upper = to.output_max
    if rule == CONVERT_THEN_ADD:
        for i in range(n):
            slope = by.one if a[i] > by.zero_point else difference(weight[i], by.weight_zero_point)
            p = <int32_t>(<uint32_t>difference(a[i], by.zero_point) * <uint32_t>slope)
            q[i] = <stored>convert_then_add(p, by.factor, z, lower, upper)
    else:
        for i in range(n):
            slope = by.one if a[i] > by.zero_point else difference(weight[i], by.weight_zero_point)
            p = <int32_t>(<uint32_t>difference(a[i], by.zero_point) * <uint32_t>slope)
            q[i] = <stored>widen_then_add(p, by.factor, z, lower, upper)


cdef void _prelu_of_one_slope(
    const stored* a, int32_t below, stored* q, Py_ssize_t n, Slopes by, Output to, int rule
) noexcept nogil:
    """Elements that follow one rule and have one slope."""
    cdef Py_ssize_t i
    cdef int32_t p, z = to.zero_point, lower = to.output_min, upper = to.output_max
    cdef uint32_t slope
    if rule == CONVERT_THEN_ADD:
        for i in range(n):
            slope = <uint32_t>(by.one if a[i] > by.zero_point else below)
            p = <int32_t>(<uint32_t>difference(a[i], by.zero_point) * slope)
            q[i] = <stored>convert_then_add(p, by.factor, z, lower, upper)
    else:
        for i in range(n):
            slope = <uint32_t>(by.one if a[i] > by.zero_point else below)
            p = <int32_t>(<uint32_t>difference(a[i], by.zero_point) * slope)
            q[i] = <stored>widen_then_add(p, by.factor, z, lower, upper)


cdef void _prelu_run(
    const stored* a, const stored* weight, bint single, stored* q, Py_ssize_t n, Slopes by,
    Output to, int rule
) noexcept nogil:
    if single:
        _prelu_of_one_slope(a, difference(weight[0], by.weight_zero_point), q, n, by, to, rule)
    else:
        _prelu_piece(a, weight, q, n, by, to, rule)


cdef _prelu(
    const stored[::1] a, const stored[::1] weight, stored[::1] q, Slopes by, Output to, Runs runs,
    int rule, int tail_rule
):
    cdef Py_ssize_t n = a.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block, start, stop, place
    cdef Py_ssize_t end
    cdef bint single = weight.shape[0] == 1, inside
    cdef int threads = threads_for(blocks, 2)
    with nogil:
        for block in prange(blocks, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            start = block * BLOCK
            stop = min(start + BLOCK, n)
            while start < stop:
                place = start % runs.run_length
                inside = place < runs.vector_length
                end = (runs.vector_length if inside else runs.run_length) - place + start
                end = min(end, stop)
                _prelu_run(&a[start], &weight[0 if single else start], single, &q[start],
                           end - start, by, to, rule if inside else tail_rule)
                start = end


def prelu(
    a not None, a_quantizer, weight not None, weight_quantizer, int32_t one, output, runs,
    requantize
):
    """Multiply negative numbers by slopes, on integers; inputs are not checked."""
    cdef Quantizer qa = quantizer_of(a_quantizer), qw = quantizer_of(weight_quantizer)
    cdef Output to = output_of(output)
    cdef float both = <float>qa.scale * <float>qw.scale
    cdef Slopes by = Slopes(qa.zero_point, qw.zero_point, one,
                            both * (<float>1.0 / <float>to.scale))
    cdef Runs walk = runs_of(runs)
    cdef int rule = REQUANTIZING[requantize.vector], tail_rule = REQUANTIZING[requantize.tail]
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        _prelu[uint8_t](a, weight, out, by, to, walk, rule, tail_rule)
    elif kind == "b":
        _prelu[int8_t](a, weight, out, by, to, walk, rule, tail_rule)
    else:
        _prelu[int32_t](a, weight, out, by, to, walk, rule, tail_rule)
    return out


cdef void _shares(
    const uint8_t* a, uint8_t* q, Py_ssize_t n, const uint32_t* powers
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t most = 0
    cdef int64_t total = 0, share
    for i in range(n):
        most = max(most, <int32_t>a[i])
    for i in range(n):
        total = total + powers[a[i] + 255 - most]
    for i in range(n):
        share = ((<int64_t>powers[a[i] + 255 - most] << 8) + (total >> 1)) // total
        q[i] = <uint8_t>min(share, <int64_t>255)


cdef _softmax(const uint8_t[:, ::1] a, uint8_t[:, ::1] q, const uint32_t[::1] powers):
    cdef Py_ssize_t rows = a.shape[0], row
    cdef int threads = threads_for(rows * a.shape[1], 2 * BLOCK)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            _shares(&a[row, 0], &q[row, 0], a.shape[1], &powers[0])


def softmax_of_integers(a not None, powers not None):
    """Normalize powers from a table to 256; inputs are not checked."""
    out = np.empty_like(a)
    if out.size:
        _softmax(a, out, powers)
    return out
