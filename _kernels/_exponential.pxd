# The functions of refquant.engines.rules.exponential and the rules of refquant.engines.rules.expm1
# for one element, to be inlined into loops.
#
# Design
# (a) A pair is a number and its rounding error; sums and products of pairs carry both on.
# (b) Powers of two are put together from bits, as two factors, each of which float32 holds.

from libc.math cimport copysign, copysignf, fabs, fabsf, fmaf, rint, rintf
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


cdef inline float times_two_to(float x, int32_t k) noexcept nogil:
    """x * 2**k for -252 <= k <= 254."""
    cdef int32_t half = k >> 1
    return x * two_to(half) * two_to(k - half)


cdef inline float exponential(float x) noexcept nogil:
    cdef bint inside = fabsf(x) <= <float>104.0
    cdef float held = x if inside else <float>0.0
    cdef float k = rintf(held * <float>LOG_2_E)
    cdef float r = fmaf(k, <float>-1.428606765330187e-06, fmaf(k, <float>-0.693145751953125, held))
    cdef float u = <float>0.000198527617612853646
    u = fmaf(u, r, <float>0.00139304355252534151)
    u = fmaf(u, r, <float>0.00833336077630519867)
    u = fmaf(u, r, <float>0.0416664853692054749)
    u = fmaf(u, r, <float>0.166666671633720398)
    u = fmaf(u, r, <float>0.5)
    u = times_two_to(<float>1.0 + fmaf(r * r, u, r), <int32_t>k)
    cdef float infinite = <float>3e38 * <float>3e38
    cdef float beyond = infinite if x > 0.0 else (<float>0.0 if x < 0.0 else x)
    u = infinite if held > <float>100.0 else u
    return u if inside else beyond


cdef inline Pair pair_of_exponential(float x) noexcept nogil:
    cdef float k = rintf(x * <float>LOG_2_E)
    cdef Pair r = sum_of_pairs(single(x), single(k * <float>-0.693145751953125))
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
    cdef int32_t whole = <int32_t>k
    return Pair(times_two_to(power, whole), times_two_to(error, whole))


cdef inline float error_function(float x) noexcept nogil:
    cdef float t = <float>1.0 / fmaf(<float>0.3275911, fabsf(x), <float>1.0)
    cdef float r = <float>1.061405429
    r = fmaf(r, t, <float>-1.453152027)
    r = fmaf(r, t, <float>1.421413741)
    r = fmaf(r, t, <float>-0.284496736)
    r = fmaf(r, t, <float>0.254829592)
    return copysignf(<float>1.0, x) * fmaf(-exponential(-(x * x)) * t, r, <float>1.0)


cdef inline double clipped(double x) noexcept nogil:
    """Between -110 and 110; NaN stays."""
    x = -110.0 if x < -110.0 else x
    return 110.0 if x > 110.0 else x


cdef inline double power_of_two(double x) noexcept nogil:
    """2**k for the k of e**x = 2**k * e**r."""
    cdef double k = rint(x * LOG_2_E) if x == x else 0.0, power
    cdef uint64_t bits = <uint64_t>(<int64_t>k + 1023) << 52
    memcpy(&power, &bits, sizeof(double))
    return power


cdef inline double less_one(double x) noexcept nogil:
    """e**r - 1 for the r of e**x = 2**k * e**r."""
    cdef double r = less_powers(x, rint(x * LOG_2_E) if x == x else 0.0)
    return series_of(r) * r


cdef inline double exp_of_double(double x) noexcept nogil:
    x = clipped(x)
    cdef double power = power_of_two(x)
    return less_one(x) * power + power


cdef inline double expm1_of_double(double x) noexcept nogil:
    x = clipped(x)
    cdef double power = power_of_two(x)
    return less_one(x) * power + (power - 1.0)


cdef inline double tanh_of_double(double x) noexcept nogil:
    cdef double e = expm1_of_double(-2.0 * fabs(x))
    return copysign(e / (2.0 + e), x)


cdef inline double erf_of_double(double x) noexcept nogil:
    cdef bint inside = fabs(x) < 6.0
    cdef double held = x if inside else 0.0, square, total = 1.0
    cdef int n
    square = held * held
    for n in range(127, 0, -1):
        total = total * (square * (2.0 / (2 * n + 1))) + 1.0
    total = 1.1283791670955126 * held * exp_of_double(-square) * total
    return total if inside else copysign(1.0 if x == x else x, x)


cdef inline float expm1_of_pairs(float x) noexcept nogil:
    cdef bint inside = <float>-16.635532 <= x and x <= <float>88.72283
    cdef Pair power = pair_of_exponential(x if inside else <float>0.0)
    cdef Pair t = sum_of_pairs(power, single(-1.0))
    if inside:
        return t.number + t.error
    return <float>-1.0 if x < 0.0 else x * <float>3e38 * <float>3e38  # infinite, or NaN


cdef inline float expm1_rounded_once(float x) noexcept nogil:
    return <float>expm1_of_double(x)


cdef inline void expm1_run(float* x, Py_ssize_t n, int code) noexcept nogil:
    """Replace `n` neighbors by one rule."""
    cdef Py_ssize_t i
    if code == EXPM1_OF_PAIRS:
        for i in range(n):
            x[i] = expm1_of_pairs(x[i])
    else:
        for i in range(n):
            x[i] = expm1_rounded_once(x[i])
