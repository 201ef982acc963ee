# What depends on a column of a matrix product alone: it is computed once for a call.
#
# Design
# (a) Sums of products come as int32, or as float32 where these hold them. Offsets of the latter
#     are floats as well: a sum of two integers that float32 holds is rounded once, as the
#     conversion of their sum is.
# (b) Rows of the table are longer than there are columns: the last ones are finished with more.

from libc.stdint cimport int32_t, uint8_t, uint32_t

from refquant._kernels._integers cimport round_up
from refquant._kernels._operands cimport Output, ProductRules
from refquant._kernels._pipeline cimport PostOps, scale_of_weight
from refquant._kernels._rounding cimport inverted_twice, quantize_run
from refquant._kernels._rules cimport (
    ADD_THEN_ROUND, BIAS_DIVIDED, BIAS_FUSED, BIAS_ROUNDED, CONVOLUTION_PRODUCT_FIRST,
    DIVIDE_THEN_ROUND_WIDE, IN_STEPS, LINEAR, LINEAR_CHANNELS, NO_BIAS, OUTPUT_FUSED,
    OUTPUT_IN_TURN, OUTPUT_ROUNDED_TWICE, QUOTIENT,
)

cdef enum:
    COLUMNS = 64  # finished at once; a multiple of 4
    EXACT_LIMIT = 1 << 24  # up to which float32 holds all integers
    FEW_BLOCKS = 4  # for a thread, of which the last may be much smaller
    IDLE = 20  # part of its time that a thread may wait for others

# Rows of the table that holds what depends on a column.
cdef enum:
    OFFSETS = 0
    BIASES = 1
    FACTORS = 2
    MULTIPLIERS = 3
    REAL_OFFSETS = 4
    TABLE_ROWS = 5

cdef struct Columns:
    int32_t* offsets  # K zx zw - (zx - shift) sum(w), and the bias where it is an integer
    float* real_offsets  # the same
    bint exact  # whether float32 holds all offsets
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
    return TABLE_ROWS * (outputs + COLUMNS)


cdef inline Py_ssize_t width_of_cut(
    Py_ssize_t blocks, Py_ssize_t columns, int threads
) noexcept nogil:
    """Columns that are work of their own: fewer if blocks of rows kept some threads waiting."""
    cdef Py_ssize_t idle = round_up(blocks, threads) - blocks
    if threads == 1 or (blocks >= FEW_BLOCKS * threads and IDLE * idle <= blocks):
        return columns
    return round_up((columns + threads - 1) // threads, COLUMNS)


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
    c.real_offsets = <float*>(table + REAL_OFFSETS * (outputs + COLUMNS))
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


cdef inline void set_real_offsets(Columns* c, Py_ssize_t outputs) noexcept nogil:
    """Fill in the offsets of sums in float32, when those of integers are complete."""
    cdef bint exact = True
    cdef Py_ssize_t n
    for n in range(outputs):
        c.real_offsets[n] = <float>c.offsets[n]
        exact = exact and -EXACT_LIMIT <= c.offsets[n] <= EXACT_LIMIT
    c.exact = exact


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


cdef inline void set_in_steps(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, double output_scale, ProductRules rules
) noexcept nogil:
    """Fill in what rules that multiply the sum once need."""
    cdef Py_ssize_t n
    cdef float x = <float>input_scale, o = <float>output_scale, inv = <float>1.0 / o
    cdef int32_t integer
    cdef int quantizing = ADD_THEN_ROUND if rules.bias == BIAS_ROUNDED else DIVIDE_THEN_ROUND_WIDE
    cdef Output whole = Output(0.0, 0, -2147483648, 2147483647)
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


cdef inline void set_static(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, Output to, ProductRules rules, PostOps post
) noexcept nogil:
    """Fill in biases and multipliers of quantized outputs."""
    c.bias_code, c.rule_code, c.zero_point = rules.bias, rules.requantize, to.zero_point
    c.output_min, c.output_max = to.output_min, to.output_max
    c.product_code, c.post = rules.product, post
    if rules.product == IN_STEPS:
        set_in_steps(c, outputs, weight_scales, bias, input_scale, to.scale, rules)
    else:
        set_in_real(c, outputs, weight_scales, bias, input_scale, to.scale)
    set_real_offsets(c, outputs)


cdef inline void set_dynamic(
    Columns* c, Py_ssize_t outputs, const double* weight_scales, const float* bias,
    double input_scale, int relu_code, int rule_code
) noexcept nogil:
    """Fill in biases and scales of real outputs."""
    cdef Py_ssize_t n
    c.rule_code, c.relu_code = rule_code, relu_code
    set_real_offsets(c, outputs)
    if rule_code != OUTPUT_FUSED and rule_code != OUTPUT_ROUNDED_TWICE:
        c.product_code = LINEAR if rule_code == OUTPUT_IN_TURN else LINEAR_CHANNELS
        set_in_real(c, outputs, weight_scales, bias, input_scale, 1.0)
        return
    for n in range(outputs):
        c.biases[n] = bias[n]
        c.multipliers[n] = <float>input_scale * <float>weight_scales[n]
