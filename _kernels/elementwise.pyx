"""Kernels of refquant.reference.elementwise.

Design
(a) The formula of an element stands in _rounding.pxd or _integers.pxd.
(b) Sums and products of real numbers go through two small buffers that stay in the first cache:
    dequantize a chunk of each operand, combine, quantize. Each step is a plain loop that
    vectorizes, and any rule goes with any other.
(c) Elements are cut where vectors and runs end; rules are chosen once a piece.
(d) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange, threadid
from libc.math cimport frexpf, ldexp, rintf
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t

from refquant._kernels._integers cimport (
    convert_then_add, difference, fixed_point, widen_then_add,
)
from refquant._kernels._joined cimport TOGETHER, Piece, Requantizing, join_rows
from refquant._kernels._operands cimport (
    Output, Quantizer, Runs, char_of, output_of, quantizer_of, runs_of, stored,
)
from refquant._kernels._rounding cimport (
    dequantize_run, quantize_run, round_then_add, subtract_fused,
)
from refquant._kernels._rules cimport CONVERT_THEN_ADD, ROUND_THEN_ADD, SUBTRACT_FUSED
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import DEQUANTIZING, QUANTIZING, REQUANTIZING

cdef enum:
    BLOCK = 32768  # elements a thread takes at once
    CHUNK = 1024   # elements of a buffer: 4 KiB of float32

cdef enum:
    SUM = 1
    PRODUCT = 2
    NOTHING = 3  # there is no second operand


# What is done to real numbers between dequantize and quantize, and the rules of both.
cdef struct Way:
    int operation
    bint relu
    int dequantize
    int tail_dequantize
    int quantize
    int tail_quantize


cdef void _sum_in_one_loop(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t n,
    Output to, bint relu
) noexcept nogil:
    """Add by the rules of FBGEMM's vectors."""
    cdef float s_a = <float>qa.scale, negative_a = s_a * <float>(-<double>qa.zero_point)
    cdef float s_b = <float>qb.scale, negative_b = s_b * <float>(-<double>qb.zero_point)
    cdef float inv = <float>1.0 / <float>to.scale, t
    cdef Py_ssize_t i
    if relu:
        for i in range(n):
            t = subtract_fused(a[i], s_a, negative_a) + subtract_fused(b[i], s_b, negative_b)
            t = <float>0.0 if t < 0.0 else t
            q[i] = <stored>round_then_add(t, inv, to.zero_point, to.output_min, to.output_max)
    else:
        for i in range(n):
            t = subtract_fused(a[i], s_a, negative_a) + subtract_fused(b[i], s_b, negative_b)
            q[i] = <stored>round_then_add(t, inv, to.zero_point, to.output_min, to.output_max)


cdef void _combine_piece(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t n,
    Output to, Way way, int dequantize, int quantize
) noexcept nogil:
    """Elements that follow one pair of rules."""
    cdef float x[CHUNK]
    cdef float y[CHUNK]
    cdef Py_ssize_t start = 0, count, i
    if way.operation == SUM and dequantize == SUBTRACT_FUSED and quantize == ROUND_THEN_ADD:
        _sum_in_one_loop(a, qa, b, qb, q, n, to, way.relu)
        return
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, qa, dequantize)
        if way.operation != NOTHING:
            dequantize_run(b + start, y, count, qb, dequantize)
        if way.operation == SUM:
            for i in range(count):
                x[i] = x[i] + y[i]
        elif way.operation == PRODUCT:
            for i in range(count):
                x[i] = x[i] * y[i]
        if way.relu:
            for i in range(count):
                x[i] = <float>0.0 if x[i] < 0.0 else x[i]  # NaN stays
        quantize_run(x, q + start, count, to, quantize)
        start += count


cdef void _combine_span(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t start,
    Py_ssize_t stop, Output to, Way way, Runs runs
) noexcept nogil:
    """Elements from start to stop, piece by piece."""
    cdef Py_ssize_t place, end
    while start < stop:
        place = start % runs.run_length
        if place < runs.vector_length:
            end = min(stop, start + runs.vector_length - place)
            _combine_piece(a + start, qa, b + start, qb, q + start, end - start, to, way,
                           way.dequantize, way.quantize)
        else:
            end = min(stop, start + runs.run_length - place)
            _combine_piece(a + start, qa, b + start, qb, q + start, end - start, to, way,
                           way.tail_dequantize, way.tail_quantize)
        start = end


cdef _combine(
    const stored[::1] a, Quantizer qa, const stored[::1] b, Quantizer qb, stored[::1] q, Output to,
    Way way, Runs runs
):
    cdef Py_ssize_t n = a.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    with nogil:
        if threads == 1:
            _combine_span(&a[0], qa, &b[0], qb, &q[0], 0, n, to, way, runs)
        else:
            for block in prange(blocks, num_threads=threads, schedule="static"):
                start = block * BLOCK
                _combine_span(&a[0], qa, &b[0], qb, &q[0], start, min(start + BLOCK, n), to, way,
                              runs)


cdef _combined(a, a_quantizer, b, b_quantizer, output, Way way, runs, dequantize, quantize):
    cdef Quantizer qa = quantizer_of(a_quantizer), qb = quantizer_of(b_quantizer)
    cdef Output to = output_of(output)
    cdef Runs walk = runs_of(runs)
    way.dequantize = DEQUANTIZING[dequantize.vector]
    way.tail_dequantize = DEQUANTIZING[dequantize.tail]
    way.quantize, way.tail_quantize = QUANTIZING[quantize.vector], QUANTIZING[quantize.tail]
    out = np.empty_like(a)
    if walk.vector_length == walk.run_length:  # nothing is left of any run
        walk = Runs(out.size, out.size)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        _combine[uint8_t](a, qa, b, qb, out, to, way, walk)
    elif kind == "b":
        _combine[int8_t](a, qa, b, qb, out, to, way, walk)
    else:
        _combine[int32_t](a, qa, b, qb, out, to, way, walk)
    return out


def add(
    a not None, a_quantizer, b not None, b_quantizer, output, bint relu, runs, dequantize, quantize
):
    """Add real numbers; inputs are not checked."""
    return _combined(a, a_quantizer, b, b_quantizer, output, Way(SUM, relu, 0, 0, 0, 0), runs,
                     dequantize, quantize)


def multiply(
    a not None, a_quantizer, b not None, b_quantizer, output, bint relu, runs, dequantize, quantize
):
    """Multiply real numbers; inputs are not checked."""
    return _combined(a, a_quantizer, b, b_quantizer, output, Way(PRODUCT, relu, 0, 0, 0, 0), runs,
                     dequantize, quantize)


def requantize(a not None, a_quantizer, output, bint relu, runs, dequantize, quantize):
    """Give the same real numbers other parameters; inputs are not checked."""
    return _combined(a, a_quantizer, a, a_quantizer, output, Way(NOTHING, relu, 0, 0, 0, 0), runs,
                     dequantize, quantize)


def add_fixed_point(
    const uint8_t[::1] a not None, a_quantizer, const uint8_t[::1] b not None, b_quantizer, output
):
    """Add with integers alone; inputs are not checked."""
    cdef Quantizer qa = quantizer_of(a_quantizer), qb = quantizer_of(b_quantizer)
    cdef Output to = output_of(output)
    cdef float A = <float>qa.scale / <float>to.scale, B = <float>qb.scale / <float>to.scale
    cdef int exponent, shift
    frexpf(max(A, B), &exponent)
    shift = 22 - exponent
    cdef float factor = <float>ldexp(1.0, shift)
    cdef int32_t m_a = <int32_t>rintf(A * factor), m_b = <int32_t>rintf(B * factor)
    cdef int32_t offset = <int32_t>(
        <uint32_t>m_a * <uint32_t>qa.zero_point + <uint32_t>m_b * <uint32_t>qb.zero_point)
    if shift > 31:  # an int32 over 2**32 or more rounds to 0
        m_a = m_b = offset = shift = 0
    cdef int32_t mask = <int32_t>((<int64_t>1 << shift) - 1)
    out = np.empty(a.shape[0], np.uint8)
    cdef uint8_t[::1] q = out
    cdef Py_ssize_t n = a.shape[0], i
    cdef int threads = threads_for(n, 2 * BLOCK)
    with nogil:
        for i in prange(n, num_threads=threads, schedule="static", use_threads_if=threads > 1):
            q[i] = fixed_point(a[i], m_a, b[i], m_b, offset, mask, shift, to.zero_point,
                               to.output_min, to.output_max)
    return out


# How integers requantize: `minus` is taken from them, the products or sums are scaled by `factor`.
cdef struct Scaling:
    int32_t minus_a
    int32_t minus_b
    float factor
    int rule
    int tail_rule
    bint product


cdef void _product_piece(
    const stored* a, const stored* b, stored* q, Py_ssize_t n, Scaling by, Output to, int rule
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t p, z = to.zero_point, lower = to.output_min, upper = to.output_max
    if rule == CONVERT_THEN_ADD:
        for i in range(n):
            p = <int32_t>(<uint32_t>difference(a[i], by.minus_a)
                          * <uint32_t>difference(b[i], by.minus_b))
            q[i] = <stored>convert_then_add(p, by.factor, z, lower, upper)
    else:
        for i in range(n):
            p = <int32_t>(<uint32_t>difference(a[i], by.minus_a)
                          * <uint32_t>difference(b[i], by.minus_b))
            q[i] = <stored>widen_then_add(p, by.factor, z, lower, upper)


cdef void _shift_piece(
    const stored* a, stored* q, Py_ssize_t n, Scaling by, Output to, int rule
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t s, z = to.zero_point, lower = to.output_min, upper = to.output_max
    if rule == CONVERT_THEN_ADD:
        for i in range(n):
            s = difference(a[i], by.minus_a)
            q[i] = <stored>convert_then_add(s, by.factor, z, lower, upper)
    else:
        for i in range(n):
            s = difference(a[i], by.minus_a)
            q[i] = <stored>widen_then_add(s, by.factor, z, lower, upper)


cdef void _scale_span(
    const stored* a, const stored* b, stored* q, Py_ssize_t start, Py_ssize_t stop, Scaling by,
    Output to, Runs runs
) noexcept nogil:
    """Elements from start to stop, piece by piece."""
    cdef Py_ssize_t place, end
    cdef int rule
    while start < stop:
        place = start % runs.run_length
        if place < runs.vector_length:
            end, rule = min(stop, start + runs.vector_length - place), by.rule
        else:
            end, rule = min(stop, start + runs.run_length - place), by.tail_rule
        if by.product:
            _product_piece(a + start, b + start, q + start, end - start, by, to, rule)
        else:
            _shift_piece(a + start, q + start, end - start, by, to, rule)
        start = end


cdef _scale(
    const stored[::1] a, const stored[::1] b, stored[::1] q, Scaling by, Output to, Runs runs
):
    cdef Py_ssize_t n = a.shape[0], blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    with nogil:
        if threads == 1:
            _scale_span(&a[0], &b[0], &q[0], 0, n, by, to, runs)
        else:
            for block in prange(blocks, num_threads=threads, schedule="static"):
                start = block * BLOCK
                _scale_span(&a[0], &b[0], &q[0], start, min(start + BLOCK, n), by, to, runs)


cdef _scaled(a, b, Scaling by, Output to, runs, requantize):
    cdef Runs walk = runs_of(runs)
    by.rule, by.tail_rule = REQUANTIZING[requantize.vector], REQUANTIZING[requantize.tail]
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        _scale[uint8_t](a, b, out, by, to, walk)
    elif kind == "b":
        _scale[int8_t](a, b, out, by, to, walk)
    else:
        _scale[int32_t](a, b, out, by, to, walk)
    return out


def multiply_integers(
    a not None, a_quantizer, b not None, b_quantizer, output, runs, requantize
):
    """Multiply integers; inputs are not checked."""
    cdef Quantizer qa = quantizer_of(a_quantizer), qb = quantizer_of(b_quantizer)
    cdef Output to = output_of(output)
    cdef float both = <float>qa.scale * <float>qb.scale
    cdef float factor = both * (<float>1.0 / <float>to.scale)
    return _scaled(a, b, Scaling(qa.zero_point, qb.zero_point, factor, 0, 0, True), to, runs,
                   requantize)


def add_scalar(a not None, int64_t offset, double a_scale, output, runs, requantize):
    """Add a number of steps; inputs are not checked."""
    cdef Output to = output_of(output)
    cdef float factor = <float>a_scale * (<float>1.0 / <float>to.scale)
    cdef int32_t minus = <int32_t>(<uint32_t>0 - <uint32_t>offset)
    return _scaled(a, a, Scaling(minus, 0, factor, 0, 0, False), to, runs, requantize)


cdef void _clamp_all(
    const stored* a, stored* q, Py_ssize_t n, stored lower, stored upper
) noexcept nogil:
    # Over pointers: the strides of memoryviews keep the compiler from vectorizing this loop.
    cdef Py_ssize_t i
    cdef stored v
    cdef int threads = threads_for(n, 4 * BLOCK)
    for i in prange(n, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        v = a[i] if a[i] > lower else lower
        q[i] = v if v < upper else upper


cdef _clamp(const stored[::1] a, stored[::1] q, stored lower, stored upper):
    if a.shape[0]:
        with nogil:
            _clamp_all(&a[0], &q[0], a.shape[0], lower, upper)


def clamp(a not None, int32_t lower, int32_t upper):
    """Keep integers in a range; inputs are not checked."""
    out = np.empty_like(a)
    kind = a.dtype.char
    if kind == "B":
        _clamp[uint8_t](a, out, <uint8_t>lower, <uint8_t>upper)
    elif kind == "b":
        _clamp[int8_t](a, out, <int8_t>lower, <int8_t>upper)
    else:
        _clamp[int32_t](a, out, lower, upper)
    return out


cdef _join(
    pieces, quantizers, vector_lengths, stored[:, ::1] out, Requantizing by
):
    cdef Py_ssize_t count = len(pieces), widest = 1, rows = out.shape[0], together, blocks, k, p
    cdef Py_ssize_t[::1] memory = np.empty(count * (sizeof(Piece) // sizeof(Py_ssize_t)), np.intp)
    cdef Piece* of = <Piece*>&memory[0]
    cdef const stored[:, ::1] piece
    for p in range(count):
        piece = pieces[p]
        widest = max(widest, piece.shape[1])
        of[p] = Piece(<Py_ssize_t>&piece[0, 0] if piece.shape[1] else 0, piece.shape[1],
                      vector_lengths[p], quantizer_of(quantizers[p]))
    together = max(<Py_ssize_t>1, TOGETHER // widest)
    blocks = (rows + together - 1) // together
    cdef int threads = threads_for(rows * out.shape[1], 2 * BLOCK)
    cdef stored[:, ::1] buffers = np.empty((threads, together * widest), char_of(<stored>0))
    with nogil:
        for k in prange(blocks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
            join_rows(of, count, k * together, min(together, rows - k * together),
                      &out[k * together, 0], out.shape[1], by, &buffers[threadid(), 0])


def join(pieces, quantizers, output, bint relu, vector_lengths, dequantize, quantize):
    """Lay rows of several arrays side by side, with new parameters; inputs are not checked."""
    first = pieces[0]
    out = np.empty((first.shape[0], sum([piece.shape[1] for piece in pieces])), first.dtype)
    cdef Requantizing by = Requantizing(
        output_of(output), relu, DEQUANTIZING[dequantize.vector], DEQUANTIZING[dequantize.tail],
        QUANTIZING[quantize.vector], QUANTIZING[quantize.tail])
    if out.size == 0:
        return out
    kind = out.dtype.char
    if kind == "B":
        _join[uint8_t](pieces, quantizers, vector_lengths, out, by)
    elif kind == "b":
        _join[int8_t](pieces, quantizers, vector_lengths, out, by)
    else:
        _join[int32_t](pieces, quantizers, vector_lengths, out, by)
    return out
