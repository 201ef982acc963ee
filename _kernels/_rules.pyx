"""Which rules the kernels know, and by which numbers.

Rules are looked up by identity: one that somebody made is never taken for one of these, whatever
its name. A kernel that is given a rule that is not in its table raises KeyError, so that no loop
ever sees a number that it does not know.
"""

from refquant.engines.rules import accumulate as a
from refquant.engines.rules import dynamic_qparams as c
from refquant.engines.rules import expm1 as x
from refquant.engines.rules import functions as f
from refquant.engines.rules import average as w
from refquant.engines.rules import mean as m
from refquant.engines.rules import pipeline as o
from refquant.engines.rules import quantize as q
from refquant.engines.rules import requantize as p
from refquant.engines.rules import interpolate as s
from refquant.engines.rules.elementwise import CONVERT_THEN_ADD as CONVERT, WIDEN_THEN_ADD as WIDEN

QUANTIZING = {
    q.ROUND_THEN_ADD: ROUND_THEN_ADD,
    q.ADD_THEN_ROUND: ADD_THEN_ROUND,
    q.ADD_THEN_ROUND_INVERTED: ADD_THEN_ROUND_INVERTED,
    q.FUSED: FUSED,
    q.FUSED_CLAMP_THEN_ROUND: FUSED_CLAMP_THEN_ROUND,
    q.DIVIDE_THEN_ROUND: DIVIDE_THEN_ROUND,
    q.DIVIDE_THEN_ROUND_WIDE: DIVIDE_THEN_ROUND_WIDE,
    q.FUSED_CONVERT: FUSED_CONVERT,
    q.ROUND_THEN_ADD_DOUBLE: ROUND_THEN_ADD_DOUBLE,
    q.FUSED_CONVERT_DOUBLE: FUSED_CONVERT_DOUBLE,
    q.ROUND_THEN_ADD_WIDE: ROUND_THEN_ADD_WIDE,
}
DEQUANTIZING = {
    q.SUBTRACT: SUBTRACT,
    q.SUBTRACT_FUSED: SUBTRACT_FUSED,
    q.SUBTRACT_DOUBLE: SUBTRACT_DOUBLE,
    q.SUBTRACT_WIDE: SUBTRACT_WIDE,
    q.SUBTRACT_ROUNDED: SUBTRACT_ROUNDED,
}
REQUANTIZING = {CONVERT: CONVERT_THEN_ADD, WIDEN: WIDEN_THEN_ADD}
EXPONENTIAL = {
    x.EXPM1_OF_PAIRS: EXPM1_OF_PAIRS,
    x.EXPM1_ROUNDED_ONCE: EXPM1_ROUNDED_ONCE,
}
FUNCTION = {
    f.SIGMOID_IN_FLOAT32: SIGMOID_IN_FLOAT32,
    f.SIGMOID_IN_FLOAT64: SIGMOID_IN_FLOAT64,
    f.SIGMOID_ROUNDED: SIGMOID_ROUNDED,
    f.TANH_OF_PAIRS: TANH_OF_PAIRS,
    f.TANH_ROUNDED_ONCE: TANH_ROUNDED_ONCE,
    f.GELU_IN_FLOAT32: GELU_IN_FLOAT32,
    f.GELU_IN_FLOAT64: GELU_IN_FLOAT64,
    f.GELU_TANH_IN_FLOAT32: GELU_TANH_IN_FLOAT32,
    f.GELU_TANH_IN_FLOAT64: GELU_TANH_IN_FLOAT64,
    f.HARDSIGMOID: HARDSIGMOID,
    f.HARDSWISH: HARDSWISH,
}
AVERAGE = {
    w.AVERAGE_ADD_THEN_ROUND: AVERAGE_ADD_THEN_ROUND,
    w.AVERAGE_ROUND_THEN_ADD: AVERAGE_ROUND_THEN_ADD,
    w.AVERAGE_FUSED: AVERAGE_FUSED,
    w.AVERAGE_DIVIDE_THEN_ROUND: AVERAGE_DIVIDE_THEN_ROUND,
    w.AVERAGE_OF_INTEGERS: AVERAGE_OF_INTEGERS,
    w.AVERAGE_OF_STEPS: AVERAGE_OF_STEPS,
    w.AVERAGE_IN_FIXED_POINT: AVERAGE_IN_FIXED_POINT,
    m.MEAN_OF_INTEGERS: MEAN_OF_INTEGERS,
}
MIX = {
    s.MIX_ROUNDED: MIX_ROUNDED,
    s.MIX_FUSED: MIX_FUSED,
    s.MIX_FUSED_FIRST: MIX_FUSED_FIRST,
}
CHOOSING = {
    c.RANGE_IN_FLOAT32: RANGE_IN_FLOAT32,
    c.RANGE_IN_FLOAT64: RANGE_IN_FLOAT64,
}
BIAS = {
    p.NO_BIAS: NO_BIAS,
    p.BIAS_FUSED: BIAS_FUSED,
    p.BIAS_DIVIDED: BIAS_DIVIDED,
    p.BIAS_ROUNDED: BIAS_ROUNDED,
    p.BIAS_ROUNDED_QUOTIENT: BIAS_ROUNDED_QUOTIENT,
}
MULTIPLIER = {p.QUOTIENT: QUOTIENT, p.TIMES_RECIPROCAL: TIMES_RECIPROCAL}
SUM = {
    p.FLOAT_PRODUCT: FLOAT_PRODUCT,
    p.DOUBLE_PRODUCT: DOUBLE_PRODUCT,
    p.FIXED_POINT: FIXED_POINT,
}
DYNAMIC_OUTPUT = {
    p.OUTPUT_FUSED: OUTPUT_FUSED,
    p.OUTPUT_ROUNDED_TWICE: OUTPUT_ROUNDED_TWICE,
    o.OUTPUT_IN_TURN: OUTPUT_IN_TURN,
    o.OUTPUT_IN_TURN_CHANNELS: OUTPUT_IN_TURN_CHANNELS,
}
DYNAMIC_RELU = {
    p.RELU_OF_NEGATIVE: RELU_OF_NEGATIVE,
    o.RELU_OF_POSITIVE: RELU_OF_POSITIVE,
}
PRODUCT = {
    o.IN_STEPS: IN_STEPS,
    o.LINEAR: LINEAR,
    o.LINEAR_CHANNELS: LINEAR_CHANNELS,
    o.LINEAR_DIVIDED: LINEAR_DIVIDED,
    o.LINEAR_CHANNELS_DIVIDED: LINEAR_CHANNELS_DIVIDED,
    o.CONVOLUTION: CONVOLUTION,
    o.CONVOLUTION_PRODUCT_FIRST: CONVOLUTION_PRODUCT_FIRST,
    o.CONVOLUTION_DIVIDED: CONVOLUTION_DIVIDED,
}

# The only ones: kernels need no number to tell them from others.
ACCUMULATOR = {a.WRAPPED: 0}
BORDER = {a.BORDER_OF_ZERO_POINT: 0}

# The tables of the steps whose rules are handed to kernels. The rules of other steps are applied
# in Python, before kernels or instead of them.
BY_STEP = {
    "quantize_per_tensor": QUANTIZING,
    "quantize_per_channel": QUANTIZING,
    "copy": QUANTIZING,
    "elementwise_quantize": QUANTIZING,
    "cat_quantize": QUANTIZING,
    "dequantize_per_tensor": DEQUANTIZING,
    "dequantize_per_channel": DEQUANTIZING,
    "elementwise_dequantize": DEQUANTIZING,
    "cat_dequantize": DEQUANTIZING,
    "elementwise_requantize": REQUANTIZING,
    "exponential": EXPONENTIAL,
    "sigmoid_dequantize": DEQUANTIZING,
    "normalize_dequantize": DEQUANTIZING,
    "normalize_quantize": QUANTIZING,
    "batch_norm_quantize": QUANTIZING,
    "sigmoid": FUNCTION,
    "gate": FUNCTION,
    "tanh": FUNCTION,
    "gelu": FUNCTION,
    "gelu_tanh": FUNCTION,
    "average_pool": AVERAGE,
    "adaptive_average_pool": AVERAGE,
    "mean": AVERAGE,
    "resize_mix": MIX,
    "dynamic_qparams": CHOOSING,
    "accumulator": ACCUMULATOR,
    "border": BORDER,
    "dynamic_quantize": QUANTIZING,
    "product": PRODUCT,
    "bias": BIAS,
    "multiplier": MULTIPLIER,
    "requantize_sum": SUM,
    "dynamic_output": DYNAMIC_OUTPUT,
    "dynamic_relu": DYNAMIC_RELU,
}
