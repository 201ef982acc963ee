r"""How other runtimes turn integers of one quantizer into integers of another, one by one.

All rules take the integers :math:`q` of an operand with its scale and zero point, then the scale,
zero point and bounds of the result, and return int64. Functions of eight bits are tables of 256
entries in these runtimes: the rules compute an entry.
"""

from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import (
    dequantize_of_axes,
    quantize_of_axes,
    requantize_of_axes,
)
from refquant.engines.arithmetic.multipliers import multiplier_of_axes, quantized_multiplier
from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import wrap_int32
from refquant.engines.rules.rounding import round_number, round_shift

__all__ = [
    "DEQUANTIZE_IN_BLOCKS",
    "DEQUANTIZE_IN_FLOAT32",
    "DYNAMIC_QUANTIZE",
    "ELU_BY_TABLE",
    "HARDSWISH_IN_16_BITS",
    "LEAKY_RELU_BY_TABLE",
    "LEAKY_RELU_IN_8_BITS",
    "QUANTIZE_AWAY",
    "QUANTIZE_AWAY_IN_FLOAT64",
    "QUANTIZE_EVEN",
    "QUANTIZE_EVEN_BY_INVERSE",
    "REQUANTIZE_BY_TABLE",
    "REQUANTIZE_IN_8_BITS",
    "SIGMOID_BY_TABLE",
    "SIGMOID_BY_TABLE_EVEN",
    "SOFTMAX_BY_TABLE",
    "SOFTMAX_EVEN",
    "TANH_BY_TABLE",
    "leaky_relu_rule",
    "requantize_rule",
]

_LITERT = "LiteRT 2.3"
_XNNPACK = "XNNPACK, src/microparams-init.c"


def steps_of(q, zero_point) -> np.ndarray:
    """Take zero points off integers, int64."""
    return np.asarray(q, np.int64) - zero_point


def ratio_of(x_scale, y_scale) -> np.float32:
    """Divide two scales in float32."""
    return np.float32(x_scale) / np.float32(y_scale)


# -- float32 to integers and back ------------------------------------------------------------


_EVEN = Arithmetic(overflow="saturated")
QUANTIZE_AWAY = Rule(
    "quantize_half_away",
    "clip(half_away(f32(x / s)) + z)",
    f"{_LITERT} and TensorFlow Lite Micro, reference kernels of QUANTIZE",
    partial(quantize_of_axes, _EVEN.change(rounding="half_away")),
)
QUANTIZE_AWAY_IN_FLOAT64 = Rule(
    "quantize_half_away_in_float64",
    "clip(half_away(x / s) + z), the quotient in float64",
    "TensorFlow Lite 2.14, optimized kernel of QUANTIZE; LiteRT 2.3, what fills no vector in its",
    partial(quantize_of_axes, _EVEN.change(rounding="half_away", precision="float64")),
)
QUANTIZE_EVEN = Rule(
    "quantize_half_even",
    "clip(rne(f32(x / s)) + z)",
    "ONNX",
    partial(quantize_of_axes, _EVEN),
)
QUANTIZE_EVEN_BY_INVERSE = Rule(
    "quantize_half_even_by_inverse",
    "clip(rne(f32(x * f32(1 / s))) + z)",
    f"{_LITERT}, vectors of its optimized kernel of QUANTIZE; XNNPACK",
    partial(quantize_of_axes, _EVEN.change(formed_by="product")),
)
DEQUANTIZE_IN_FLOAT32 = Rule(
    "dequantize_in_float32",
    "f32(s * (q - z))",
    f"{_LITERT} and TensorFlow Lite Micro, reference kernels of DEQUANTIZE; XNNPACK; ONNX",
    partial(dequantize_of_axes, _EVEN),
)


def _dequantize_in_blocks(q, scale, zero_point):
    codes, s = np.asarray(q), np.asarray(scale, np.float32)
    offset = (-np.asarray(zero_point)).astype(np.float32) * s
    in_blocks = (np.arange(codes.size) < codes.size - codes.size % 8).reshape(codes.shape)
    return np.where(
        in_blocks,
        codes.astype(np.float32) * s + offset,
        DEQUANTIZE_IN_FLOAT32.function(codes, s, zero_point),
    )


DEQUANTIZE_IN_BLOCKS = Rule(
    "dequantize_in_blocks",
    "f32(f32(s * q) + f32(s * -z)) in whole blocks of 8, f32(s * (q - z)) behind them",
    f"{_LITERT}, optimized kernels of DEQUANTIZE",
    _dequantize_in_blocks,
)


def _dynamic_quantize(x):
    if not x.size:
        return np.zeros(x.shape, np.int64)
    low, high = (np.minimum(x.min(), 0), np.maximum(x.max(), 0))
    width = np.float32(high) - np.float32(low)
    scale = width / np.float32(255) if width > 0 else np.float32(1)
    zero = np.rint(np.clip(-np.float32(low) / scale, np.float32(0), np.float32(255)))
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.int64)


DYNAMIC_QUANTIZE = Rule(
    "dynamic_quantize",
    "clip(rne(f32(x / s)) + z), s = f32(f32(max(x, 0) - min(x, 0)) / 255), "
    "z = rne(f32(-min(x, 0) / s)), in uint8",
    "ONNX, DynamicQuantizeLinear",
    _dynamic_quantize,
)


# -- one quantizer to another ----------------------------------------------------------------


def requantize_codes_of_axes(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Scale integers by the quotient of two scales."""
    multiplier = multiplier_of_axes(axes, x_scale, 1.0, scale)
    return requantize_of_axes(axes, steps_of(q, x_zero), multiplier, zero_point, lower, upper)


def requantize_rule(axes, source: str) -> Rule:
    """Make the rule of one way of rounding in fixed point."""
    return Rule(
        f"requantize_codes_{axes.rounding}",
        f"clip({axes.rounding}(high((q - z_x) * m) * 2**e) + z), m * 2**(e - 31) = f64(s_x / s)",
        source,
        partial(requantize_codes_of_axes, axes),
    )


_UP = Arithmetic(rounding="half_up")


def _in_8_bits(axes, steps, factor, zero_point, lower, upper):
    m = np.rint(np.float32(256) * factor).astype(np.int64)
    return np.clip(round_shift(steps * m, 8, axes.rounding) + zero_point, lower, upper)


def requantize_in_8_bits(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Scale integers by a multiplier of 8 fractional bits."""
    factor = ratio_of(x_scale, scale)
    return _in_8_bits(axes, steps_of(q, x_zero), factor, zero_point, lower, upper)


REQUANTIZE_IN_8_BITS = Rule(
    "requantize_in_8_bits",
    "clip(((q - z_x) * m + 128) >> 8) + z), m = rne(256 * f32(s_x / s))",
    _XNNPACK,
    partial(requantize_in_8_bits, _UP),
)


def requantize_by_table(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Dequantize integers, and quantize them again."""
    real = np.float32(x_scale) * steps_of(q, x_zero).astype(np.float32)
    return quantize_of_axes(axes, real, scale, zero_point, lower, upper)


REQUANTIZE_BY_TABLE = Rule(
    "requantize_by_table",
    "clip(rne(f32(f32(s_x * (q - z_x)) / s)) + z)",
    "ONNX Runtime, QLinearConcat, measured with release 1.32 on x86",
    partial(requantize_by_table, _EVEN),
)


# -- functions -------------------------------------------------------------------------------


def leaky_relu_of_codes(axes, q, x_scale, x_zero, slope, scale, zero_point, lower, upper):
    """Scale integers by one multiplier, or by another one if they are negative."""
    n, to = steps_of(q, x_zero), (zero_point, lower, upper)
    below = np.float32(x_scale) * np.float32(slope) / np.float32(scale)
    return np.where(
        n >= 0,
        requantize_of_axes(axes, n, ratio_of(x_scale, scale), *to),
        requantize_of_axes(axes, n, below, *to),
    )


def leaky_relu_rule(axes, source: str) -> Rule:
    """Make the rule of one way of rounding in fixed point."""
    return Rule(
        f"leaky_relu_{axes.rounding}",
        f"clip({axes.rounding}(high((q - z_x) * m) * 2**e) + z), m * 2**(e - 31) = f32(s_x / s), "
        "of negative numbers f32(f32(s_x * slope) / s)",
        source,
        partial(leaky_relu_of_codes, axes),
    )


def leaky_relu_in_8_bits(axes, q, x_scale, x_zero, slope, scale, zero_point, lower, upper):
    """Scale integers by multipliers of 8 fractional bits."""
    n, factor = steps_of(q, x_zero), ratio_of(x_scale, scale)
    return np.where(
        n >= 0,
        _in_8_bits(axes, n, factor, zero_point, lower, upper),
        _in_8_bits(axes, n, factor * np.float32(slope), zero_point, lower, upper),
    )


LEAKY_RELU_IN_8_BITS = Rule(
    "leaky_relu_in_8_bits",
    "clip(((q - z_x) * m + 128) >> 8) + z), m = rne(256 * f32(s_x / s)), of negative numbers "
    "rne(256 * f32(f32(s_x / s) * slope))",
    _XNNPACK,
    partial(leaky_relu_in_8_bits, _UP),
)


def by_table(axes, function, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Compute a function of dequantized integers, and quantize its result."""
    x = np.float32(x_scale) * steps_of(q, x_zero).astype(np.float32)
    y = function(x.astype(np.float64)).astype(np.float32)
    return quantize_of_axes(axes, y, scale, zero_point, lower, upper)


# The tables of TensorFlow Lite multiply by a reciprocal.
_AWAY = Arithmetic(rounding="half_away", formed_by="product", overflow="saturated")


def _table(name: str, formula: str, function, axes=_AWAY, source="") -> Rule:
    by = "* f32(1 / s)" if axes.formed_by == "product" else "/ s"
    return Rule(
        f"{name}_by_table" if axes is _AWAY else f"{name}_by_table_{axes.rounding}",
        f"clip({axes.rounding}(f32(f32({formula}) {by})) + z), x = f32(s_x * (q - z_x))",
        source or f"{_LITERT} and TensorFlow Lite Micro",
        partial(by_table, axes, function),
    )


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


_ORT = "ONNX Runtime, measured with release 1.32 on x86"
SIGMOID_BY_TABLE = _table("sigmoid", "1 / (1 + exp(-x))", _sigmoid)
SIGMOID_BY_TABLE_EVEN = _table("sigmoid", "1 / (1 + exp(-x))", _sigmoid, _EVEN, _ORT)
TANH_BY_TABLE = _table("tanh", "tanh(x)", np.tanh)
ELU_BY_TABLE = _table(
    "elu", "x if x >= 0 else exp(x) - 1", lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)
)


def leaky_relu_by_table(axes, q, x_scale, x_zero, slope, scale, zero_point, lower, upper):
    """Compute leaky ReLU of dequantized integers, and quantize its result."""
    x = np.float32(x_scale) * steps_of(q, x_zero).astype(np.float32)
    y = np.where(x >= 0, x, x * np.float32(slope))
    return quantize_of_axes(axes, y, scale, zero_point, lower, upper)


LEAKY_RELU_BY_TABLE = Rule(
    "leaky_relu_by_table",
    "clip(rne(f32(x / s)) + z), x = f32(s_x * (q - z_x)), of negative numbers f32(x * slope)",
    _ORT,
    partial(leaky_relu_by_table, _EVEN),
)


def softmax_in_float64(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Compute shares of rows in float64, rounded to float32, and quantize them."""
    codes = np.asarray(q, np.int64)
    powers = np.exp(np.float64(x_scale) * (codes - codes.max(-1, keepdims=True)))
    share = (powers / powers.sum(-1, keepdims=True)).astype(np.float32)
    return quantize_of_axes(axes, share, scale, zero_point, lower, upper)


SOFTMAX_EVEN = Rule(
    "softmax_half_even",
    "clip(rne(f32(f32(e / sum e) / s)) + z), e = exp(s_x * (q - max q)) of rows",
    _ORT,
    partial(softmax_in_float64, _EVEN),
)


def softmax_by_table(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Look up powers, add them from left to right in float32, and quantize their shares."""
    codes = np.asarray(q, np.int64)
    table = np.exp(-np.float64(x_scale) * np.arange(256)).astype(np.float32)
    powers = table[codes.max(-1, keepdims=True) - codes]
    total = np.zeros((*codes.shape[:-1], 1), np.float32)
    for k in range(codes.shape[-1]):
        total += powers[..., k : k + 1]
    share = powers * (np.float32(1) / (total * np.float32(scale)))
    if axes.rounding == "half_up":  # as kernels do, which add a half in float32
        rounded = np.floor(share + np.float32(0.5))
    else:
        rounded = round_number(share, axes.rounding)
    return np.clip(rounded + zero_point, lower, upper).astype(np.int64)


SOFTMAX_BY_TABLE = Rule(
    "softmax_by_table",
    "clip(floor(f32(f32(e * f32(1 / f32(sum e * s))) + 0.5)) + z), e = f32(exp(s_x * (q - max q))) "
    "of rows, summed from left to right in float32",
    f"{_LITERT} and TensorFlow Lite Micro",
    partial(softmax_by_table, _UP),
)


# -- hardswish -------------------------------------------------------------------------------


def _int16(n):
    return np.clip(n, -(2**15), 2**15 - 1)


def _high_16(a, b):
    """Twice the product of two int16, rounded to its upper half, ties up: negative ones down."""
    product = a * b
    return _int16(np.trunc((product + np.where(product >= 0, 2**14, 1 - 2**14)) / 2**15)).astype(
        np.int64
    )


def _multiplier_of_16_bits(factor) -> tuple[np.int64, int]:
    q, shift = quantized_multiplier(factor)
    return np.minimum((q + 2**15) >> 16, 2**15 - 1), int(shift)


def hardswish_in_16_bits(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Multiply by a gate, both in 16 bits."""
    wide = np.float32(1 / 128) * np.float32(x_scale)  # the scale of n, 7 more bits
    n = steps_of(q, x_zero) << 7
    n = wrap_int32(n << 16) >> 16
    to_output, output_shift = _multiplier_of_16_bits(wide / np.float32(scale))
    to_gate, gate_shift = _multiplier_of_16_bits(wide / (np.float32(3) / np.float32(2**15)))
    before = _high_16(n, to_output)
    gate = _int16(n << (gate_shift - 1)) if gate_shift > 0 else n
    gate = _high_16(gate, to_gate)
    if gate_shift > 0:
        gate = _int16(gate << 1)
    elif gate_shift < 0:
        gate = round_shift(gate, -gate_shift, "half_away")
    gate = (gate + 2**15) >> 1
    product = _int16(np.trunc(gate * before / 2**15)).astype(np.int64)
    if output_shift > 0:
        result = _int16(product << output_shift)
    else:
        result = round_shift(product, -output_shift, axes.rounding)
    return np.clip(result + zero_point, lower, upper)


HARDSWISH_IN_16_BITS = Rule(
    "hardswish_in_16_bits",
    "clip(half_away(trunc(g * high16(n, m_y) / 2**15) * 2**e) + z), n = (q - z_x) * 128, "
    "g = (high16(n, m_g) scaled to 3 / 2**15 + 2**15) >> 1; multipliers of 16 bits",
    "TensorFlow Lite, reference kernels of HARD_SWISH",
    partial(hardswish_in_16_bits, _AWAY),
)
