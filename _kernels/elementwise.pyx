"""Kernels of refquant.reference.elementwise.

Design
(a) The formula of an element stands in _rounding.pxd, that of integers in _integer_runs.pxd.
(b) Sums and products of real numbers go through two small buffers that stay in the first cache:
    dequantize a chunk of each operand, combine, quantize. Each step is a plain loop that
    vectorizes, and any rule goes with any other.
(c) Elements are cut where vectors and runs end; rules are chosen once a piece.
(d) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from refquant._kernels._buffers cimport Elements, elements_of, kind_of
from refquant._kernels._integer_runs cimport (
    Fixed, Scaling, fixed_of, fixed_span, scale_span,
)
from refquant._kernels._joined cimport (
    TOGETHER, Piece, Requantizing, copied, join_rows, requantize_run,
)
from refquant._kernels._operands cimport (
    Output, Quantizer, Runs, char_of, output_of, quantizer_of, runs_of, stored,
)
from refquant._kernels._rounding cimport (
    dequantize_run, quantize_run, round_then_add, subtract_fused,
)
from refquant._kernels._rules cimport ROUND_THEN_ADD, SUBTRACT_FUSED
from refquant._kernels._threads cimport apart, threads_for

import numpy as np

from refquant._kernels._rules import DEQUANTIZING, QUANTIZING, REQUANTIZING

cdef enum:
    BLOCK = 32768  # elements a thread takes at once
    GRAIN = 4      # blocks that are worth a thread
    CHUNK = 1024   # elements of a buffer: 4 KiB of float32
    FEW = 1024     # elements that take less time than to hand over the interpreter's lock

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


cdef void _combine(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t n,
    Output to, Way way, Runs runs
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, GRAIN)
    if threads == 1:
        _combine_span(a, qa, b, qb, q, 0, n, to, way, runs)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        _combine_span(a, qa, b, qb, q, start, min(start + BLOCK, n), to, way, runs)


cdef void _combine_any(
    Elements a, Quantizer qa, Elements b, Quantizer qb, Elements q, Output to, Way way, Runs runs,
    Py_UCS4 kind
) noexcept nogil:
    cdef Py_ssize_t n = q.count
    if kind == u"B":
        _combine(<uint8_t*>a.start, qa, <uint8_t*>b.start, qb, <uint8_t*>q.start, n, to, way, runs)
    elif kind == u"b":
        _combine(<int8_t*>a.start, qa, <int8_t*>b.start, qb, <int8_t*>q.start, n, to, way, runs)
    else:
        _combine(<int32_t*>a.start, qa, <int32_t*>b.start, qb, <int32_t*>q.start, n, to, way, runs)


cdef _combined(a, a_quantizer, b, b_quantizer, output, Way way, runs, dequantize, quantize):
    cdef Quantizer qa = quantizer_of(a_quantizer), qb = quantizer_of(b_quantizer)
    cdef Output to = output_of(output)
    cdef Runs walk = runs_of(runs)
    way.dequantize = DEQUANTIZING[dequantize.vector]
    way.tail_dequantize = DEQUANTIZING[dequantize.tail]
    way.quantize, way.tail_quantize = QUANTIZING[quantize.vector], QUANTIZING[quantize.tail]
    storage = a.dtype
    out = np.empty(a.shape, storage)
    cdef Py_UCS4 kind = kind_of(storage)
    cdef Py_ssize_t size = 4 if kind == u"i" else 1
    cdef Elements from_a = elements_of(a, size), from_b = elements_of(b, size)
    cdef Elements into = elements_of(out, size)
    if walk.vector_length == walk.run_length:  # nothing is left of any run
        walk = Runs(into.count, into.count)
    if into.count <= FEW:
        _combine_any(from_a, qa, from_b, qb, into, to, way, walk, kind)
        return out
    with nogil:
        _combine_any(from_a, qa, from_b, qb, into, to, way, walk, kind)
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


cdef void _fixed_sum(
    const uint8_t* a, const uint8_t* b, uint8_t* q, Py_ssize_t n, Fixed by, Output to
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, GRAIN)
    if threads == 1:
        fixed_span(a, b, q, n, by, to)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        fixed_span(a + start, b + start, q + start, min(<Py_ssize_t>BLOCK, n - start), by, to)


def add_fixed_point(a not None, a_quantizer, b not None, b_quantizer, output):
    """Add with integers alone; inputs are not checked."""
    cdef Output to = output_of(output)
    cdef Fixed by = fixed_of(quantizer_of(a_quantizer), quantizer_of(b_quantizer), to.scale)
    out = np.empty(a.shape, np.uint8)
    cdef Elements from_a = elements_of(a, 1), from_b = elements_of(b, 1)
    cdef Elements into = elements_of(out, 1)
    with nogil:
        _fixed_sum(<uint8_t*>from_a.start, <uint8_t*>from_b.start, <uint8_t*>into.start,
                   into.count, by, to)
    return out


cdef void _scale(
    const stored* a, const stored* b, stored* q, Py_ssize_t n, Scaling by, Output to, Runs runs
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, GRAIN)
    if threads == 1:
        scale_span(a, b, q, 0, n, by, to, runs)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        scale_span(a, b, q, start, min(start + BLOCK, n), by, to, runs)


cdef void _scale_any(
    Elements a, Elements b, Elements q, Scaling by, Output to, Runs runs, Py_UCS4 kind
) noexcept nogil:
    cdef Py_ssize_t n = q.count
    if kind == u"B":
        _scale(<uint8_t*>a.start, <uint8_t*>b.start, <uint8_t*>q.start, n, by, to, runs)
    elif kind == u"b":
        _scale(<int8_t*>a.start, <int8_t*>b.start, <int8_t*>q.start, n, by, to, runs)
    else:
        _scale(<int32_t*>a.start, <int32_t*>b.start, <int32_t*>q.start, n, by, to, runs)


cdef _scaled(a, b, Scaling by, Output to, runs, requantize):
    cdef Runs walk = runs_of(runs)
    by.rule, by.tail_rule = REQUANTIZING[requantize.vector], REQUANTIZING[requantize.tail]
    storage = a.dtype
    out = np.empty(a.shape, storage)
    cdef Py_UCS4 kind = kind_of(storage)
    cdef Py_ssize_t size = 4 if kind == u"i" else 1
    cdef Elements from_a = elements_of(a, size), from_b = elements_of(b, size)
    cdef Elements into = elements_of(out, size)
    if into.count <= FEW:
        _scale_any(from_a, from_b, into, by, to, walk, kind)
        return out
    with nogil:
        _scale_any(from_a, from_b, into, by, to, walk, kind)
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


cdef void _clamp_span(
    const stored* a, stored* q, Py_ssize_t n, stored lower, stored upper
) noexcept nogil:
    cdef Py_ssize_t i
    cdef stored v
    for i in range(n):
        v = a[i] if a[i] > lower else lower
        q[i] = v if v < upper else upper


cdef void _clamp(
    const stored* a, stored* q, Py_ssize_t n, stored lower, stored upper
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks * sizeof(stored), 3 * GRAIN)
    if threads == 1:
        _clamp_span(a, q, n, lower, upper)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        _clamp_span(a + start, q + start, min(<Py_ssize_t>BLOCK, n - start), lower, upper)


cdef void _clamp_any(
    Elements a, Elements q, int32_t lower, int32_t upper, Py_UCS4 kind
) noexcept nogil:
    if kind == u"B":
        _clamp(<uint8_t*>a.start, <uint8_t*>q.start, q.count, <uint8_t>lower, <uint8_t>upper)
    elif kind == u"b":
        _clamp(<int8_t*>a.start, <int8_t*>q.start, q.count, <int8_t>lower, <int8_t>upper)
    else:
        _clamp(<int32_t*>a.start, <int32_t*>q.start, q.count, lower, upper)


def clamp(a not None, int32_t lower, int32_t upper):
    """Keep integers in a range; inputs are not checked."""
    storage = a.dtype
    out = np.empty(a.shape, storage)
    cdef Py_UCS4 kind = kind_of(storage)
    cdef Py_ssize_t size = 4 if kind == u"i" else 1
    cdef Elements from_a = elements_of(a, size), into = elements_of(out, size)
    if into.count <= FEW:
        _clamp_any(from_a, into, lower, upper, kind)
        return out
    with nogil:
        _clamp_any(from_a, into, lower, upper, kind)
    return out


cdef void _join_part(
    const stored* a, stored* q, Py_ssize_t n, Piece of, Requantizing by
) noexcept nogil:
    """Neighbors of one piece that follow the rules of vectors."""
    if copied(of, by):
        memcpy(q, a, n * sizeof(stored))
    else:
        requantize_run(a, q, n, of.quantizer, by.to, by.relu, by.dequantize, by.quantize)


cdef void _join_long(
    const stored* a, stored* q, Py_ssize_t n, Piece of, Requantizing by
) noexcept nogil:
    """A piece of one row, of which threads take parts; one of no elements has no address."""
    cdef Py_ssize_t vectors = n if copied(of, by) else of.vectors
    cdef Py_ssize_t blocks = (vectors + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, GRAIN)
    if n == 0:
        return
    if threads == 1:
        _join_part(a, q, vectors, of, by)
    else:
        for block in prange(blocks, num_threads=threads, schedule="static"):
            start = block * BLOCK
            _join_part(a + start, q + start, min(<Py_ssize_t>BLOCK, vectors - start), of, by)
    requantize_run(a + vectors, q + vectors, n - vectors, of.quantizer, by.to, by.relu,
                   by.tail_dequantize, by.tail_quantize)


cdef _join(
    pieces, quantizers, vector_lengths, stored[:, ::1] out, Requantizing by
):
    cdef Py_ssize_t count = len(pieces), widest = 1, rows = out.shape[0], together, blocks, k, p
    cdef Py_ssize_t[::1] memory = np.empty(count * (sizeof(Piece) // sizeof(Py_ssize_t)), np.intp)
    cdef Piece* of = <Piece*>&memory[0]
    cdef const stored[:, ::1] piece
    cdef Py_ssize_t place = 0
    for p in range(count):
        piece = pieces[p]
        widest = max(widest, piece.shape[1])
        of[p] = Piece(<Py_ssize_t>&piece[0, 0] if piece.shape[1] else 0, piece.shape[1],
                      vector_lengths[p], quantizer_of(quantizers[p]))
    if rows == 1:
        with nogil:
            for p in range(count):
                _join_long(<const stored*>of[p].address, &out[0, place], of[p].width, of[p], by)
                place += of[p].width
        return
    together = max(<Py_ssize_t>1, TOGETHER // widest)
    blocks = (rows + together - 1) // together
    cdef int threads = threads_for(rows * out.shape[1], GRAIN * BLOCK)
    cdef stored[:, ::1] buffers = np.empty((threads, apart(together * widest)), char_of(<stored>0))
    with nogil:
        for k in prange(blocks, num_threads=threads, schedule="static", use_threads_if=threads > 1):
            join_rows(of, count, k * together, min(together, rows - k * together),
                      &out[k * together, 0], out.shape[1], by, &buffers[threadid(), 0])


def join(
    pieces, quantizers, output, bint relu, bint keep, vector_lengths, dequantize, quantize
):
    """Lay rows of several arrays side by side, with new parameters; inputs are not checked."""
    first = pieces[0]
    out = np.empty((first.shape[0], sum([piece.shape[1] for piece in pieces])), first.dtype)
    cdef Requantizing by = Requantizing(
        output_of(output), relu, keep, DEQUANTIZING[dequantize.vector],
        DEQUANTIZING[dequantize.tail], QUANTIZING[quantize.vector], QUANTIZING[quantize.tail])
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
