# The rules of refquant.engines.rules.quantize for one element, to be inlined into loops.
#
# Design
# (a) One function a rule.
# (b) Clamps stand before the conversion to integer and are written as ternaries: the conversion
#     is then defined on every processor, NaN takes the branch that the rule states, and the
#     compiler vectorizes.
# (c) qint32 clamps in double, because float32 cannot hold 2**31 - 1.
# (d) Neighbors have one scale and zero point, or each its own; the loops over them differ in that.

from libc.math cimport fabs, fmaf, rint, rintf
from libc.stdint cimport int32_t, int64_t, uint32_t

from refquant._kernels._operands cimport Output, Quantizer, stored
from refquant._kernels._rules cimport (
    ADD_THEN_ROUND, ADD_THEN_ROUND_INVERTED, DIVIDE_THEN_ROUND, DIVIDE_THEN_ROUND_WIDE, FUSED,
    FUSED_CLAMP_THEN_ROUND, FUSED_CONVERT, FUSED_CONVERT_DOUBLE, ROUND_THEN_ADD,
    ROUND_THEN_ADD_DOUBLE, ROUND_THEN_ADD_WIDE, SUBTRACT, SUBTRACT_DOUBLE, SUBTRACT_FUSED,
    SUBTRACT_WIDE,
)

cdef inline float clampf(float v, float lo, float hi) noexcept nogil:
    v = v if v > lo else lo
    return v if v < hi else hi


cdef inline double clampd(double v, double lo, double hi) noexcept nogil:
    v = v if v > lo else lo
    return v if v < hi else hi


cdef inline int32_t clampi(int32_t v, int32_t lo, int32_t hi) noexcept nogil:
    v = v if v > lo else lo
    return v if v < hi else hi


cdef inline float inverted_twice(double scale) noexcept nogil:
    return <float>1.0 / <float>(1.0 / scale)


cdef inline float inverted_twice_in_float32(double scale) noexcept nogil:
    return <float>1.0 / (<float>1.0 / <float>scale)


cdef inline float below_limit(float t) noexcept nogil:
    return t if t < 2147483520.0 else <float>2147483520.0


cdef inline int32_t saturate(float r, int32_t lo, int32_t hi, stored unused) noexcept nogil:
    """clip(r) for a float that is an integer already."""
    if stored is int32_t:
        return <int32_t>clampd(r, lo, hi)
    else:
        return <int32_t>clampf(r, <float>lo, <float>hi)


cdef inline int32_t round_then_add(
    float x, float inv, int32_t z, int32_t lo, int32_t hi
) noexcept nogil:
    cdef float r = rintf(below_limit(x * inv))
    r = r if r > -2147483648.0 else <float>-2147483648.0
    return clampi(<int32_t>(<uint32_t><int32_t>r + <uint32_t>z), lo, hi)


cdef inline int32_t round_then_add_wide(
    float x, float inv, int32_t z, int32_t lo, int32_t hi
) noexcept nogil:
    """float64 holds the sum of what is near the range; far from it only the sign counts."""
    cdef double r = rint(<double>(x * inv))
    cdef bint held = fabs(r) < 9223372036854775808.0
    cdef double t = r + z
    t = t if held else (<double>hi if z < 0 else <double>lo)
    return <int32_t>clampd(t, lo, hi)


cdef inline int32_t add_then_round(
    float x, float inv, float z, int32_t lo, int32_t hi, stored unused
) noexcept nogil:
    cdef float t = z + x * inv
    cdef int32_t unheld
    if stored is int32_t:
        unheld = -2147483648
    else:
        unheld = 0
    cdef int32_t q = saturate(rintf(t), lo, hi, unused)
    return q if t == t else unheld


cdef inline int32_t fused(
    float x, float inv, float z, int32_t lo, int32_t hi, stored unused
) noexcept nogil:
    return saturate(rintf(below_limit(fmaf(x, inv, z))), lo, hi, unused)


cdef inline int32_t fused_clamp_then_round(
    float x, float inv, float z, int32_t lo, int32_t hi, stored unused
) noexcept nogil:
    cdef float r = rintf(clampf(fmaf(x, inv, z), <float>lo, <float>hi))
    if stored is int32_t:
        return <int32_t>clampd(r, lo, hi)
    else:
        return <int32_t>r


cdef inline int32_t divide_then_round(
    float x, float s, float z, int32_t lo, int32_t hi, stored unused
) noexcept nogil:
    cdef float t = z + x / s
    cdef int32_t q = saturate(rintf(t), lo, hi, unused)
    return q if t == t else 0


cdef inline int32_t divide_then_round_wide(
    float x, float s, float z, int32_t lo, int32_t hi
) noexcept nogil:
    cdef double r = rint(<double>(z + x / s))
    cdef double held = clampd(r, lo, hi)
    return <int32_t>(held if fabs(r) < 9223372036854775808.0 else <double>lo)


cdef inline float held_by_int32(float t) noexcept nogil:
    """What int32 cannot hold, and NaN, become -2**31, as x86 converts."""
    t = t if t < 2147483648.0 else <float>-2147483648.0
    return t if t > -2147483648.0 else <float>-2147483648.0


cdef inline int32_t fused_convert(
    float x, float inv, float z, int32_t lo, int32_t hi
) noexcept nogil:
    return clampi(<int32_t>rintf(held_by_int32(fmaf(x, inv, z))), lo, hi)


cdef inline float subtract(stored q, float s, int32_t z) noexcept nogil:
    return s * <float><int32_t>(<uint32_t><int32_t>q - <uint32_t>z)


cdef inline float subtract_fused(stored q, float s, float negative) noexcept nogil:
    """`negative` is f32(S * f32(-z))."""
    return fmaf(s, <float>q, negative)


cdef inline float subtract_double(stored q, double scale, float z) noexcept nogil:
    return <float>(<double>(<float>q - z) * scale)


cdef inline float factor_of(double scale, int code) noexcept nogil:
    """What a rule multiplies with, or divides by."""
    cdef float s = <float>scale
    if code == ROUND_THEN_ADD_DOUBLE or code == FUSED_CONVERT_DOUBLE:
        return <float>(1.0 / scale)
    if code == ADD_THEN_ROUND_INVERTED:
        return <float>1.0 / inverted_twice(scale)
    if code == DIVIDE_THEN_ROUND or code == DIVIDE_THEN_ROUND_WIDE:
        return s
    return <float>1.0 / s


cdef inline void quantize_run(
    const float* x, stored* q, Py_ssize_t n, Output to, int code
) noexcept nogil:
    """Quantize `n` neighbors by one rule."""
    cdef float factor = factor_of(to.scale, code), z = <float>to.zero_point
    cdef int32_t zero_point = to.zero_point, lo = to.output_min, hi = to.output_max
    cdef Py_ssize_t i
    cdef stored unused = 0
    if code == ROUND_THEN_ADD or code == ROUND_THEN_ADD_DOUBLE:
        for i in range(n):
            q[i] = <stored>round_then_add(x[i], factor, zero_point, lo, hi)
    elif code == ADD_THEN_ROUND or code == ADD_THEN_ROUND_INVERTED:
        for i in range(n):
            q[i] = <stored>add_then_round(x[i], factor, z, lo, hi, unused)
    elif code == FUSED:
        for i in range(n):
            q[i] = <stored>fused(x[i], factor, z, lo, hi, unused)
    elif code == FUSED_CLAMP_THEN_ROUND:
        for i in range(n):
            q[i] = <stored>fused_clamp_then_round(x[i], factor, z, lo, hi, unused)
    elif code == FUSED_CONVERT or code == FUSED_CONVERT_DOUBLE:
        for i in range(n):
            q[i] = <stored>fused_convert(x[i], factor, z, lo, hi)
    elif code == ROUND_THEN_ADD_WIDE:
        for i in range(n):
            q[i] = <stored>round_then_add_wide(x[i], factor, zero_point, lo, hi)
    elif code == DIVIDE_THEN_ROUND:
        for i in range(n):
            q[i] = <stored>divide_then_round(x[i], factor, z, lo, hi, unused)
    else:
        for i in range(n):
            q[i] = <stored>divide_then_round_wide(x[i], factor, z, lo, hi)


cdef inline void quantize_each(
    const float* x, stored* q, Py_ssize_t n, const float* factors, const int32_t* zeros,
    int32_t lo, int32_t hi, int code
) noexcept nogil:
    """Quantize `n` neighbors by one rule, each with factor and zero point of its own."""
    cdef Py_ssize_t i
    cdef stored unused = 0
    if code == ROUND_THEN_ADD or code == ROUND_THEN_ADD_DOUBLE:
        for i in range(n):
            q[i] = <stored>round_then_add(x[i], factors[i], zeros[i], lo, hi)
    elif code == ADD_THEN_ROUND or code == ADD_THEN_ROUND_INVERTED:
        for i in range(n):
            q[i] = <stored>add_then_round(x[i], factors[i], <float>zeros[i], lo, hi, unused)
    elif code == FUSED:
        for i in range(n):
            q[i] = <stored>fused(x[i], factors[i], <float>zeros[i], lo, hi, unused)
    elif code == FUSED_CLAMP_THEN_ROUND:
        for i in range(n):
            q[i] = <stored>fused_clamp_then_round(x[i], factors[i], <float>zeros[i], lo, hi, unused)
    elif code == FUSED_CONVERT or code == FUSED_CONVERT_DOUBLE:
        for i in range(n):
            q[i] = <stored>fused_convert(x[i], factors[i], <float>zeros[i], lo, hi)
    elif code == ROUND_THEN_ADD_WIDE:
        for i in range(n):
            q[i] = <stored>round_then_add_wide(x[i], factors[i], zeros[i], lo, hi)
    elif code == DIVIDE_THEN_ROUND:
        for i in range(n):
            q[i] = <stored>divide_then_round(x[i], factors[i], <float>zeros[i], lo, hi, unused)
    else:
        for i in range(n):
            q[i] = <stored>divide_then_round_wide(x[i], factors[i], <float>zeros[i], lo, hi)


cdef inline void dequantize_run(
    const stored* q, float* x, Py_ssize_t n, Quantizer of, int code
) noexcept nogil:
    """Dequantize `n` neighbors by one rule."""
    cdef double scale = of.scale
    cdef int32_t zero_point = of.zero_point
    cdef float s = <float>scale, negative = s * <float>(-<double>zero_point)
    cdef float z = <float>zero_point
    cdef Py_ssize_t i
    if code == SUBTRACT:
        for i in range(n):
            x[i] = subtract(q[i], s, zero_point)
    elif code == SUBTRACT_FUSED:
        for i in range(n):
            x[i] = subtract_fused(q[i], s, negative)
    elif code == SUBTRACT_DOUBLE:
        for i in range(n):
            x[i] = subtract_double(q[i], scale, z)
    elif code == SUBTRACT_WIDE:
        for i in range(n):
            x[i] = s * <float>(<int64_t>q[i] - zero_point)
    else:
        for i in range(n):
            x[i] = s * (<float>q[i] - z)


cdef inline void dequantize_each(
    const stored* q, float* x, Py_ssize_t n, const double* scales, const int32_t* zero_points,
    int code
) noexcept nogil:
    """Dequantize `n` neighbors by one rule, each with scale and zero point of its own."""
    cdef Py_ssize_t i
    cdef float s
    if code == SUBTRACT:
        for i in range(n):
            x[i] = subtract(q[i], <float>scales[i], zero_points[i])
    elif code == SUBTRACT_FUSED:
        for i in range(n):
            s = <float>scales[i]
            x[i] = subtract_fused(q[i], s, s * <float>(-<double>zero_points[i]))
    elif code == SUBTRACT_DOUBLE:
        for i in range(n):
            x[i] = subtract_double(q[i], scales[i], <float>zero_points[i])
    elif code == SUBTRACT_WIDE:
        for i in range(n):
            x[i] = <float>scales[i] * <float>(<int64_t>q[i] - zero_points[i])
    else:
        for i in range(n):
            x[i] = <float>scales[i] * (<float>q[i] - <float>zero_points[i])
