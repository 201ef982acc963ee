# How a sum of products becomes an output: bias, multiplier, rounding.
#
# Design
# (a) They run along the columns in one loop, where they vectorize.
# (b) Clamps stand before conversions to integer, so that these are defined on every processor.
# (c) Sums are int32 or float32. Rules that are seldom used take integers alone.

from libc.math cimport fmaf, rint, rintf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._columns cimport COLUMNS, Columns
from refquant._kernels._pipeline cimport (
    NOTHING, PostOps, clamp_then_round, finish_in_real, is_plain, relu,
)
from refquant._kernels._rounding cimport clampf
from refquant._kernels._rules cimport (
    BIAS_DIVIDED, BIAS_FUSED, DOUBLE_PRODUCT, FLOAT_PRODUCT, IN_STEPS, OUTPUT_FUSED,
    OUTPUT_ROUNDED_TWICE, RELU_OF_NEGATIVE, RELU_OF_POSITIVE,
)

cdef enum:
    MOST_SHIFT = 62  # of an int64

ctypedef fused sum_type:
    int32_t
    float


cdef inline int32_t float_product(
    float total, float multiplier, int32_t zero_point, float lo, float hi
) noexcept nogil:
    """`lo` and `hi` are the limits less the zero point."""
    cdef float r = rintf(total * multiplier)
    r = r if r < 2147483648.0 else <float>-2147483648.0
    return <int32_t>clampf(r, lo, hi) + zero_point


cdef inline uint8_t double_product(
    double total, float multiplier, int32_t zero_point, double lo, double hi
) noexcept nogil:
    """As `float_product`, with a product that is not rounded to float32."""
    cdef double r = rint(total * multiplier)
    r = r if r < 2147483648.0 else -2147483648.0
    r = r if r > lo else lo
    return <uint8_t>(<int32_t>(r if r < hi else hi) + zero_point)


cdef inline uint8_t fixed_point(
    int64_t n, float multiplier, int32_t zero_point, int64_t lo, int64_t hi
) noexcept nogil:
    """`multiplier` is at least 2**-32 and less than 1; others get the nearest of these shifts."""
    cdef uint32_t bits
    memcpy(&bits, &multiplier, sizeof(bits))
    cdef int64_t mantissa = <int64_t>((bits & 0x7FFFFF) | 0x800000) << 7
    cdef int64_t shift = 126 - <int64_t>(bits >> 23)
    shift = shift if shift > 0 else 0
    shift = shift if shift < MOST_SHIFT else <int64_t>MOST_SHIFT
    cdef int64_t high = (n * mantissa + (<int64_t>1 << 30)) >> 31
    cdef int64_t mask = (<int64_t>1 << shift) - 1
    cdef int64_t remainder = (high & mask) - (1 if high < 0 else 0)
    cdef int64_t r = (high >> shift) + (1 if remainder > (mask >> 1) else 0) + zero_point
    r = r if r > lo else lo
    return <uint8_t>(r if r < hi else hi)


cdef inline int32_t convert_to_int32(float x) noexcept nogil:
    """Round half to even; what int32 cannot hold, and NaN, become -2**31."""
    cdef float r = rintf(x)
    r = r if r < 2147483648.0 else <float>-2147483648.0
    return <int32_t>(r if r > -2147483648.0 else <float>-2147483648.0)


cdef inline int32_t corrected(int32_t acc, int32_t offset) noexcept nogil:
    return <int32_t>(<uint32_t>acc + <uint32_t>offset)


cdef inline const sum_type* offsets_of(const Columns* c, const sum_type* _acc) noexcept nogil:
    """The offsets that sums have."""
    if sum_type is float:
        return c.real_offsets
    else:
        return c.offsets


cdef inline float real_sum(sum_type acc, sum_type offset) noexcept nogil:
    if sum_type is float:
        return acc + offset
    else:
        return <float>corrected(acc, offset)


cdef inline float real(
    float total, float input_factor, float multiplier, float bias
) noexcept nogil:
    return total * input_factor * multiplier + bias


# -- quantized outputs ---------------------------------------------------------------------------

# Rules that are chosen once for a block of rows.
cdef enum:
    RARE
    IN_REAL
    IN_REAL_RELU
    BIAS_IN_PRODUCT
    BIAS_ADDED

# What all columns share.
cdef struct Shared:
    float input_factor
    float inverse
    float zero
    float lowest
    float highest
    int32_t zero_point


cdef inline int common_rule(const Columns* c) noexcept nogil:
    """Choose the rule; one that is RARE takes integers alone."""
    if c.product_code != IN_STEPS:
        if not is_plain(&c.post, c.product_code):
            return RARE
        return IN_REAL if c.post.function == NOTHING else IN_REAL_RELU
    if c.rule_code != FLOAT_PRODUCT:
        return RARE
    return BIAS_IN_PRODUCT if c.bias_code == BIAS_FUSED else BIAS_ADDED  # which is 0 without one


cdef inline Shared shared_by_columns(const Columns* c) noexcept nogil:
    """Limits of rules that add the zero point to integers are less the zero point."""
    cdef int32_t z = c.zero_point if c.product_code == IN_STEPS else 0
    return Shared(
        c.input_factor, <float>1.0 / c.output_scale, <float>c.zero_point,
        <float>(c.output_min - z), <float>(c.output_max - z), c.zero_point
    )


cdef inline embedded finish_columns(
    int rule, const Shared* s, Py_ssize_t n, const sum_type* acc, const sum_type* offsets,
    const float* biases, const float* factors, const float* multipliers, uint8_t* done
) noexcept nogil:
    """Compute outputs by a rule that is not rare, and constant in the caller.

    They become bytes in a loop of their own: that of the rule has vectors of int32 then.
    """
    cdef Py_ssize_t j
    cdef float v
    cdef float[COLUMNS] total
    cdef int32_t[COLUMNS] numbers
    if rule == IN_REAL:
        for j in range(n):
            v = real(real_sum(acc[j], offsets[j]), s.input_factor, multipliers[j], biases[j])
            numbers[j] = clamp_then_round(v * s.inverse + s.zero, s.lowest, s.highest)
    elif rule == IN_REAL_RELU:
        for j in range(n):
            v = real(real_sum(acc[j], offsets[j]), s.input_factor, multipliers[j], biases[j])
            numbers[j] = clamp_then_round(relu(v) * s.inverse + s.zero, s.lowest, s.highest)
    elif rule == BIAS_IN_PRODUCT:  # in a loop of its own: fmaf is a call on some processors
        for j in range(n):
            total[j] = fmaf(biases[j], factors[j], real_sum(acc[j], offsets[j]))
        for j in range(n):
            numbers[j] = float_product(
                total[j], multipliers[j], s.zero_point, s.lowest, s.highest)
    else:
        for j in range(n):
            v = real_sum(acc[j], offsets[j]) + biases[j]
            numbers[j] = float_product(v, multipliers[j], s.zero_point, s.lowest, s.highest)
    for j in range(n):
        done[j] = <uint8_t>numbers[j]


cdef inline separate finish_by_rare_rule(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, const int32_t* acc, Py_ssize_t place,
    uint8_t* done
) noexcept nogil:
    """As `finish_columns`, from column `first` on, whose output has a `place` in the result."""
    cdef int32_t z = c.zero_point, least = c.output_min, most = c.output_max
    cdef float lo = <float>(least - z), hi = <float>(most - z)
    cdef const int32_t* offsets = c.offsets + first
    cdef const float* biases = c.biases + first
    cdef const float* multipliers = c.multipliers + first
    cdef Py_ssize_t j
    cdef float[COLUMNS] total
    cdef double wide
    if c.product_code != IN_STEPS:
        for j in range(n):
            total[j] = real(
                real_sum(acc[j], offsets[j]), c.input_factor, multipliers[j], biases[j])
        finish_in_real(&c.post, c.product_code, n, total, place, c.output_scale, <float>z,
                       <float>least, <float>most, done)
        return
    if c.bias_code == BIAS_FUSED:
        for j in range(n):
            total[j] = fmaf(biases[j], c.factors[first + j], real_sum(acc[j], offsets[j]))
    if c.rule_code == DOUBLE_PRODUCT:
        for j in range(n):
            if c.bias_code == BIAS_DIVIDED:
                wide = real_sum(acc[j], offsets[j]) + biases[j]
            elif c.bias_code == BIAS_FUSED:
                wide = total[j]
            else:
                wide = corrected(acc[j], offsets[j])
            done[j] = double_product(wide, multipliers[j], z, lo, hi)
    elif c.bias_code == BIAS_FUSED:
        for j in range(n):
            done[j] = fixed_point(convert_to_int32(total[j]), multipliers[j], z, least, most)
    elif c.bias_code == BIAS_DIVIDED:
        for j in range(n):
            done[j] = fixed_point(
                convert_to_int32(real_sum(acc[j], offsets[j]) + biases[j]), multipliers[j], z,
                least, most)
    else:
        for j in range(n):
            done[j] = fixed_point(corrected(acc[j], offsets[j]), multipliers[j], z, least, most)


# -- real outputs --------------------------------------------------------------------------------


cdef inline void finish_row_dynamic(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, const sum_type* acc, float* y
) noexcept nogil:
    """Turn sums into `n` real outputs, from column `first` on."""
    cdef const sum_type* offsets = offsets_of(c, acc) + first
    cdef const float* biases = c.biases + first
    cdef const float* scales = c.multipliers + first
    cdef Py_ssize_t j
    if c.rule_code == OUTPUT_FUSED:
        for j in range(n):
            y[j] = fmaf(real_sum(acc[j], offsets[j]), scales[j], biases[j])
    elif c.rule_code == OUTPUT_ROUNDED_TWICE:
        for j in range(n):
            y[j] = real_sum(acc[j], offsets[j]) * scales[j] + biases[j]
    else:
        for j in range(n):
            y[j] = real_sum(acc[j], offsets[j]) * c.input_factor * scales[j]
            y[j] += biases[j]
    if c.relu_code == RELU_OF_NEGATIVE:
        for j in range(n):
            y[j] = <float>0.0 if y[j] < 0.0 else y[j]
    elif c.relu_code == RELU_OF_POSITIVE:
        for j in range(n):
            y[j] = y[j] if y[j] > 0.0 else <float>0.0
