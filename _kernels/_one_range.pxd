# The range of numbers, and the quantizer that operations choose for it.
#
# Design
# (a) Compilers do not vectorize minima of floats, because of NaN and signed zeros. Here floats are
#     mapped to integers of the same order, for which they do; NaN are the extreme keys.

from libc.math cimport INFINITY, NAN, rint
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from refquant._kernels._rounding cimport clampd
from refquant._kernels._rules cimport RANGE_IN_FLOAT32

cdef enum:
    KEY_OF_INFINITY = 0x7F800000
    KEY_OF_MINUS_INFINITY = -0x7F800001
    LAST_KEY = 0x7FFFFFFF
    FIRST_KEY = -0x80000000

cdef extern from *:
    """
    #define REFQUANT_SMALL_SCALE 6.1e-5f
    """
    const float SMALL_SCALE "REFQUANT_SMALL_SCALE"


cdef struct Chosen:
    double scale
    int64_t zero_point


cdef inline int32_t ordered(int32_t bits) noexcept nogil:
    """Map the bits of a float to an integer of the same order, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


cdef inline int32_t key_of(float v) noexcept nogil:
    cdef int32_t bits
    memcpy(&bits, &v, 4)
    return ordered(bits)


cdef inline float of_key(int32_t key) noexcept nogil:
    cdef int32_t bits = ordered(key)
    cdef float v
    memcpy(&v, &bits, 4)
    return v


cdef inline void widen(const float* x, Py_ssize_t n, int32_t* low, int32_t* high) noexcept nogil:
    """Widen a range of keys to contain the keys of a run."""
    cdef int32_t lo = low[0], hi = high[0], key
    cdef Py_ssize_t i
    for i in range(n):
        key = key_of(x[i])
        lo = key if key < lo else lo
        hi = key if key > hi else hi
    low[0] = lo
    high[0] = hi


cdef inline void finish(int32_t lo, int32_t hi, float* low, float* high) noexcept nogil:
    """Turn a range of keys into floats; keys of NaN make both ends NaN."""
    cdef bint number = lo >= KEY_OF_MINUS_INFINITY and hi <= KEY_OF_INFINITY
    if lo > hi:
        low[0] = INFINITY
        high[0] = -INFINITY
    else:
        low[0] = of_key(lo) if number else <float>NAN
        high[0] = of_key(hi) if number else <float>NAN


cdef inline int64_t nudge(
    double low, double high, double scale, double lo, double hi
) noexcept nogil:
    """Derive the zero point from the end of the range that has the smaller error."""
    cdef double from_low = lo - low / scale, from_high = hi - high / scale
    cdef double error_low = abs(lo) + abs(low / scale), error_high = abs(hi) + abs(high / scale)
    cdef double zero_point = from_low if error_low < error_high else from_high
    return <int64_t>rint(clampd(zero_point, lo, hi))


cdef inline Chosen chosen_for(
    double lower, double upper, int64_t quant_min, int64_t quant_max, int rule
) noexcept nogil:
    """Choose scale and zero point for one range."""
    cdef float low = <float>lower, high = <float>upper, narrow, steps
    cdef double scale
    low = low if low < 0 else <float>0.0
    high = high if high > 0 else <float>0.0
    if rule == RANGE_IN_FLOAT32:
        scale = <double>(high - low) / <double>(quant_max - quant_min)
        if scale == 0:
            scale = 0.1
        return Chosen(<float>scale, nudge(low, high, scale, quant_min, quant_max))
    scale = (<double>high - <double>low) / <double>(quant_max - quant_min)
    narrow = <float>scale
    if narrow == 0 or <float>1.0 / narrow == INFINITY:
        scale = 0.1
        narrow = <float>scale
    if narrow < SMALL_SCALE:
        steps = <float>(quant_max - quant_min)
        scale = SMALL_SCALE
        if low == 0:
            high = SMALL_SCALE * steps
        elif high == 0:
            low = -SMALL_SCALE * steps
        else:
            low = low * (SMALL_SCALE / narrow)
            high = high * (SMALL_SCALE / narrow)
    return Chosen(scale, nudge(low, high, scale, quant_min, quant_max))
