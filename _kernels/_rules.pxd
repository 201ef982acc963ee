# The numbers by which kernels know rules; _rules.pyx says which rule has which.
#
# A number means nothing outside the kernels. Every switch over one of these lists names all of
# its numbers, the last by `else`; _rules.pyx holds no others.

# Real numbers to integers.
cdef enum:
    ROUND_THEN_ADD
    ADD_THEN_ROUND
    ADD_THEN_ROUND_INVERTED
    FUSED
    FUSED_CLAMP_THEN_ROUND
    DIVIDE_THEN_ROUND
    DIVIDE_THEN_ROUND_WIDE
    FUSED_CONVERT
    ROUND_THEN_ADD_DOUBLE
    FUSED_CONVERT_DOUBLE
    ROUND_THEN_ADD_WIDE

# Integers to real numbers.
cdef enum:
    SUBTRACT
    SUBTRACT_FUSED
    SUBTRACT_DOUBLE
    SUBTRACT_WIDE
    SUBTRACT_ROUNDED

# Products and sums of integers to integers.
cdef enum:
    CONVERT_THEN_ADD
    WIDEN_THEN_ADD

cdef enum:
    EXPM1_OF_PAIRS
    EXPM1_ROUNDED_ONCE

# Real numbers to real numbers.
cdef enum:
    SIGMOID_IN_FLOAT32
    SIGMOID_IN_FLOAT64
    TANH_OF_PAIRS
    TANH_ROUNDED_ONCE
    GELU_IN_FLOAT32
    GELU_IN_FLOAT64
    GELU_TANH_IN_FLOAT32
    GELU_TANH_IN_FLOAT64
    HARDSIGMOID
    HARDSWISH
    SIGMOID_ROUNDED

cdef enum:
    AVERAGE_ADD_THEN_ROUND
    AVERAGE_ROUND_THEN_ADD
    AVERAGE_FUSED
    AVERAGE_DIVIDE_THEN_ROUND
    AVERAGE_OF_INTEGERS
    AVERAGE_OF_STEPS
    AVERAGE_IN_FIXED_POINT
    MEAN_OF_INTEGERS

cdef enum:
    MIX_ROUNDED
    MIX_FUSED
    MIX_FUSED_FIRST

cdef enum:
    RANGE_IN_FLOAT32
    RANGE_IN_FLOAT64

# Sums of products: bias, multiplier, quantized outputs, real outputs.
cdef enum:
    NO_BIAS
    BIAS_FUSED
    BIAS_DIVIDED
    BIAS_ROUNDED
    BIAS_ROUNDED_QUOTIENT

cdef enum:
    QUOTIENT
    TIMES_RECIPROCAL

cdef enum:
    FLOAT_PRODUCT
    DOUBLE_PRODUCT
    FIXED_POINT

cdef enum:
    OUTPUT_FUSED
    OUTPUT_ROUNDED_TWICE
    OUTPUT_IN_TURN
    OUTPUT_IN_TURN_CHANNELS

cdef enum:
    NO_RELU
    RELU_OF_NEGATIVE
    RELU_OF_POSITIVE

# Sums of products to quantized outputs at once, or in the steps above.
cdef enum:
    IN_STEPS
    LINEAR
    LINEAR_CHANNELS
    LINEAR_DIVIDED
    LINEAR_CHANNELS_DIVIDED
    CONVOLUTION
    CONVOLUTION_PRODUCT_FIRST
    CONVOLUTION_DIVIDED
