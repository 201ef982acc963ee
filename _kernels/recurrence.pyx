"""Kernels of refquant.reference.recurrence.

Design
(a) The exponential function is a polynomial in double and an exponent put together from bits, so
    that loops over it vectorize; no library function is called.
(b) Adding 1.5 * 2**52 to a number rounds it to an integer, which then stands in the lowest bits:
    nothing is converted, NaN stays NaN.
(c) Numbers go through small buffers, one function a loop: compilers give up on loops in which one
    comparison decides another.
(d) The gates of a row are cut where vectors end; their rules stand in _functions.pxd.
(e) Threads take rows of the batch.
(f) Layers go through all steps in one call. Their products are those of matmul.pyx, called by
    their Python names: modules share no compiled functions.
"""

from cython.parallel cimport prange
from libc.math cimport copysign, fabs, fabsf
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memcpy

from refquant._kernels._buffers cimport elements_of
from refquant._kernels._exponential cimport LOG_2_E, less_powers, series_of
from refquant._kernels._functions cimport function_run
from refquant._kernels._one_range cimport (
    Chosen, FIRST_KEY, KEY_OF_INFINITY, KEY_OF_MINUS_INFINITY, LAST_KEY, chosen_for, of_key, widen,
)
from refquant._kernels._operands cimport Output
from refquant._kernels._rounding cimport quantize_run
from refquant._kernels._threads cimport threads_for

from importlib import import_module

import numpy as np

from refquant._kernels._rules import CHOOSING, FUNCTION, QUANTIZING

linear_dynamic = import_module(__name__.replace("recurrence", "matmul")).linear_dynamic

cdef enum:
    GRAIN = 1 << 13  # elements of the state that are worth a thread
    CHUNK = 256      # elements of a buffer


cdef struct Gate:
    Py_ssize_t vectors  # leading elements of a row that follow the first rule
    int vector
    int tail


cdef Gate gate_of(Py_ssize_t vector_length, rules):
    return Gate(vector_length, FUNCTION[rules.vector], FUNCTION[rules.tail])


cdef inline double exponential(double x) noexcept nogil:
    """e**x for -700 <= x <= 700, or NaN."""
    cdef double shifted = x * LOG_2_E + 6755399441055744.0
    cdef double k = shifted - 6755399441055744.0, r, power
    cdef uint64_t bits
    memcpy(&bits, &shifted, sizeof(double))
    bits = (bits + 1023) << 52  # the exponent of 2**k
    memcpy(&power, &bits, sizeof(double))
    r = less_powers(x, k)
    return (series_of(r) * r + 1.0) * power


cdef inline double held(double size, double end) noexcept nogil:
    """The smaller of the two; NaN stays."""
    return end if size > end else size


cdef void _add(const float* a, const float* b, float* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        y[k] = a[k] + b[k]


cdef void _sigmoid(float* x, Py_ssize_t n, Gate gate) noexcept nogil:
    """Replace `n` neighbors, of which `gate.vectors` lie in vectors, fewer than none or more."""
    cdef Py_ssize_t vectors = max(<Py_ssize_t>0, min(gate.vectors, n))
    function_run(x, vectors, gate.vector)
    function_run(x + vectors, n - vectors, gate.tail)


cdef void _tanh(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef double wide
    for k in range(n):
        wide = x[k]
        y[k] = <float>copysign(
            1.0 - 2.0 / (exponential(2.0 * held(fabs(wide), 20.0)) + 1.0), wide)
    for k in range(n):
        y[k] = x[k] if fabsf(x[k]) < <float>0.000244140625 else y[k]


cdef void _lstm_chunk(
    const float* from_input, const float* from_hidden, const float* cell, float* next_hidden,
    float* next_cell, Py_ssize_t size, Py_ssize_t n, Gate gate
) noexcept nogil:
    """The next state of `n` neighbors of one sequence."""
    cdef float[4][CHUNK] gates
    cdef float[CHUNK] squashed
    cdef Py_ssize_t k
    for k in range(4):
        _add(from_input + k * size, from_hidden + k * size, gates[k], n)
    _sigmoid(gates[0], n, gate)
    _sigmoid(gates[1], n, gate)
    _sigmoid(gates[3], n, gate)
    _tanh(gates[2], squashed, n)
    for k in range(n):
        next_cell[k] = gates[1][k] * cell[k] + gates[0][k] * squashed[k]
    _tanh(next_cell, squashed, n)
    for k in range(n):
        next_hidden[k] = gates[3][k] * squashed[k]


cdef void _lstm_row(
    const float* from_input, const float* from_hidden, const float* cell, float* next_hidden,
    float* next_cell, Py_ssize_t size, Gate gate
) noexcept nogil:
    """The next state of one sequence."""
    cdef Py_ssize_t start = 0
    while start < size:
        _lstm_chunk(from_input + start, from_hidden + start, cell + start, next_hidden + start,
                    next_cell + start, size, min(<Py_ssize_t>CHUNK, size - start), gate)
        start += CHUNK
        gate.vectors -= CHUNK


cdef void _lstm_rows(
    const float* from_input, const float* from_hidden, const float* cell, float* next_hidden,
    float* next_cell, Py_ssize_t batch, Py_ssize_t size,
    Gate gate
) noexcept nogil:
    cdef Py_ssize_t n
    cdef int threads = threads_for(batch * size, GRAIN)
    if threads == 1:
        for n in range(batch):
            _lstm_row(from_input + 4 * n * size, from_hidden + 4 * n * size, cell + n * size,
                      next_hidden + n * size, next_cell + n * size, size, gate)
        return
    for n in prange(batch, num_threads=threads, schedule="static"):
        _lstm_row(from_input + 4 * n * size, from_hidden + 4 * n * size, cell + n * size,
                  next_hidden + n * size, next_cell + n * size, size, gate)


def lstm_cell(
    const float[:, ::1] from_input not None, const float[:, ::1] from_hidden not None,
    const float[:, ::1] cell not None, Py_ssize_t vector_length, gate not None
):
    """Make the next state of long short-term memory; inputs are not checked."""
    cdef Py_ssize_t batch = cell.shape[0], size = cell.shape[1]
    hidden, after = np.empty((batch, size), np.float32), np.empty((batch, size), np.float32)
    cdef float[:, ::1] next_hidden = hidden, next_cell = after
    cdef Gate rules = gate_of(vector_length, gate)
    if batch > 0 and size > 0:
        with nogil:
            _lstm_rows(&from_input[0, 0], &from_hidden[0, 0], &cell[0, 0], &next_hidden[0, 0],
                       &next_cell[0, 0], batch, size, rules)
    return hidden, after


cdef void _gru_chunk(
    const float* from_input, const float* from_hidden, const float* hidden, float* next_hidden,
    Py_ssize_t size, Py_ssize_t n, Gate gate
) noexcept nogil:
    """The next state of `n` neighbors of one sequence."""
    cdef float[2][CHUNK] gates
    cdef float[CHUNK] driven
    cdef float[CHUNK] new
    cdef const float* input_of_new = from_input + 2 * size
    cdef const float* hidden_of_new = from_hidden + 2 * size
    cdef Py_ssize_t k
    for k in range(2):
        _add(from_hidden + k * size, from_input + k * size, gates[k], n)
        _sigmoid(gates[k], n, gate)
    for k in range(n):
        driven[k] = input_of_new[k] + hidden_of_new[k] * gates[0][k]
    _tanh(driven, new, n)
    for k in range(n):
        next_hidden[k] = (hidden[k] - new[k]) * gates[1][k] + new[k]


cdef void _gru_row(
    const float* from_input, const float* from_hidden, const float* hidden, float* next_hidden,
    Py_ssize_t size, Gate gate
) noexcept nogil:
    """The next state of one sequence."""
    cdef Py_ssize_t start = 0
    while start < size:
        _gru_chunk(from_input + start, from_hidden + start, hidden + start, next_hidden + start,
                   size, min(<Py_ssize_t>CHUNK, size - start), gate)
        start += CHUNK
        gate.vectors -= CHUNK


cdef void _gru_rows(
    const float* from_input, const float* from_hidden, const float* hidden, float* next_hidden,
    Py_ssize_t batch, Py_ssize_t size,
    Gate gate
) noexcept nogil:
    cdef Py_ssize_t n
    cdef int threads = threads_for(batch * size, GRAIN)
    if threads == 1:
        for n in range(batch):
            _gru_row(from_input + 3 * n * size, from_hidden + 3 * n * size, hidden + n * size,
                     next_hidden + n * size, size, gate)
        return
    for n in prange(batch, num_threads=threads, schedule="static"):
        _gru_row(from_input + 3 * n * size, from_hidden + 3 * n * size, hidden + n * size,
                 next_hidden + n * size, size, gate)


def gru_cell(
    const float[:, ::1] from_input not None, const float[:, ::1] from_hidden not None,
    const float[:, ::1] hidden not None, Py_ssize_t vector_length, gate not None
):
    """Make the next state of a gated recurrent unit; inputs are not checked."""
    cdef Py_ssize_t batch = hidden.shape[0], size = hidden.shape[1]
    after = np.empty((batch, size), np.float32)
    cdef float[:, ::1] next_hidden = after
    cdef Gate rules = gate_of(vector_length, gate)
    if batch > 0 and size > 0:
        with nogil:
            _gru_rows(&from_input[0, 0], &from_hidden[0, 0], &hidden[0, 0], &next_hidden[0, 0],
                      batch, size, rules)
    return after


cdef void _rnn_block(
    const float* from_input, const float* from_hidden, float* next_hidden, Py_ssize_t n, bint relu
) noexcept nogil:
    """At most CHUNK elements of the next state."""
    cdef float[CHUNK] driven
    cdef Py_ssize_t k
    _add(from_input, from_hidden, driven, n)
    if relu:
        for k in range(n):
            next_hidden[k] = <float>0.0 if driven[k] <= <float>0.0 else driven[k]
    else:
        _tanh(driven, next_hidden, n)


cdef void _rnn_blocks(
    const float* from_input, const float* from_hidden, float* next_hidden, Py_ssize_t count,
    bint relu
) noexcept nogil:
    cdef Py_ssize_t b, blocks = (count + CHUNK - 1) // CHUNK
    cdef int threads = threads_for(count, GRAIN)
    if threads == 1:
        for b in range(blocks):
            _rnn_block(from_input + b * CHUNK, from_hidden + b * CHUNK, next_hidden + b * CHUNK,
                       min(<Py_ssize_t>CHUNK, count - b * CHUNK), relu)
        return
    for b in prange(blocks, num_threads=threads, schedule="static"):
        _rnn_block(from_input + b * CHUNK, from_hidden + b * CHUNK, next_hidden + b * CHUNK,
                   min(<Py_ssize_t>CHUNK, count - b * CHUNK), relu)


def rnn_cell(
    const float[:, ::1] from_input not None, const float[:, ::1] from_hidden not None, bint relu
):
    """Make the next state of a plain cell; inputs are not checked."""
    cdef Py_ssize_t batch = from_input.shape[0], size = from_input.shape[1]
    after = np.empty((batch, size), np.float32)
    cdef float[:, ::1] next_hidden = after
    if batch > 0 and size > 0:
        with nogil:
            _rnn_blocks(&from_input[0, 0], &from_hidden[0, 0], &next_hidden[0, 0], batch * size,
                        relu)
    return after


# What a layer quantizes its state with, before it multiplies.
cdef struct Input:
    int choose
    int32_t quant_max
    Py_ssize_t block
    int vector
    int tail


cdef bint _quantize_state(
    const float* x, uint8_t* q, Py_ssize_t n, Input by, Chosen* found
) noexcept nogil:
    """Quantize numbers by their own range; False if that is not finite."""
    cdef int32_t low = LAST_KEY, high = FIRST_KEY
    cdef Py_ssize_t vectors = n - n % by.block
    cdef Output to
    widen(x, n, &low, &high)
    if n == 0:
        low = high = 0
    if low <= KEY_OF_MINUS_INFINITY or high >= KEY_OF_INFINITY:
        return False
    found[0] = chosen_for(of_key(low), of_key(high), 0, by.quant_max, by.choose)
    to = Output(found.scale, <int32_t>found.zero_point, 0, 255)
    quantize_run(x, q, vectors, to, by.vector)
    quantize_run(x + vectors, q + vectors, n - vectors, to, by.tail)
    return True


cdef _run_layer(
    const float[:, ::1] driven, batch_sizes, float[:, ::1] hidden, float[:, ::1] cell, product,
    bint reverse, Gate gate, output
):
    """Go through all steps; returns how many were made before a state was not finite."""
    weight, biases, accumulate, rule, choose, quantize, quant_max = product
    cdef Input by = Input(CHOOSING[choose], quant_max, quantize.block, QUANTIZING[quantize.vector],
                          QUANTIZING[quantize.tail])
    cdef Py_ssize_t batch = hidden.shape[0], size = hidden.shape[1], count, first, made = 0
    cdef const float* from_input
    cdef const float* from_hidden
    cdef float[:, ::1] outputs = output, next_cell = np.empty((batch, size), np.float32)
    cdef Chosen found
    cdef bint finite
    codes = np.empty((batch, size), np.uint8)
    cdef uint8_t[:, ::1] q = codes
    first = driven.shape[0] if reverse else 0
    for count in reversed(batch_sizes) if reverse else batch_sizes:
        first -= count if reverse else 0
        with nogil:
            finite = _quantize_state(&hidden[0, 0], &q[0, 0], count * size, by, &found)
        if not finite:
            break
        product_of_state = linear_dynamic(
            codes if count == batch else codes[:count], (found.scale, found.zero_point), weight,
            biases, None, accumulate, rule)
        from_input = &driven[first, 0]
        from_hidden = <const float*>elements_of(product_of_state, sizeof(float)).start
        with nogil:
            if cell is None:
                _gru_rows(from_input, from_hidden, &hidden[0, 0], &outputs[first, 0], count, size,
                          gate)
            else:
                _lstm_rows(from_input, from_hidden, &cell[0, 0], &outputs[first, 0],
                           &next_cell[0, 0], count, size, gate)
                memcpy(&cell[0, 0], &next_cell[0, 0], count * size * sizeof(float))
            memcpy(&hidden[0, 0], &outputs[first, 0], count * size * sizeof(float))
        first += 0 if reverse else count
        made += 1
    return made


def lstm_layer(
    const float[:, ::1] driven not None, batch_sizes, hidden not None, cell not None, product,
    bint reverse, Py_ssize_t vector_length, gate not None
):
    """Run long short-term memory over sequences; inputs are not checked."""
    output = np.zeros((driven.shape[0], hidden.shape[1]), np.float32)
    hidden, cell = hidden.copy(), cell.copy()
    made = _run_layer(driven, batch_sizes, hidden, cell, product, reverse,
                      gate_of(vector_length, gate), output)
    return output, hidden, cell, made


def gru_layer(
    const float[:, ::1] driven not None, batch_sizes, hidden not None, product, bint reverse,
    Py_ssize_t vector_length, gate not None
):
    """Run a gated recurrent unit over sequences; inputs are not checked."""
    output = np.zeros((driven.shape[0], hidden.shape[1]), np.float32)
    hidden = hidden.copy()
    made = _run_layer(driven, batch_sizes, hidden, None, product, reverse,
                      gate_of(vector_length, gate), output)
    return output, hidden, made
