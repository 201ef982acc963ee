# The rules of refquant.engines.rules.expm1 for one element, to be inlined into loops.
#
# Design
# (a) A pair is a number and its rounding error; sums and products of pairs carry both on.
# (b) Powers of two are put together from bits, as two factors, each of which float32 holds.

from libc.math cimport fmaf, rint, rintf
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from refquant._kernels._rules cimport EXPM1_OF_PAIRS


cdef extern from *:
    """
    #define REFQUANT_LOG_2_E 1.4426950408889634
    """
    const double LOG_2_E "REFQUANT_LOG_2_E"


cdef inline double less_powers(double x, double k) noexcept nogil:
    """x - k * log(2); the first part of log(2) ends in zero bits, its product with k is exact."""
    return (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10


cdef inline double series_of(double r) noexcept nogil:
    """(e**r - 1) / r for small r: the Taylor series, from its last term."""
    cdef double series = 1.0 / 39916800.0
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
    return series


cdef struct Pair:
    float number
    float error


cdef inline Pair single(float x) noexcept nogil:
    return Pair(x, 0.0)


cdef inline Pair sum_of_pairs(Pair a, Pair b) noexcept nogil:
    cdef float total = a.number + b.number
    cdef float partner = total - a.number
    cdef float error = (a.number - (total - partner)) + (b.number - partner)
    return Pair(total, error + (a.error + b.error))


cdef inline Pair product_of_pairs(Pair a, Pair b) noexcept nogil:
    cdef float product = a.number * b.number
    cdef float error = fmaf(a.number, b.number, -product)
    return Pair(product, fmaf(a.number, b.error, fmaf(a.error, b.number, error)))


cdef inline Pair square_of_pair(Pair a) noexcept nogil:
    cdef float square = a.number * a.number
    cdef float error = fmaf(a.number, a.number, -square)
    return Pair(square, fmaf(a.number + a.number, a.error, error))


cdef inline float two_to(int32_t k) noexcept nogil:
    """2**k for -126 <= k <= 127."""
    cdef uint32_t bits = <uint32_t>(k + 127) << 23
    cdef float power
    memcpy(&power, &bits, sizeof(float))
    return power


cdef inline float expm1_of_pairs(float x) noexcept nogil:
    cdef bint inside = <float>-16.635532 <= x and x <= <float>88.72283
    cdef float held = x if inside else <float>0.0
    cdef float k = rintf(held * <float>LOG_2_E)
    cdef Pair r = sum_of_pairs(single(held), single(k * <float>-0.693145751953125))
    r = sum_of_pairs(r, single(k * <float>-1.428606765330187e-06))
    cdef float u = <float>0.1980960224e-3
    u = fmaf(u, r.number, <float>0.1394256484e-2)
    u = fmaf(u, r.number, <float>0.8333456703e-2)
    u = fmaf(u, r.number, <float>0.4166637361e-1)
    cdef Pair t = sum_of_pairs(product_of_pairs(r, single(u)), single(<float>0.16666665941423425))
    t = sum_of_pairs(product_of_pairs(r, t), single(0.5))
    t = sum_of_pairs(r, product_of_pairs(square_of_pair(r), t))
    cdef float power = <float>1.0 + t.number
    cdef float error = ((<float>1.0 - power) + t.number) + t.error
    cdef int32_t whole = <int32_t>k, half = whole >> 1
    cdef float first = two_to(half), second = two_to(whole - half)
    t = sum_of_pairs(Pair(power * first * second, error * first * second), single(-1.0))
    if inside:
        return t.number + t.error
    return <float>-1.0 if x < 0.0 else x * <float>3e38 * <float>3e38  # infinite, or NaN


cdef inline float expm1_rounded_once(float x) noexcept nogil:
    cdef double held = x, k, r, series, power
    held = held if not held < -110.0 else -110.0
    held = held if not held > 110.0 else 110.0
    k = rint(held * LOG_2_E) if held == held else 0.0
    r = less_powers(held, k)
    cdef uint64_t bits = <uint64_t>(<int64_t>k + 1023) << 52
    memcpy(&power, &bits, sizeof(double))
    series = series_of(r)
    return <float>((series * r) * power + (power - 1.0))


cdef inline void expm1_run(float* x, Py_ssize_t n, int code) noexcept nogil:
    """Replace `n` neighbors by one rule."""
    cdef Py_ssize_t i
    if code == EXPM1_OF_PAIRS:
        for i in range(n):
            x[i] = expm1_of_pairs(x[i])
    else:
        for i in range(n):
            x[i] = expm1_rounded_once(x[i])
