# Rows of packed tables: integers of 8, 4 or 2 bits, then their scale and bias.
#
# Design
# (a) Scale and bias are read and written byte by byte, because rows begin anywhere. Float16 is
#     converted in plain code, without branches from it, so that loops over it vectorize.
# (b) Integers are packed and unpacked in pairs, those of 2 bits in pairs of pairs: loops over pairs
#     vectorize.

from libc.math cimport rintf
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

cdef enum:
    JOINED = 256  # bytes of integers of 2 bits that are packed at once
    PAIRS = 512


cdef inline float single_of(uint16_t half) noexcept nogil:
    """A float16 as float32."""
    cdef uint32_t size = half & 0x7FFF, bits = size << 13
    cdef float x, excess = 0.0
    bits += <uint32_t>0x38000000 if size < 0x7C00 else <uint32_t>0x70000000
    if size < 0x400:  # below 2**-14: as if it had the leading bit, which is taken away again
        bits, excess = bits + 0x800000, <float>6.103515625e-05
    memcpy(&x, &bits, sizeof(float))
    x -= excess
    memcpy(&bits, &x, sizeof(float))
    bits |= <uint32_t>(half & 0x8000) << 16
    memcpy(&x, &bits, sizeof(float))
    return x


cdef inline void singles_of(const uint16_t* halves, float* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        x[k] = single_of(halves[k])


cdef inline uint16_t half_of(float x) noexcept nogil:
    """Round to float16, ties to even."""
    cdef uint32_t bits, size, sign, payload
    cdef float positive
    memcpy(&bits, &x, sizeof(float))
    sign, size = (bits >> 16) & 0x8000, bits & 0x7FFFFFFF
    if size > 0x7F800000:  # NaN
        payload = (size >> 13) & 1023
        return <uint16_t>(sign | 0x7C00 | (payload if payload else 1))
    if size >= 0x477FF000:  # 65520 and beyond
        return <uint16_t>(sign | 0x7C00)
    if size < 0x38800000:  # below 2**-14: a multiple of 2**-24
        memcpy(&positive, &size, sizeof(float))
        return <uint16_t>(sign | <uint32_t>rintf(positive * <float>16777216.0))
    size += 0xFFF + ((size >> 13) & 1)
    return <uint16_t>(sign | ((size - 0x38000000) >> 13))


cdef inline float through_half(float x) noexcept nogil:
    return single_of(half_of(x))


cdef inline void read_parameters(
    const uint8_t* tail, int bits, float* scale, float* bias
) noexcept nogil:
    cdef uint16_t half
    if bits == 8:
        memcpy(scale, tail, sizeof(float))
        memcpy(bias, tail + 4, sizeof(float))
    else:
        memcpy(&half, tail, sizeof(uint16_t))
        scale[0] = single_of(half)
        memcpy(&half, tail + 2, sizeof(uint16_t))
        bias[0] = single_of(half)


cdef inline void write_parameters(
    uint8_t* tail, int bits, float scale, float bias
) noexcept nogil:
    cdef uint16_t half
    if bits == 8:
        memcpy(tail, &scale, sizeof(float))
        memcpy(tail + 4, &bias, sizeof(float))
    else:
        half = half_of(scale)
        memcpy(tail, &half, sizeof(uint16_t))
        half = half_of(bias)
        memcpy(tail + 2, &half, sizeof(uint16_t))


cdef inline Py_ssize_t tail_of(int bits) noexcept nogil:
    return 8 if bits == 8 else 4


cdef inline void join(const uint8_t* q, uint8_t* pairs, Py_ssize_t n, int bits) noexcept nogil:
    """Put two neighbors into one integer, the first into the lower bits."""
    cdef Py_ssize_t k
    for k in range(n):
        pairs[k] = q[2 * k] | (q[2 * k + 1] << bits)


cdef inline void part(const uint8_t* pairs, uint8_t* q, Py_ssize_t n, int bits) noexcept nogil:
    cdef uint8_t mask = (1 << bits) - 1
    cdef Py_ssize_t k
    for k in range(n):
        q[2 * k] = pairs[k] & mask
        q[2 * k + 1] = pairs[k] >> bits


cdef inline void pack_run(
    const uint8_t* q, uint8_t* packed, Py_ssize_t n, int bits
) noexcept nogil:
    """Pack `n` integers, those of the last byte with zeros behind them."""
    cdef uint8_t pairs[PAIRS]
    cdef Py_ssize_t whole = n * bits // 8, first = 0, count, k
    cdef uint8_t last = 0
    if bits == 8:
        memcpy(packed, q, n)
    elif bits == 4:
        join(q, packed, whole, 4)
    else:
        while first < whole:
            count = min(<Py_ssize_t>JOINED, whole - first)
            join(q + 4 * first, pairs, 2 * count, 2)
            join(pairs, packed + first, count, 4)
            first += count
    first = whole * (8 // bits)
    if first < n:
        for k in range(first, n):
            last |= q[k] << ((k - first) * bits)
        packed[whole] = last


cdef inline void unpack_run(
    const uint8_t* packed, uint8_t* q, Py_ssize_t n, int bits
) noexcept nogil:
    cdef uint8_t pairs[PAIRS]
    cdef Py_ssize_t whole = n * bits // 8, first = 0, count, k
    if bits == 8:
        memcpy(q, packed, n)
    elif bits == 4:
        part(packed, q, whole, 4)
    else:
        while first < whole:
            count = min(<Py_ssize_t>JOINED, whole - first)
            part(packed + first, pairs, count, 4)
            part(pairs, q + 4 * first, 2 * count, 2)
            first += count
    first = whole * (8 // bits)
    for k in range(first, n):
        q[k] = (packed[whole] >> ((k - first) * bits)) & ((1 << bits) - 1)
