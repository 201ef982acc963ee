# Runs of sums and products of integers, which are scaled to integers of the result.
#
# Design
# (a) The formula of an element stands in _integers.pxd.
# (b) Elements are cut where vectors and runs end; the rule is chosen once a piece.

from libc.math cimport frexpf, ldexp, rintf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from refquant._kernels._integers cimport (
    convert_then_add, difference, fixed_point, widen_then_add,
)
from refquant._kernels._operands cimport Output, Quantizer, Runs, stored
from refquant._kernels._rules cimport CONVERT_THEN_ADD

# Multipliers of a sum in fixed point.
cdef struct Fixed:
    int32_t m_a
    int32_t m_b
    int32_t offset
    int32_t mask
    int32_t shift


cdef inline Fixed fixed_of(Quantizer qa, Quantizer qb, double scale) noexcept nogil:
    cdef float A = <float>qa.scale / <float>scale, B = <float>qb.scale / <float>scale
    cdef int exponent, shift
    frexpf(max(A, B), &exponent)
    shift = 22 - exponent
    if shift > 31:  # an int32 over 2**32 or more rounds to 0
        return Fixed(0, 0, 0, 0, 0)
    cdef float factor = <float>ldexp(1.0, shift)
    cdef int32_t m_a = <int32_t>rintf(A * factor), m_b = <int32_t>rintf(B * factor)
    cdef int32_t offset = <int32_t>(
        <uint32_t>m_a * <uint32_t>qa.zero_point + <uint32_t>m_b * <uint32_t>qb.zero_point)
    return Fixed(m_a, m_b, offset, <int32_t>((<int64_t>1 << shift) - 1), shift)


cdef inline void fixed_span(
    const uint8_t* a, const uint8_t* b, uint8_t* q, Py_ssize_t n, Fixed by, Output to
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        q[i] = fixed_point(a[i], by.m_a, b[i], by.m_b, by.offset, by.mask, by.shift,
                           to.zero_point, to.output_min, to.output_max)


# How integers requantize: `minus` is taken from them, the products or sums are scaled by `factor`.
cdef struct Scaling:
    int32_t minus_a
    int32_t minus_b
    float factor
    int rule
    int tail_rule
    bint product


cdef inline void product_piece(
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


cdef inline void shift_piece(
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


cdef inline void scale_span(
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
            product_piece(a + start, b + start, q + start, end - start, by, to, rule)
        else:
            shift_piece(a + start, q + start, end - start, by, to, rule)
        start = end
