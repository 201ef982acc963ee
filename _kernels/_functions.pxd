# The rules of refquant.engines.rules.functions for one element, to be inlined into loops.

from libc.math cimport copysignf, fabsf, fmaf

from refquant._kernels._exponential cimport (
    Pair, erf_of_double, error_function, exp_of_double, exponential, pair_of_exponential,
    tanh_of_double,
)
from refquant._kernels._rules cimport (
    GELU_IN_FLOAT32, GELU_IN_FLOAT64, GELU_TANH_IN_FLOAT32, GELU_TANH_IN_FLOAT64, HARDSIGMOID,
    SIGMOID_IN_FLOAT32, SIGMOID_IN_FLOAT64, SIGMOID_ROUNDED, TANH_OF_PAIRS,
    TANH_ROUNDED_ONCE,
)


cdef extern from *:
    """
    #define REFQUANT_ROOT_HALF 0.7071067811865476
    #define REFQUANT_ROOT_TWO_OVER_PI 0.7978845608028654
    """
    const double ROOT_HALF "REFQUANT_ROOT_HALF"
    const double ROOT_TWO_OVER_PI "REFQUANT_ROOT_TWO_OVER_PI"


cdef inline float sigmoid_in_float64(float x) noexcept nogil:
    cdef float power = <float>exp_of_double(-x)
    return <float>(1.0 / (1.0 + <double>power))


cdef inline Pair difference(Pair a, Pair b) noexcept nogil:
    """The sum of two pairs of which the first is the larger."""
    cdef float total = a.number + b.number
    return Pair(total, (((a.number - total) + b.number) + a.error) + b.error)


cdef inline float tanh_of_pairs(float x) noexcept nogil:
    cdef float size = fabsf(x)
    cdef bint inside = size <= <float>8.664339742
    cdef Pair up = pair_of_exponential(size if inside else <float>0.0)
    cdef float t = <float>1.0 / up.number
    cdef Pair down = Pair(t, t * fmaf(-up.error, t, fmaf(-up.number, t, <float>1.0)))
    cdef Pair n = difference(up, Pair(-down.number, -down.error))
    cdef Pair d = difference(up, down)
    t = <float>1.0 / d.number
    cdef float quotient = n.number * t
    cdef float u = fmaf(t, n.number, -quotient)
    cdef float v = fmaf(-d.error, t, fmaf(-d.number, t, <float>1.0))
    cdef float y = quotient + fmaf(quotient, v, fmaf(n.error, t, u))
    y = y if inside else (<float>1.0 if size == size else size)
    return copysignf(y, x)


cdef inline float gelu_in_float64(float x) noexcept nogil:
    cdef double wide = x
    return <float>(wide * 0.5 * (1.0 + erf_of_double(wide * ROOT_HALF)))


cdef inline float gelu_tanh_in_float32(float x) noexcept nogil:
    cdef float inner = <float>ROOT_TWO_OVER_PI * fmaf(<float>0.044715, (x * x) * x, x)
    return (<float>0.5 * x) * (<float>1.0 + tanh_of_pairs(inner))


cdef inline float gelu_tanh_in_float64(float x) noexcept nogil:
    cdef float third = (x * x) * x
    cdef double cube = third, wide = x
    return <float>(0.5 * wide * (
        1.0 + tanh_of_double(ROOT_TWO_OVER_PI * (wide + 0.044715 * cube))))


cdef inline float bent(float x) noexcept nogil:
    x = x + <float>3.0
    x = <float>0.0 if x < 0.0 else x
    return <float>6.0 if x > 6.0 else x


cdef inline void function_run(float* x, Py_ssize_t n, int code) noexcept nogil:
    """Replace `n` neighbors by one rule."""
    cdef Py_ssize_t i
    if code == SIGMOID_IN_FLOAT32:
        for i in range(n):
            x[i] = <float>1.0 / (<float>1.0 + exponential(-x[i]))
    elif code == SIGMOID_IN_FLOAT64:
        for i in range(n):
            x[i] = sigmoid_in_float64(x[i])
    elif code == SIGMOID_ROUNDED:
        for i in range(n):
            x[i] = <float>1.0 / (<float>1.0 + <float>exp_of_double(-x[i]))
    elif code == TANH_OF_PAIRS:
        for i in range(n):
            x[i] = tanh_of_pairs(x[i])
    elif code == TANH_ROUNDED_ONCE:
        for i in range(n):
            x[i] = <float>tanh_of_double(x[i])
    elif code == GELU_IN_FLOAT32:
        for i in range(n):
            x[i] = (x[i] * <float>0.5) * (
                <float>1.0 + error_function(x[i] * <float>ROOT_HALF))
    elif code == GELU_IN_FLOAT64:
        for i in range(n):
            x[i] = gelu_in_float64(x[i])
    elif code == GELU_TANH_IN_FLOAT32:
        for i in range(n):
            x[i] = gelu_tanh_in_float32(x[i])
    elif code == GELU_TANH_IN_FLOAT64:
        for i in range(n):
            x[i] = gelu_tanh_in_float64(x[i])
    elif code == HARDSIGMOID:
        for i in range(n):
            x[i] = bent(x[i]) / <float>6.0
    else:
        for i in range(n):
            x[i] = (x[i] * bent(x[i])) / <float>6.0
