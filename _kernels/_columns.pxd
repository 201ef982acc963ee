# What depends on a column of a matrix product, and what becomes of a row of sums.
#
# Design
# (a) All that depends on a column alone (offset, bias, multiplier) is computed once for a call.
# (b) Bias, multiplier and rounding run along the columns in one loop, where they vectorize.
# (c) Clamps stand before conversions to integer, so that these are defined on every processor.

from libc.math cimport fmaf, rint, rintf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from refquant._kernels._attributes cimport embedded, separate
from refquant._kernels._operands cimport Output, ProductRules
from refquant._kernels._pipeline cimport (
    NOTHING, PostOps, clamp_then_round, finish_in_real, is_plain, relu, scale_of_weight,
)
from refquant._kernels._rounding cimport clampf, inverted_twice, quantize_run
from refquant._kernels._rules cimport (
    ADD_THEN_ROUND, BIAS_DIVIDED, BIAS_FUSED, BIAS_ROUNDED, CONVOLUTION_PRODUCT_FIRST,
    DIVIDE_THEN_ROUND_WIDE, DOUBLE_PRODUCT, FLOAT_PRODUCT, IN_STEPS, LINEAR, LINEAR_CHANNELS,
    NO_BIAS, OUTPUT_FUSED, OUTPUT_IN_TURN, OUTPUT_ROUNDED_TWICE, QUOTIENT, RELU_OF_NEGATIVE,
    RELU_OF_POSITIVE,
)

cdef enum:
    COLUMNS = 64  # finished at once; a multiple of 4
    MOST_SHIFT = 62  # of an int64

# Rows of the table that holds what depends on a column.
cdef enum:
    OFFSETS = 0
    BIASES = 1
    FACTORS = 2
    MULTIPLIERS = 3
    TABLE_ROWS = 4

cdef struct Columns:
    int32_t* offsets  # K zx zw - (zx - shift) sum(w), and the bias where it is an integer
    const int32_t* zero_points  # of the weight
    bint row_sums  # whether any of them is not 0
    float* biases  # b, or b / aw
    float* factors  # 1 / aw
    float* multipliers
    int product_code
    float input_factor  # multiplied before the multipliers by rules that go through real numbers
    float output_scale
    PostOps post
    uint8_t* start  # of the result
    int bias_code  # NO_BIAS, BIAS_FUSED or BIAS_DIVIDED
    int rule_code
    int32_t zero_point  # of the output
    int32_t output_min
    int32_t output_max
    int relu_code  # of dynamic outputs


cdef inline Py_ssize_t table_length(Py_ssize_t outputs) noexcept nogil:
    """Rows of the table are longer than there are columns: the last ones are finished with more."""
    return TABLE_ROWS * (outputs + COLUMNS)


# -- before the product: what depends on a column ------------------------------------------------


cdef inline void set_offsets(
    Columns* c, int32_t* table, Py_ssize_t outputs, Py_ssize_t depth, int32_t input_zero_point,
    int32_t shift, const int32_t* sums, const int32_t* zero_points
) noexcept nogil:
    """Bind the table and fill in the offsets for products of the input less `shift`.

    The table holds `table_length` zeros. `zero_points` NULL means that all are 0.
    """
    cdef Py_ssize_t n
    cdef uint32_t zx = <uint32_t>input_zero_point, k_zx = <uint32_t>depth * zx, any = 0
    cdef uint32_t shifted = zx - <uint32_t>shift
    c.offsets = table
    c.biases = <float*>(table + BIASES * (outputs + COLUMNS))
    c.factors = <float*>(table + FACTORS * (outputs + COLUMNS))
    c.multipliers = <float*>(table + MULTIPLIERS * (outputs + COLUMNS))
    c.zero_points = zero_points
    if zero_points == NULL:
        c.row_sums = False
        for n in range(outputs):
            c.offsets[n] = <int32_t>(0 - shifted * <uint32_t>sums[n])
        return
    for n in range(outputs):
        any |= <uint32_t>zero_points[n]
        c.offsets[n] = <int32_t>(k_zx * <uint32_t>zero_points[n] - shifted * <uint32_t>sums[n])
    c.row_sums = any != 0


cdef inline void set_in_real(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, double output_scale
) noexcept nogil:
    """Fill in what rules that go through real numbers need."""
    cdef Py_ssize_t n
    cdef bint product_first = c.product_code == CONVOLUTION_PRODUCT_FIRST
    c.input_factor, c.output_scale = inverted_twice(input_scale), inverted_twice(output_scale)
    for n in range(outputs):
        c.biases[n] = bias[n]
        c.multipliers[n] = scale_of_weight(weight_scales[n], c.product_code)
        if product_first:
            c.multipliers[n] = c.input_factor * c.multipliers[n]
    if product_first:
        c.input_factor = 1.0


cdef inline void set_static(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, Output to, ProductRules rules, PostOps post
) noexcept nogil:
    """Fill in biases and multipliers of quantized outputs."""
    cdef Py_ssize_t n
    cdef float x = <float>input_scale, o = <float>to.scale, inv = <float>1.0 / o
    cdef int32_t integer
    cdef int quantizing = ADD_THEN_ROUND if rules.bias == BIAS_ROUNDED else DIVIDE_THEN_ROUND_WIDE
    cdef Output whole = Output(0.0, 0, -2147483648, 2147483647)
    c.bias_code, c.rule_code, c.zero_point = rules.bias, rules.requantize, to.zero_point
    c.output_min, c.output_max = to.output_min, to.output_max
    c.product_code, c.post = rules.product, post
    if rules.product != IN_STEPS:
        set_in_real(c, outputs, weight_scales, bias, input_scale, to.scale)
        return
    if rules.multiplier == QUOTIENT:
        for n in range(outputs):
            c.multipliers[n] = x * <float>weight_scales[n] / o
    else:
        for n in range(outputs):
            c.multipliers[n] = x * <float>weight_scales[n] * inv
    if rules.bias == BIAS_FUSED:
        for n in range(outputs):
            c.biases[n] = bias[n]
            c.factors[n] = <float>1.0 / (x * <float>weight_scales[n])
    elif rules.bias == BIAS_DIVIDED:
        for n in range(outputs):
            c.biases[n] = bias[n] / (x * <float>weight_scales[n])
    elif rules.bias != NO_BIAS:
        c.bias_code = NO_BIAS
        for n in range(outputs):
            whole.scale = input_scale * weight_scales[n]
            quantize_run(bias + n, &integer, 1, whole, quantizing)
            c.offsets[n] = <int32_t>(<uint32_t>c.offsets[n] + <uint32_t>integer)


cdef inline void set_dynamic(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, int relu_code, int rule_code
) noexcept nogil:
    """Fill in biases and scales of real outputs."""
    cdef Py_ssize_t n
    c.rule_code, c.relu_code = rule_code, relu_code
    if rule_code != OUTPUT_FUSED and rule_code != OUTPUT_ROUNDED_TWICE:
        c.product_code = LINEAR if rule_code == OUTPUT_IN_TURN else LINEAR_CHANNELS
        set_in_real(c, outputs, weight_scales, bias, input_scale, 1.0)
        return
    for n in range(outputs):
        c.biases[n] = bias[n]
        c.multipliers[n] = <float>input_scale * <float>weight_scales[n]


# -- after the product: rows of at most COLUMNS sums ---------------------------------------------


cdef inline uint8_t float_product(
    float total, float multiplier, int32_t zero_point, float lo, float hi
) noexcept nogil:
    """`lo` and `hi` are the limits less the zero point."""
    cdef float r = rintf(total * multiplier)
    r = r if r < 2147483648.0 else <float>-2147483648.0
    return <uint8_t>(<int32_t>clampf(r, lo, hi) + zero_point)


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


cdef inline void correct_row(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, int32_t* acc, uint32_t row_sum
) noexcept nogil:
    """Take what the zero points of the weight add to the sums of a row."""
    cdef const int32_t* zero_points = c.zero_points + first
    cdef Py_ssize_t j
    for j in range(n):
        acc[j] = <int32_t>(<uint32_t>acc[j] - <uint32_t>zero_points[j] * row_sum)


cdef inline int32_t corrected(int32_t acc, int32_t offset) noexcept nogil:
    return <int32_t>(<uint32_t>acc + <uint32_t>offset)


cdef inline float with_bias(int32_t acc, int32_t offset, float quotient) noexcept nogil:
    return <float>corrected(acc, offset) + quotient


cdef inline float real(
    int32_t acc, int32_t offset, float input_factor, float multiplier, float bias
) noexcept nogil:
    return <float>corrected(acc, offset) * input_factor * multiplier + bias


# What finishes the rows of a run of columns, in memory that no result can overlap, so that none of
# it is read again for each row.
cdef struct Run:
    const int32_t* offsets
    const float* biases
    const float* factors
    const float* multipliers
    int product_code
    int bias_code
    int rule_code
    float input_factor
    float output_scale
    bint plain  # whether the rule is `real`, perhaps `relu`, then `clamp_then_round`
    float inverse
    float zero
    float lowest
    float highest
    int32_t zero_point
    int32_t output_min
    int32_t output_max


cdef inline Run run_of(const Columns* c, Py_ssize_t first) noexcept nogil:
    return Run(
        c.offsets + first, c.biases + first, c.factors + first, c.multipliers + first,
        c.product_code, c.bias_code, c.rule_code, c.input_factor, c.output_scale,
        c.product_code != IN_STEPS and is_plain(&c.post, c.product_code),
        <float>1.0 / c.output_scale, <float>c.zero_point, <float>c.output_min,
        <float>c.output_max, c.zero_point, c.output_min, c.output_max
    )


cdef inline separate finish_by_rare_rule(
    Run c, const PostOps* post, Py_ssize_t n, const int32_t* acc, Py_ssize_t place, uint8_t* done
) noexcept nogil:
    """As `finish_columns`, in a function of its own: such loops are too long for three copies."""
    cdef int32_t z = c.zero_point, least = c.output_min, most = c.output_max
    cdef float lo = <float>(least - z), hi = <float>(most - z)
    cdef Py_ssize_t j
    cdef float[COLUMNS] total
    cdef double wide
    if c.product_code != IN_STEPS:
        for j in range(n):
            total[j] = real(
                acc[j], c.offsets[j], c.input_factor, c.multipliers[j], c.biases[j])
        finish_in_real(post, c.product_code, n, total, place, c.output_scale, c.zero, c.lowest,
                       c.highest, done)
        return
    if c.bias_code == BIAS_FUSED:
        for j in range(n):
            total[j] = fmaf(c.biases[j], c.factors[j], <float>corrected(acc[j], c.offsets[j]))
    if c.rule_code == DOUBLE_PRODUCT:
        for j in range(n):
            if c.bias_code == BIAS_DIVIDED:
                wide = with_bias(acc[j], c.offsets[j], c.biases[j])
            elif c.bias_code == BIAS_FUSED:
                wide = total[j]
            else:
                wide = corrected(acc[j], c.offsets[j])
            done[j] = double_product(wide, c.multipliers[j], z, lo, hi)
    elif c.bias_code == BIAS_FUSED:
        for j in range(n):
            done[j] = fixed_point(convert_to_int32(total[j]), c.multipliers[j], z, least, most)
    elif c.bias_code == BIAS_DIVIDED:
        for j in range(n):
            done[j] = fixed_point(
                convert_to_int32(with_bias(acc[j], c.offsets[j], c.biases[j])), c.multipliers[j],
                z, least, most)
    else:
        for j in range(n):
            done[j] = fixed_point(corrected(acc[j], c.offsets[j]), c.multipliers[j], z, least, most)


cdef inline embedded finish_columns(
    Run c, const PostOps* post, Py_ssize_t n, const int32_t* acc, Py_ssize_t place, uint8_t* done
) noexcept nogil:
    """`place` is that of the first output in the result, where the addend has its own."""
    cdef int32_t z = c.zero_point
    cdef float lo = <float>(c.output_min - z), hi = <float>(c.output_max - z), v
    cdef Py_ssize_t j
    cdef float[COLUMNS] total
    if c.plain and post.function == NOTHING:
        for j in range(n):
            v = real(acc[j], c.offsets[j], c.input_factor, c.multipliers[j], c.biases[j])
            done[j] = clamp_then_round(v * c.inverse + c.zero, c.lowest, c.highest)
    elif c.plain:
        for j in range(n):
            v = relu(real(acc[j], c.offsets[j], c.input_factor, c.multipliers[j], c.biases[j]))
            done[j] = clamp_then_round(v * c.inverse + c.zero, c.lowest, c.highest)
    elif c.product_code != IN_STEPS or c.rule_code != FLOAT_PRODUCT:
        finish_by_rare_rule(c, post, n, acc, place, done)
    elif c.bias_code == BIAS_FUSED:  # in a loop of its own: fmaf is a call on some processors
        for j in range(n):
            total[j] = fmaf(c.biases[j], c.factors[j], <float>corrected(acc[j], c.offsets[j]))
        for j in range(n):
            done[j] = float_product(total[j], c.multipliers[j], z, lo, hi)
    elif c.bias_code == BIAS_DIVIDED:
        for j in range(n):
            done[j] = float_product(
                with_bias(acc[j], c.offsets[j], c.biases[j]), c.multipliers[j], z, lo, hi)
    else:
        for j in range(n):
            done[j] = float_product(
                <float>corrected(acc[j], c.offsets[j]), c.multipliers[j], z, lo, hi)


cdef inline embedded finish_rows_of(
    const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t width, Py_ssize_t n,
    const int32_t* acc, uint8_t* q, Py_ssize_t outputs
) noexcept nogil:
    """Turn sums into `n` quantized outputs of each row, from column `first` on.

    `width`, at least `n`, is constant in the caller: no loop has a rest. Outputs go into memory of
    their own, which no other pointer can mean.
    """
    cdef uint8_t[COLUMNS] done
    cdef Run run = run_of(c, first)
    cdef Py_ssize_t place = q - c.start, _row
    for _row in range(m):
        finish_columns(run, &c.post, width, acc, place, done)
        if n == width:
            memcpy(q, done, width)
        else:
            memcpy(q, done, n)
        acc += COLUMNS
        q += outputs
        place += outputs


cdef inline void finish_row_dynamic(
    const Columns* c, Py_ssize_t first, Py_ssize_t n, const int32_t* acc, float* y
) noexcept nogil:
    """Turn sums into `n` real outputs, from column `first` on."""
    cdef const int32_t* offsets = c.offsets + first
    cdef const float* biases = c.biases + first
    cdef const float* scales = c.multipliers + first
    cdef Py_ssize_t j
    if c.rule_code == OUTPUT_FUSED:
        for j in range(n):
            y[j] = fmaf(<float>corrected(acc[j], offsets[j]), scales[j], biases[j])
    elif c.rule_code == OUTPUT_ROUNDED_TWICE:
        for j in range(n):
            y[j] = <float>corrected(acc[j], offsets[j]) * scales[j] + biases[j]
    else:
        for j in range(n):
            y[j] = <float>corrected(acc[j], offsets[j]) * c.input_factor * scales[j]
            y[j] += biases[j]
    if c.relu_code == RELU_OF_NEGATIVE:
        for j in range(n):
            y[j] = <float>0.0 if y[j] < 0.0 else y[j]
    elif c.relu_code == RELU_OF_POSITIVE:
        for j in range(n):
            y[j] = y[j] if y[j] > 0.0 else <float>0.0


# -- rows at once --------------------------------------------------------------------------------


cdef inline void sum_rows(
    const Columns* c, const uint8_t* x, Py_ssize_t stride, Py_ssize_t m, Py_ssize_t length,
    uint32_t* row_sums
) noexcept nogil:
    """Add up each of `m` rows of the input, if the zero points of the weight need the sums."""
    cdef Py_ssize_t i, k
    cdef uint32_t row_sum
    for i in range(m):
        row_sum = 0
        if c.row_sums:
            for k in range(length):
                row_sum += x[i * stride + k]
        row_sums[i] = row_sum


cdef inline separate finish_rows(
    const Columns* c, Py_ssize_t m, Py_ssize_t first, Py_ssize_t n, const uint32_t* row_sums,
    int32_t* acc, uint8_t* q, float* y, Py_ssize_t outputs
) noexcept nogil:
    """Turn the sums of `n` columns of `m` rows into `q` or `y`, from column `first` on.

    Rows of `acc` are COLUMNS apart, those of `q` or `y` `outputs`; one of these is NULL.
    """
    cdef Py_ssize_t i
    if c.row_sums:
        for i in range(m):
            correct_row(c, first, n, acc + i * COLUMNS, row_sums[i])
    if y != NULL:
        for i in range(m):
            finish_row_dynamic(c, first, n, acc + i * COLUMNS, y + i * outputs + first)
    elif n > COLUMNS // 2:
        finish_rows_of(c, m, first, COLUMNS, n, acc, q + first, outputs)
    elif n > COLUMNS // 4:
        finish_rows_of(c, m, first, COLUMNS // 2, n, acc, q + first, outputs)
    else:
        finish_rows_of(c, m, first, COLUMNS // 4, n, acc, q + first, outputs)
