# Element-wise formulas that take integers as they are stored, to be inlined into loops.
#
# Design
# (a) One function a rule.
# (b) Sums and differences that may wrap are taken in unsigned numbers, where C defines it.

from libc.math cimport rint, rintf
from libc.stdint cimport int32_t, uint8_t, uint32_t

from refquant._kernels._rounding cimport clampi, held_by_int32, stored


cdef inline Py_ssize_t round_up(Py_ssize_t length, Py_ssize_t multiple) noexcept nogil:
    return (length + multiple - 1) // multiple * multiple


cdef inline uint8_t fixed_point(
    uint8_t a, int32_t m_a, uint8_t b, int32_t m_b, int32_t offset, int32_t mask, int shift,
    int32_t z, int32_t lower, int32_t upper
) noexcept nogil:
    """Round n / 2**shift with ties away from zero; `offset` holds both zero points."""
    cdef int32_t n = <int32_t>(
        <uint32_t>m_a * a + <uint32_t>m_b * b - <uint32_t>offset)
    cdef int32_t remainder = (n & mask) - (n < 0)
    return <uint8_t>clampi((n >> shift) + (remainder > (mask >> 1)) + z, lower, upper)


cdef inline int32_t convert_then_add(
    int32_t n, float m, int32_t z, int32_t lower, int32_t upper
) noexcept nogil:
    cdef int32_t r = <int32_t>rintf(held_by_int32(<float>n * m))
    return clampi(<int32_t>(<uint32_t>r + <uint32_t>z), lower, upper)


cdef inline int32_t widen_then_add(
    int32_t n, float m, int32_t z, int32_t lower, int32_t upper
) noexcept nogil:
    """float64 holds the sum of what is near the range; far from it only the sign counts."""
    cdef double r = rint(<double><float>(<double>n * <double>m))
    cdef double t = r + z
    cdef bint held = r < 9223372036854775808.0 and r > -9223372036854775808.0
    t = t if held else (<double>upper if z < 0 else <double>lower)
    t = t if t > lower else <double>lower
    return <int32_t>(t if t < upper else <double>upper)


cdef inline int32_t difference(stored q, int32_t z) noexcept nogil:
    return <int32_t>(<uint32_t><int32_t>q - <uint32_t>z)
