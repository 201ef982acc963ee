# Rows of several arrays side by side, with the parameters of the result, to be inlined into loops.
#
# Design
# (a) A few rows of a piece are requantized in a buffer that stays in the first cache, then copied
#     to their places: loops go over more than one row, and memory is written once.

from libc.string cimport memcpy

from refquant._kernels._operands cimport Output, Quantizer, stored
from refquant._kernels._rounding cimport dequantize_run, quantize_run

cdef enum:
    TOGETHER = 2048  # elements of a buffer
    PART = 64        # bytes that one instruction or a few copy


cdef struct Piece:
    Py_ssize_t address
    Py_ssize_t width
    Py_ssize_t vectors
    Quantizer quantizer


# How numbers are requantized: in vectors, and in what is left of a row.
cdef struct Requantizing:
    Output to
    bint relu
    bint keep  # what has the parameters of the result already
    int dequantize
    int tail_dequantize
    int quantize
    int tail_quantize


cdef inline bint copied(Piece of, Requantizing by) noexcept nogil:
    """Whether the integers of a piece stay as they are."""
    return by.keep and not by.relu and of.quantizer.scale == by.to.scale and (
        of.quantizer.zero_point == by.to.zero_point)


cdef inline void requantize_run(
    const stored* a, stored* q, Py_ssize_t n, Quantizer of, Output to, bint relu, int dequantize,
    int quantize
) noexcept nogil:
    cdef float x[TOGETHER]
    cdef Py_ssize_t start = 0, count, i
    while start < n:
        count = min(<Py_ssize_t>TOGETHER, n - start)
        dequantize_run(a + start, x, count, of, dequantize)
        if relu:
            for i in range(count):
                x[i] = <float>0.0 if x[i] < 0.0 else x[i]  # NaN stays
        quantize_run(x, q + start, count, to, quantize)
        start += count


cdef inline void requantize_rows(
    const stored* a, stored* q, Py_ssize_t rows, Piece of, Requantizing by
) noexcept nogil:
    cdef Py_ssize_t i, place
    if of.vectors == of.width:
        requantize_run(a, q, rows * of.width, of.quantizer, by.to, by.relu, by.dequantize,
                       by.quantize)
        return
    for i in range(rows):
        place = i * of.width
        requantize_run(a + place, q + place, of.vectors, of.quantizer, by.to, by.relu,
                       by.dequantize, by.quantize)
        place += of.vectors
        requantize_run(a + place, q + place, of.width - of.vectors, of.quantizer, by.to, by.relu,
                       by.tail_dequantize, by.tail_quantize)


cdef inline void copy_row(const stored* a, stored* q, Py_ssize_t n) noexcept nogil:
    """Copy neighbors; parts of a constant size need no call."""
    cdef Py_ssize_t start = 0, part = PART // sizeof(stored)
    while start + part <= n:
        memcpy(q + start, a + start, PART)
        start += part
    if start < n:
        memcpy(q + start, a + start, (n - start) * sizeof(stored))


cdef inline void join_rows(
    const Piece* pieces, Py_ssize_t count, Py_ssize_t first, Py_ssize_t rows, stored* out,
    Py_ssize_t step, Requantizing by, stored* buffer
) noexcept nogil:
    """Fill `rows` rows of the result from row `first` of each piece."""
    cdef Py_ssize_t p, i
    cdef Piece of
    cdef const stored* a
    for p in range(count):
        of = pieces[p]
        a = <const stored*>of.address + first * of.width
        if not copied(of, by):
            requantize_rows(a, buffer, rows, of, by)
            a = buffer
        for i in range(rows):
            copy_row(a + i * of.width, out + i * step, of.width)
        out += of.width
