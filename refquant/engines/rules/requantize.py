r"""Rules that turn the exact sum of a matrix product into its result: bias, multiplier, rounding.

A linear layer or a convolution sums products of integers exactly. What follows differs from engine
to engine. Notation: :math:`X, W, O` are the scales of input, weight and output in float32,
:math:`aw = XW` rounded to float32, `acc` the sum :math:`\sum_k (x_k - z_x)(w_k - z_w)`.

========================= ======================================================================
rule                      called with, returns
========================= ======================================================================
bias                      ``(acc, bias, input_scale, weight_scale)``; the sum with the bias, in
                          units of :math:`aw`: int64 or float32
multiplier                ``(input_scale, weight_scale, output_scale)``; float32
requantize_sum            ``(total, multiplier, zero_point, quant_min, quant_max)``; int64
dynamic_output            ``(acc, bias, input_scale, weight_scale)``; real values, float32
dynamic_relu              ``(y)``; these values, 0 where they are negative
========================= ======================================================================

Scales are float64 as the tensors hold them, `bias` is float32; arrays of one value an output
channel broadcast against the last axis of `acc`.
"""

from functools import partial
from typing import Any

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import (
    INT32_MAX,
    INT32_MIN,
    convert_to_int32,
    fma,
    reciprocal,
    single,
    wrap_int32,
)
from refquant.engines.rules.quantize import ADD_THEN_ROUND, DIVIDE_THEN_ROUND_WIDE

# -- bias ------------------------------------------------------------------------------------


def _no_bias(acc, bias, input_scale, weight_scale):
    return acc


def _bias_fused(acc, bias, input_scale, weight_scale):
    aw = single(input_scale) * single(weight_scale)
    return fma(bias, reciprocal(aw), acc.astype(np.float32))


def _bias_divided(acc, bias, input_scale, weight_scale):
    aw = single(input_scale) * single(weight_scale)
    return acc.astype(np.float32) + bias / aw


def _product_of_scales(input_scale, weight_scale):
    return np.asarray(input_scale, np.float64) * np.asarray(weight_scale, np.float64)


def _bias_rounded(acc, bias, input_scale, weight_scale):
    scale = _product_of_scales(input_scale, weight_scale)
    integer = ADD_THEN_ROUND(bias, scale, 0, INT32_MIN, INT32_MAX)
    return wrap_int32(acc.astype(np.int64) + integer)


def _bias_rounded_quotient(acc, bias, input_scale, weight_scale):
    scale = _product_of_scales(input_scale, weight_scale)
    integer = DIVIDE_THEN_ROUND_WIDE(bias, scale, 0, INT32_MIN, INT32_MAX)
    return wrap_int32(acc.astype(np.int64) + integer)


NO_BIAS = Rule(
    "no_bias", "acc", "FBGEMM and QNNPACK, PyTorch 1.4 and 2.13, layers without bias", _no_bias
)
BIAS_FUSED = Rule(
    "bias_fused",
    "fma(b, f32(1 / aw), f32(acc))",
    "FBGEMM requantizeOutputProcessingAvx2, one scale for the weight, PyTorch 1.4 and 2.13",
    _bias_fused,
)
BIAS_DIVIDED = Rule(
    "bias_divided",
    "f32(f32(acc) + f32(b / aw))",
    "FBGEMM requantizeOutputProcessingAvx2, a scale for each channel, PyTorch 1.4 and 2.13",
    _bias_divided,
)
BIAS_ROUNDED = Rule(
    "bias_rounded",
    "acc + clip_int32(rne(f32(b * f32(1 / f32(sx * sw))))), the product of scales in float64",
    "QNNPACK, PyTorch 2.13: the bias is quantized to qint32",
    _bias_rounded,
)
BIAS_ROUNDED_QUOTIENT = Rule(
    "bias_rounded_quotient",
    "acc + clip_int32(rne(f32(b / f32(sx * sw)))), the product of scales in float64",
    "QNNPACK, PyTorch 1.4: the bias is quantized to qint32",
    _bias_rounded_quotient,
)

# -- multiplier ------------------------------------------------------------------------------


def _quotient(input_scale, weight_scale, output_scale):
    return single(input_scale) * single(weight_scale) / single(output_scale)


def _times_reciprocal(input_scale, weight_scale, output_scale):
    return single(input_scale) * single(weight_scale) * reciprocal(output_scale)


QUOTIENT = Rule(
    "quotient", "f32(aw / O)", "FBGEMM, PyTorch 1.4 and 2.13; QNNPACK, PyTorch 1.4", _quotient
)
TIMES_RECIPROCAL = Rule(
    "times_reciprocal", "f32(aw * f32(1 / O))", "QNNPACK, PyTorch 2.13", _times_reciprocal
)

# -- requantize ------------------------------------------------------------------------------


def _float_product(total, multiplier, zero_point, quant_min, quant_max):
    product = np.asarray(total).astype(np.float32) * multiplier
    rounded = convert_to_int32(product)
    q = np.clip(rounded + zero_point, quant_min, quant_max)
    return np.where(rounded == INT32_MIN, quant_min, q)


def _double_product(total, multiplier, zero_point, quant_min, quant_max):
    product = np.asarray(total).astype(np.float64) * np.asarray(multiplier, np.float64)
    rounded = np.rint(product)
    held = (rounded >= INT32_MIN) & (rounded < 2.0**31)
    q = np.where(held, rounded, INT32_MIN).astype(np.int64) + zero_point
    return np.where(held, np.clip(q, quant_min, quant_max), quant_min)


def _fixed_point(total, multiplier, zero_point, quant_min, quant_max):
    total = np.asarray(total)
    n = total.astype(np.int64) if total.dtype.kind == "i" else convert_to_int32(total)
    bits = np.asarray(multiplier, np.float32).view(np.int32).astype(np.int64)
    mantissa = ((bits & 0x7FFFFF) | 0x800000) << 7
    shift = np.clip(126 - (bits >> 23), 0, 62)
    high = (n * mantissa + 2**30) >> 31
    mask = (np.int64(1) << shift) - 1
    remainder = (high & mask) - (high < 0)
    rounded = (high >> shift) + (remainder > (mask >> 1))
    return np.clip(rounded + zero_point, quant_min, quant_max)


def by_channels(vector, tail, block, total, *operands):
    """Requantize whole blocks of channels, which lie along the last axis, and then the rest."""
    channels = np.shape(total)[-1]
    in_blocks = np.arange(channels) < channels - channels % block
    return np.where(in_blocks, vector(total, *operands), tail(total, *operands))


def by_places(vector, tail, block, *operands):
    """Requantize whole blocks of the pixels of a channel; places are not known here, so all are."""
    return vector(*operands)


def split_by_channels(vector: Rule, tail: Rule, block: int, source: str) -> Rule:
    """Make a rule of two: for whole blocks of channels, and for the rest."""
    return Rule(
        f"{vector.name}_in_blocks_of_{block}",
        f"channels [0, {block} * (C // {block})): {vector.formula}; the rest: {tail.formula}",
        source,
        partial(by_channels, vector, tail, block),
    )


def split_by_places(vector: Rule, tail: Rule, block: int, source: str) -> Rule:
    """Make a rule of two: for whole blocks of the pixels of each channel, and for the rest."""
    return Rule(
        f"{vector.name}_in_blocks_of_{block}_pixels",
        f"pixels [0, {block} * (P // {block})): {vector.formula}; the rest: {tail.formula}",
        source,
        partial(by_places, vector, tail, block),
    )


def _parts(rule: Any, function: Any) -> tuple[Rule, Rule, int] | None:
    known = getattr(rule, "function", None)
    if isinstance(known, partial) and known.func is function:
        return known.args[:3]
    return None


def parts_by_channels(rule: Any) -> tuple[Rule, Rule, int] | None:
    """Return the two rules that a rule uses for channels, and its block; None if it is one rule."""
    return _parts(rule, by_channels)


def parts_by_places(rule: Any) -> tuple[Rule, Rule, int] | None:
    """Return the two rules that a rule uses for pixels, and its block; None if it is one rule."""
    return _parts(rule, by_places)


FLOAT_PRODUCT = Rule(
    "float_product",
    "clip(rne(f32(f32(total) * m)) + z); what int32 cannot hold gives quant_min, even if positive",
    "FBGEMM requantizeOutputProcessingAvx2; QNNPACK requantize/fp32, PyTorch 2.13",
    _float_product,
)
DOUBLE_PRODUCT = Rule(
    "double_product",
    "clip(rne(f64(total) * f64(m)) + z); what int32 cannot hold gives quant_min, even if positive",
    "QNNPACK, depthwise filters of 27 taps, PyTorch 2.13",
    _double_product,
)
FIXED_POINT = Rule(
    "fixed_point",
    "clip(shift(high(total * mantissa(m))) + z): a product with 31 fractional bits, ties up, then "
    "a right shift, ties away from zero; m must be at least 2**-32 and less than 1",
    "QNNPACK requantize/q31, PyTorch 1.4 (after gemmlowp)",
    _fixed_point,
)

# -- dynamic output --------------------------------------------------------------------------


def _output_fused(acc, bias, input_scale, weight_scale):
    aw = single(input_scale) * single(weight_scale)
    return fma(acc.astype(np.float32), aw, bias)


def _output_rounded_twice(acc, bias, input_scale, weight_scale):
    aw = single(input_scale) * single(weight_scale)
    return acc.astype(np.float32) * aw + bias


OUTPUT_FUSED = Rule(
    "output_fused",
    "fma(f32(acc), aw, b)",
    "FBGEMM ReQuantizeForFloat, PyTorch 1.4 and 2.13",
    _output_fused,
)
OUTPUT_ROUNDED_TWICE = Rule(
    "output_rounded_twice",
    "f32(f32(f32(acc) * aw) + b)",
    "QNNPACK dynamic linear, PyTorch 2.13",
    _output_rounded_twice,
)


def _relu_of_negative(y):
    return np.where(y < 0, np.float32(0), y)


RELU_OF_NEGATIVE = Rule(
    "relu_of_negative",
    "y < 0 ? 0 : y; NaN stays",
    "FBGEMM and QNNPACK, PyTorch 1.4 and 2.13",
    _relu_of_negative,
)
