"""Kernels of refquant.reference.elementwise.

Design
(a) The formula of an element stands in _rounding.pxd or _integers.pxd.
(b) Sums and products of real numbers go through two small buffers that stay in the first cache:
    dequantize a chunk of each operand, combine, quantize. Each step is a plain loop that
    vectorizes, and any rule goes with any other.
(c) A walk cuts the elements at the borders of bodies and runs; rules are chosen once a piece.
(d) Threads take blocks of a fixed size.
"""

from cython.parallel cimport prange
from libc.math cimport frexpf, ldexp, rintf
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t

from refquant._kernels._integers cimport (
    convert_then_add, difference, fixed_point, widen_then_add,
)
from refquant._kernels._rounding cimport (
    dequantize_run, quantize_run, round_then_add, stored, subtract_fused,
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


cdef struct Quantizer:
    double scale
    int32_t zero_point


cdef struct Target:
    double scale
    int32_t zero_point
    int32_t lower
    int32_t upper
    bint relu
    int code          # of the body
    int tail_code


cdef struct Walk:
    Py_ssize_t run
    Py_ssize_t body


cdef void _sum_in_one_loop(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t n,
    Target to
) noexcept nogil:
    """Add by the rules of FBGEMM's vectors."""
    cdef float s_a = <float>qa.scale, negative_a = s_a * <float>(-<double>qa.zero_point)
    cdef float s_b = <float>qb.scale, negative_b = s_b * <float>(-<double>qb.zero_point)
    cdef float inv = <float>1.0 / <float>to.scale, t
    cdef Py_ssize_t i
    if to.relu:
        for i in range(n):
            t = subtract_fused(a[i], s_a, negative_a) + subtract_fused(b[i], s_b, negative_b)
            t = <float>0.0 if t < 0.0 else t
            q[i] = <stored>round_then_add(t, inv, to.zero_point, to.lower, to.upper)
    else:
        for i in range(n):
            t = subtract_fused(a[i], s_a, negative_a) + subtract_fused(b[i], s_b, negative_b)
            q[i] = <stored>round_then_add(t, inv, to.zero_point, to.lower, to.upper)


cdef void _combine_piece(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t n,
    Target to, int operation, int dequantize, int quantize
) noexcept nogil:
    """Elements that follow one pair of rules."""
    cdef float x[CHUNK]
    cdef float y[CHUNK]
    cdef Py_ssize_t start = 0, count, i
    if operation == SUM and dequantize == SUBTRACT_FUSED and quantize == ROUND_THEN_ADD:
        _sum_in_one_loop(a, qa, b, qb, q, n, to)
        return
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, qa.scale, qa.zero_point, dequantize)
        if operation != NOTHING:
            dequantize_run(b + start, y, count, qb.scale, qb.zero_point, dequantize)
        if operation == SUM:
            for i in range(count):
                x[i] = x[i] + y[i]
        elif operation == PRODUCT:
            for i in range(count):
                x[i] = x[i] * y[i]
        if to.relu:
            for i in range(count):
                x[i] = <float>0.0 if x[i] < 0.0 else x[i]  # NaN stays
        quantize_run(x, q + start, count, to.scale, to.zero_point, to.lower, to.upper, quantize)
        start += count


cdef void _combine_span(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t start,
    Py_ssize_t stop, Target to, int operation, Walk walk, int dequantize, int tail_dequantize
) noexcept nogil:
    """Elements from start to stop, piece by piece."""
    cdef Py_ssize_t place, end
    while start < stop:
        place = start % walk.run
        if place < walk.body:
            end = min(stop, start + walk.body - place)
            _combine_piece(a + start, qa, b + start, qb, q + start, end - start, to, operation,
                           dequantize, to.code)
        else:
            end = min(stop, start + walk.run - place)
            _combine_piece(a + start, qa, b + start, qb, q + start, end - start, to, operation,
                           tail_dequantize, to.tail_code)
        start = end


cdef void _combine(
    const stored* a, Quantizer qa, const stored* b, Quantizer qb, stored* q, Py_ssize_t n,
    Target to, int operation, Walk walk, int dequantize, int tail_dequantize
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    if threads == 1:
        _combine_span(a, qa, b, qb, q, 0, n, to, operation, walk, dequantize, tail_dequantize)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        _combine_span(a, qa, b, qb, q, start, min(start + BLOCK, n), to, operation, walk,
                      dequantize, tail_dequantize)


cdef _combined(
    a, Quantizer qa, b, Quantizer qb, Target to, int operation, Walk walk, dequantize, quantize
):
    cdef int code = DEQUANTIZING[dequantize.body], tail_code = DEQUANTIZING[dequantize.tail]
    cdef const uint8_t[::1] a8, b8
    cdef const int8_t[::1] as8, bs8
    cdef const int32_t[::1] a32, b32
    cdef uint8_t[::1] q8
    cdef int8_t[::1] qs8
    cdef int32_t[::1] q32
    to.code, to.tail_code = QUANTIZING[quantize.body], QUANTIZING[quantize.tail]
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        a8, b8, q8 = a, b, out
        with nogil:
            _combine(&a8[0], qa, &b8[0], qb, &q8[0], a8.shape[0], to, operation, walk, code,
                     tail_code)
    elif kind == "b":
        as8, bs8, qs8 = a, b, out
        with nogil:
            _combine(&as8[0], qa, &bs8[0], qb, &qs8[0], as8.shape[0], to, operation, walk, code,
                     tail_code)
    else:
        a32, b32, q32 = a, b, out
        with nogil:
            _combine(&a32[0], qa, &b32[0], qb, &q32[0], a32.shape[0], to, operation, walk, code,
                     tail_code)
    return out


def add(
    a not None, double a_scale, int32_t a_zero_point, b not None, double b_scale,
    int32_t b_zero_point, double scale, int32_t zero_point, int32_t quant_min, int32_t quant_max,
    bint relu, Py_ssize_t run, Py_ssize_t body, dequantize, quantize
):
    """Add real numbers; inputs are not checked."""
    return _combined(
        a, Quantizer(a_scale, a_zero_point), b, Quantizer(b_scale, b_zero_point),
        Target(scale, zero_point, quant_min, quant_max, relu, 0, 0), SUM, Walk(run, body),
        dequantize, quantize,
    )


def multiply(
    a not None, double a_scale, int32_t a_zero_point, b not None, double b_scale,
    int32_t b_zero_point, double scale, int32_t zero_point, int32_t quant_min, int32_t quant_max,
    bint relu, Py_ssize_t run, Py_ssize_t body, dequantize, quantize
):
    """Multiply real numbers; inputs are not checked."""
    return _combined(
        a, Quantizer(a_scale, a_zero_point), b, Quantizer(b_scale, b_zero_point),
        Target(scale, zero_point, quant_min, quant_max, relu, 0, 0), PRODUCT, Walk(run, body),
        dequantize, quantize,
    )


def requantize(
    a not None, double a_scale, int32_t a_zero_point, double scale, int32_t zero_point,
    int32_t quant_min, int32_t quant_max, bint relu, Py_ssize_t run, Py_ssize_t body, dequantize,
    quantize
):
    """Give the same real numbers other parameters; inputs are not checked."""
    cdef Quantizer qa = Quantizer(a_scale, a_zero_point)
    return _combined(
        a, qa, a, qa, Target(scale, zero_point, quant_min, quant_max, relu, 0, 0), NOTHING,
        Walk(run, body), dequantize, quantize,
    )


def add_fixed_point(
    const uint8_t[::1] a not None, double a_scale, int32_t a_zero_point,
    const uint8_t[::1] b not None, double b_scale, int32_t b_zero_point, double scale,
    int32_t zero_point, int32_t lower, int32_t upper
):
    """Add with integers alone; inputs are not checked."""
    cdef float A = <float>a_scale / <float>scale, B = <float>b_scale / <float>scale
    cdef int exponent, shift
    frexpf(max(A, B), &exponent)
    shift = 22 - exponent
    cdef float factor = <float>ldexp(1.0, shift)
    cdef int32_t m_a = <int32_t>rintf(A * factor), m_b = <int32_t>rintf(B * factor)
    cdef int32_t offset = <int32_t>(
        <uint32_t>m_a * <uint32_t>a_zero_point + <uint32_t>m_b * <uint32_t>b_zero_point)
    if shift > 31:  # an int32 over 2**32 or more rounds to 0
        m_a = m_b = offset = shift = 0
    cdef int32_t mask = <int32_t>((<int64_t>1 << shift) - 1)
    out = np.empty(a.shape[0], np.uint8)
    cdef uint8_t[::1] q = out
    cdef Py_ssize_t n = a.shape[0], i
    cdef int threads = threads_for(n, 2 * BLOCK)
    with nogil:
        for i in prange(n, num_threads=threads, schedule="static", use_threads_if=threads > 1):
            q[i] = fixed_point(a[i], m_a, b[i], m_b, offset, mask, shift, zero_point, lower, upper)
    return out


cdef void _product_piece(
    const stored* a, int32_t z_a, const stored* b, int32_t z_b, stored* q, Py_ssize_t n, float m,
    int32_t z, int32_t lower, int32_t upper, int code
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t p
    if code == CONVERT_THEN_ADD:
        for i in range(n):
            p = <int32_t>(<uint32_t>difference(a[i], z_a) * <uint32_t>difference(b[i], z_b))
            q[i] = <stored>convert_then_add(p, m, z, lower, upper)
    else:
        for i in range(n):
            p = <int32_t>(<uint32_t>difference(a[i], z_a) * <uint32_t>difference(b[i], z_b))
            q[i] = <stored>widen_then_add(p, m, z, lower, upper)


cdef void _shift_piece(
    const stored* a, int32_t minus, stored* q, Py_ssize_t n, float m, int32_t z, int32_t lower,
    int32_t upper, int code
) noexcept nogil:
    cdef Py_ssize_t i
    if code == CONVERT_THEN_ADD:
        for i in range(n):
            q[i] = <stored>convert_then_add(difference(a[i], minus), m, z, lower, upper)
    else:
        for i in range(n):
            q[i] = <stored>widen_then_add(difference(a[i], minus), m, z, lower, upper)


cdef void _product_span(
    const stored* a, int32_t z_a, const stored* b, int32_t z_b, stored* q, Py_ssize_t start,
    Py_ssize_t stop, float m, int32_t z, int32_t lower, int32_t upper, Walk walk, int code,
    int tail_code, bint product
) noexcept nogil:
    """Elements from start to stop, piece by piece."""
    cdef Py_ssize_t place, end
    cdef int chosen
    while start < stop:
        place = start % walk.run
        if place < walk.body:
            end, chosen = min(stop, start + walk.body - place), code
        else:
            end, chosen = min(stop, start + walk.run - place), tail_code
        if product:
            _product_piece(a + start, z_a, b + start, z_b, q + start, end - start, m, z, lower,
                           upper, chosen)
        else:
            _shift_piece(a + start, z_a, q + start, end - start, m, z, lower, upper, chosen)
        start = end


cdef void _product(
    const stored* a, int32_t z_a, const stored* b, int32_t z_b, stored* q, Py_ssize_t n, float m,
    int32_t z, int32_t lower, int32_t upper, Walk walk, int code, int tail_code, bint product
) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, block, start
    cdef int threads = threads_for(blocks, 2)
    if threads == 1:
        _product_span(a, z_a, b, z_b, q, 0, n, m, z, lower, upper, walk, code, tail_code, product)
        return
    for block in prange(blocks, num_threads=threads, schedule="static"):
        start = block * BLOCK
        _product_span(a, z_a, b, z_b, q, start, min(start + BLOCK, n), m, z, lower, upper, walk,
                      code, tail_code, product)


cdef _requantized(
    a, int32_t z_a, b, int32_t z_b, float m, int32_t z, int32_t lower, int32_t upper, Walk walk,
    split, bint product
):
    cdef int code = REQUANTIZING[split.body], tail_code = REQUANTIZING[split.tail]
    cdef const uint8_t[::1] a8, b8
    cdef const int8_t[::1] as8, bs8
    cdef const int32_t[::1] a32, b32
    cdef uint8_t[::1] q8
    cdef int8_t[::1] qs8
    cdef int32_t[::1] q32
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        a8, b8, q8 = a, b, out
        with nogil:
            _product(&a8[0], z_a, &b8[0], z_b, &q8[0], a8.shape[0], m, z, lower, upper, walk, code,
                     tail_code, product)
    elif kind == "b":
        as8, bs8, qs8 = a, b, out
        with nogil:
            _product(&as8[0], z_a, &bs8[0], z_b, &qs8[0], as8.shape[0], m, z, lower, upper, walk,
                     code, tail_code, product)
    else:
        a32, b32, q32 = a, b, out
        with nogil:
            _product(&a32[0], z_a, &b32[0], z_b, &q32[0], a32.shape[0], m, z, lower, upper, walk,
                     code, tail_code, product)
    return out


def multiply_integers(
    a not None, double a_scale, int32_t a_zero_point, b not None, double b_scale,
    int32_t b_zero_point, double scale, int32_t zero_point, int32_t lower, int32_t upper,
    Py_ssize_t run, Py_ssize_t body, requantize
):
    """Multiply integers; inputs are not checked."""
    cdef float both = <float>a_scale * <float>b_scale
    cdef float multiplier = both * (<float>1.0 / <float>scale)
    return _requantized(a, a_zero_point, b, b_zero_point, multiplier, zero_point, lower, upper,
                        Walk(run, body), requantize, True)


def add_number(
    a not None, int64_t offset, double a_scale, double scale, int32_t zero_point, int32_t lower,
    int32_t upper, Py_ssize_t run, Py_ssize_t body, requantize
):
    """Add a number of steps; inputs are not checked."""
    cdef float multiplier = <float>a_scale * (<float>1.0 / <float>scale)
    cdef int32_t minus = <int32_t>(<uint32_t>0 - <uint32_t>offset)
    return _requantized(a, minus, a, 0, multiplier, zero_point, lower, upper, Walk(run, body),
                        requantize, False)


cdef void _clamp_all(
    const stored* a, stored* q, Py_ssize_t n, stored lower, stored upper
) noexcept nogil:
    cdef Py_ssize_t i
    cdef stored v
    cdef int threads = threads_for(n, 4 * BLOCK)
    for i in prange(n, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        v = a[i] if a[i] > lower else lower
        q[i] = v if v < upper else upper


def clamp(a not None, int32_t lower, int32_t upper):
    """Keep integers in a range; inputs are not checked."""
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
            _clamp_all(&a8[0], &q8[0], a8.shape[0], <uint8_t>lower, <uint8_t>upper)
    elif kind == "b":
        as8, qs8 = a, out
        with nogil:
            _clamp_all(&as8[0], &qs8[0], as8.shape[0], <int8_t>lower, <int8_t>upper)
    else:
        a32, q32 = a, out
        with nogil:
            _clamp_all(&a32[0], &q32[0], a32.shape[0], lower, upper)
    return out
