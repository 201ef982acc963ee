# The rules of refquant.engines.rules.average: sums of windows become integers.
#
# Design
# (a) One window by any rule is a number of float64, which holds what the rules clamp.
# (b) Neighbors of one size and divisor, of 8 bits, are a loop for each rule that vectorizes; what
#     is left of whole vectors is computed like them and cut, few neighbors one by one.

from libc.math cimport fmaf, rintf
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._operands cimport Output, stored
from refquant._kernels._rounding cimport clampd, clampf
from refquant._kernels._rules cimport (
    AVERAGE_ADD_THEN_ROUND, AVERAGE_DIVIDE_THEN_ROUND, AVERAGE_FUSED, AVERAGE_OF_INTEGERS,
    AVERAGE_OF_STEPS, AVERAGE_ROUND_THEN_ADD, MEAN_OF_INTEGERS,
)

cdef enum:
    MOST_SHIFT = 62  # of an int64
    VECTORS = 64     # neighbors in whole vectors of every instruction set
    FEW = 8


cdef struct Average:
    float zero
    int64_t zero_point
    double lower
    double upper
    float scale


cdef inline Average average_of(Output to) noexcept nogil:
    return Average(
        <float>to.zero_point, to.zero_point, to.output_min, to.output_max, <float>to.scale
    )


# Elements of a window inside the volume.
cdef struct Sizes:
    int64_t depth
    int64_t height
    int64_t width


cdef inline int64_t count_of(Sizes of) noexcept nogil:
    return of.depth * of.height * of.width


cdef inline float share_of(Sizes of) noexcept nogil:
    """What AVERAGE_OF_INTEGERS multiplies with."""
    return <float>1.0 / <float>of.depth / <float>of.height / <float>of.width


cdef inline double average_of_sum(
    int64_t total, Sizes of, int64_t divisor, Average to, int code
) noexcept nogil:
    """The average of one window, rounded and clamped, an integer in double."""
    cdef int64_t steps = total - count_of(of) * to.zero_point, multiplier, half
    cdef float a = <float>steps, m = <float>1.0 / <float>divisor, t
    cdef int shift
    cdef int32_t bits
    cdef uint64_t product
    if code == AVERAGE_ADD_THEN_ROUND:
        t = to.zero + a * m
    elif code == AVERAGE_ROUND_THEN_ADD:
        return clampd(<double>rintf(a * m) + to.zero_point, to.lower, to.upper)
    elif code == AVERAGE_FUSED:
        t = fmaf(a, <float>1.0 / (<float>1.0 / m), to.zero)
    elif code == AVERAGE_DIVIDE_THEN_ROUND:
        t = to.zero + a / (<float>1.0 / m)
    elif code == AVERAGE_OF_INTEGERS:
        t = <float>total * share_of(of)
    elif code == MEAN_OF_INTEGERS:
        t = rintf(<float>total / <float>divisor)
        # In float32, which does not hold 2**31 - 1.
        return clampf(t, <float>to.lower, <float>to.upper)
    elif code == AVERAGE_OF_STEPS:
        m = to.scale / (to.scale * <float>divisor)
        return clampd(<double>rintf(a * m) + to.zero_point, to.lower, to.upper)
    else:
        m = to.scale / (to.scale * <float>divisor)
        memcpy(&bits, &m, 4)
        multiplier = (bits & 0x7FFFFF) | 0x800000
        shift = min(150 - (bits >> 23), MOST_SHIFT)
        half = (<int64_t>1) << (shift - 1)
        product = <uint64_t>steps * <uint64_t>multiplier  # wraps
        steps = <int64_t>(product - <uint64_t>(steps < 0) + <uint64_t>half) >> shift
        return clampd(<double>(steps + to.zero_point), to.lower, to.upper)
    return clampd(<double>rintf(t), to.lower, to.upper)


cdef inline embedded average_channels(
    const int32_t* total, stored* out, Py_ssize_t n, Sizes of, int64_t divisor, Average to, int code
) noexcept nogil:
    """Averages of neighboring channels by one rule, from sums of 8-bit integers."""
    cdef float lower = <float>to.lower, upper = <float>to.upper, m = <float>divisor, t
    cdef int32_t shift = <int32_t>(count_of(of) * to.zero_point)
    cdef Py_ssize_t c
    if code == AVERAGE_ROUND_THEN_ADD or code == AVERAGE_OF_STEPS:
        m = to.scale / (to.scale * m) if code == AVERAGE_OF_STEPS else <float>1.0 / m
        for c in range(n):
            t = rintf(<float>(total[c] - shift) * m) + to.zero
            t = t if t > lower else lower
            out[c] = <stored><int32_t>(t if t < upper else upper)
    elif code == AVERAGE_FUSED:
        m = <float>1.0 / (<float>1.0 / (<float>1.0 / m))
        for c in range(n):
            t = rintf(fmaf(<float>(total[c] - shift), m, to.zero))
            t = t if t > lower else lower
            out[c] = <stored><int32_t>(t if t < upper else upper)
    elif code == AVERAGE_ADD_THEN_ROUND:
        m = <float>1.0 / m
        for c in range(n):
            t = rintf(to.zero + <float>(total[c] - shift) * m)
            t = t if t > lower else lower
            out[c] = <stored><int32_t>(t if t < upper else upper)
    elif code == AVERAGE_DIVIDE_THEN_ROUND:
        m = <float>1.0 / (<float>1.0 / m)
        for c in range(n):
            t = rintf(to.zero + <float>(total[c] - shift) / m)
            t = t if t > lower else lower
            out[c] = <stored><int32_t>(t if t < upper else upper)
    elif code == AVERAGE_OF_INTEGERS:
        m = share_of(of)
        for c in range(n):
            t = rintf(<float>total[c] * m)
            t = t if t > lower else lower
            out[c] = <stored><int32_t>(t if t < upper else upper)
    else:
        for c in range(n):
            out[c] = <stored><int32_t>average_of_sum(total[c], of, divisor, to, code)


cdef inline separate average_vectors(
    const int32_t* total, stored* out, Py_ssize_t n, const Sizes* of, int64_t divisor,
    const Average* to, int code
) noexcept nogil:
    """Averages of neighbors in whole vectors."""
    average_channels(total, out, n, of[0], divisor, to[0], code)


cdef inline separate average_rest(
    const int32_t* total, stored* out, Py_ssize_t n, const Sizes* of, int64_t divisor,
    const Average* to, int code
) noexcept nogil:
    """Averages of fewer neighbors than whole vectors have; `total` has room for VECTORS."""
    cdef stored rest[VECTORS]
    average_channels(total, rest, VECTORS, of[0], divisor, to[0], code)
    memcpy(out, rest, n * sizeof(stored))


cdef inline void average_neighbors(
    const int32_t* total, stored* out, Py_ssize_t n, Sizes of, int64_t divisor, Average to, int code
) noexcept nogil:
    """Averages of any number of neighbors; `total` has room for VECTORS."""
    cdef Py_ssize_t whole = n - n % VECTORS, c
    if whole:
        average_vectors(total, out, whole, &of, divisor, &to, code)
    if n - whole >= FEW:
        average_rest(total + whole, out + whole, n - whole, &of, divisor, &to, code)
    else:
        for c in range(whole, n):
            out[c] = <stored><int32_t>average_of_sum(total[c], of, divisor, to, code)
