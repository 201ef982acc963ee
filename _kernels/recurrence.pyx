"""Kernels of refquant.reference.recurrence.

Design
(a) The exponential function is a polynomial in double and an exponent put together from bits, so
    that loops over it vectorize; no library function is called.
(b) Clamps and NaN are ternaries.
(c) Threads take rows of the batch.
"""

from cython.parallel cimport prange
from libc.math cimport copysign, fabs, rint
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    GRAIN = 1 << 13  # elements of the state that are worth a thread



cdef inline double exponential(double x) noexcept nogil:
    """e**x for -700 <= x <= 700, or NaN."""
    cdef double k = rint(x * 1.4426950408889634), r, series, power
    cdef int64_t bits
    k = k if k == k else 0.0
    r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10
    series = 1.0 / 39916800.0
    series = series * r + 1.0 / 3628800.0
    series = series * r + 1.0 / 362880.0
    series = series * r + 1.0 / 40320.0
    series = series * r + 1.0 / 5040.0
    series = series * r + 1.0 / 720.0
    series = series * r + 1.0 / 120.0
    series = series * r + 1.0 / 24.0
    series = series * r + 1.0 / 6.0
    series = series * r + 0.5
    series = series * r + 1.0
    series = series * r + 1.0
    bits = (<int64_t><int32_t>k + 1023) << 52  # the exponent of 2**k
    memcpy(&power, &bits, sizeof(double))
    return series * power


cdef inline float sigmoid(float x) noexcept nogil:
    cdef double wide = -110.0 if x < -110.0 else <double>x
    wide = 110.0 if wide > 110.0 else wide
    return <float>(1.0 / (1.0 + exponential(-wide)))


cdef inline float tanh(float x) noexcept nogil:
    cdef double size = fabs(<double>x)
    cdef double held = 20.0 if size > 20.0 else size
    cdef double large = copysign(1.0 - 2.0 / (exponential(2.0 * held) + 1.0), <double>x)
    return x if size < 0.000244140625 else <float>large


cdef void _row(
    const float* from_input, const float* from_hidden, const float* cell, float* next_hidden,
    float* next_cell, Py_ssize_t size
) noexcept nogil:
    """The next state of one sequence."""
    cdef Py_ssize_t k
    cdef float kept, taken
    for k in range(size):
        kept = sigmoid(from_input[size + k] + from_hidden[size + k]) * cell[k]
        taken = sigmoid(from_input[k] + from_hidden[k])
        taken = taken * tanh(from_input[2 * size + k] + from_hidden[2 * size + k])
        next_cell[k] = kept + taken
    for k in range(size):
        next_hidden[k] = (
            sigmoid(from_input[3 * size + k] + from_hidden[3 * size + k]) * tanh(next_cell[k])
        )


cdef void _rows(
    const float* from_input, const float* from_hidden, const float* cell, float* next_hidden,
    float* next_cell, Py_ssize_t batch, Py_ssize_t size
) noexcept nogil:
    cdef Py_ssize_t n
    cdef int threads = threads_for(batch * size, GRAIN)
    for n in prange(batch, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        _row(from_input + 4 * n * size, from_hidden + 4 * n * size, cell + n * size,
             next_hidden + n * size, next_cell + n * size, size)


def lstm_cell(
    const float[:, ::1] from_input not None, const float[:, ::1] from_hidden not None,
    const float[:, ::1] cell not None
):
    """Make the next state of long short-term memory; inputs are not checked."""
    cdef Py_ssize_t batch = cell.shape[0], size = cell.shape[1]
    hidden, after = np.empty((batch, size), np.float32), np.empty((batch, size), np.float32)
    cdef float[:, ::1] next_hidden = hidden, next_cell = after
    if batch > 0 and size > 0:
        with nogil:
            _rows(&from_input[0, 0], &from_hidden[0, 0], &cell[0, 0], &next_hidden[0, 0],
                  &next_cell[0, 0], batch, size)
    return hidden, after
