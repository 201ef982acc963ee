"""How OpenVINO quantizes on x86 processors, with uint8 activations."""

from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.runtime_codes import steps_of
from refquant.engines.rule import IntegerBiasRule, Rule
from refquant.engines.rules.float32 import fma, reciprocal
from refquant.engines.rules.rounding import round_number

__all__ = [
    "ARITHMETIC",
    "DEQUANTIZE",
    "PRODUCT",
    "QUANTIZE",
    "REQUANTIZE",
    "fake_quantize",
    "requantize",
]

ARITHMETIC = Arithmetic(zero_point="fused", formed_by="product", overflow="saturated")
_SOURCE = "OpenVINO, measured with release 2026.4 on x86"


def _factor(scale, zero_point, lower, upper):
    """Return the low end of the range in real numbers, its width, and the steps of a unit."""
    low, high = (
        np.float32(scale) * np.float32(end - np.int64(zero_point)) for end in (lower, upper)
    )
    return low, high - low, np.float32(upper - lower) / (high - low)


def _bounds(lower, upper):
    """Find the ends of the dtype within which an activation bounds results."""
    return (-128, 127) if lower < 0 else (0, 255)


def _rounded(axes, t, least, lower, upper):
    rounded = round_number(t, axes.rounding).astype(np.float64) + least
    return np.clip(rounded, lower, upper).astype(np.int64)


def _real_bias(bias, factor):
    bias = np.asarray(bias)
    real = bias.astype(np.float32)
    return real * factor if bias.dtype.kind == "i" else real


def _factor_of_sums(input_scale, weight_scale):
    return np.float32(input_scale) * np.asarray(weight_scale, np.float32)


def product_then_fake_quantize(
    axes, acc, bias, input_scale, weight_scale, post, scale, zero_point, lower, upper
):
    """Make sums real, add the bias, and quantize from the ends of the range."""
    factor = _factor_of_sums(input_scale, weight_scale)
    t = np.asarray(acc).astype(np.float32) * factor + _real_bias(bias, factor)
    t = np.maximum(t, np.float32(0)) if post.function == "relu" else t
    least, most = _bounds(lower, upper)
    low, width, a = _factor(scale, zero_point, least, most)
    if low:
        steps = fma(t, a, -low * np.float32(most - least) / width)
    else:  # without an offset the factor is held as a scale that divides
        steps = t * reciprocal(reciprocal(a))
    return _rounded(axes, steps, least, lower, upper)


def product_within_ends(
    axes, acc, bias, input_scale, weight_scale, post, scale, zero_point, lower, upper
):
    """Quantize sums from the ends of the range, which the bias and the scales have moved."""
    factor = _factor_of_sums(input_scale, weight_scale)
    real = _real_bias(bias, factor)
    least, most = _bounds(lower, upper)
    steps = np.float32(most - least)
    low, high = (
        (np.float32(scale) * np.float32(end - np.int64(zero_point)) - real) / factor
        for end in (least, most)
    )
    t = fma(np.asarray(acc).astype(np.float32), steps / (high - low), -low * steps / (high - low))
    floor = zero_point if post.function == "relu" else lower
    return np.maximum(_rounded(axes, t, least, lower, upper), floor)


def product_by_ratio(
    axes, acc, bias, input_scale, weight_scale, post, scale, zero_point, lower, upper
):
    """Multiply sums by the quotient of scales; there is no bias."""
    ratio = _factor_of_sums(input_scale, weight_scale) / np.float32(scale)
    t = np.asarray(acc).astype(np.float32) * ratio
    floor = zero_point if post.function == "relu" else lower
    return _rounded(axes, t + np.float32(zero_point), 0, max(lower, floor), upper)


def _rule(name: str, formula: str, function) -> Rule:
    return IntegerBiasRule(name, formula, _SOURCE, partial(function, ARITHMETIC))


_B = "B = bias, of integers f32(bias * f32(s_x * s_w))"
PRODUCT = _rule(
    "product_then_fake_quantize",
    "clip(rne(fma(t, a, b))), if l = 0 clip(rne(f32(t * f32(1 / f32(1 / a))))), "
    f"t = f32(f32(f32(acc) * f32(s_x * s_w)) + B), {_B}, a = 255 / (h - l), "
    "b = f32(f32(-l * 255) / (h - l)), l, h = f32(s * (0 - z, 255 - z))",
    product_then_fake_quantize,
)
WITHIN_ENDS = _rule(
    "product_within_ends",
    "clip(rne(fma(acc, a, b))), a = 255 / (h - l), b = f32(f32(-l * 255) / (h - l)), "
    f"l, h = f32((f32(s * (0 - z, 255 - z)) - B) / f32(s_x * s_w)), {_B}",
    product_within_ends,
)
BY_RATIO = _rule(
    "product_by_ratio",
    "clip(rne(f32(f32(acc * f32(f32(s_x * s_w) / s)) + z)))",
    product_by_ratio,
)


def fake_quantize(axes, x, scale, zero_point, quant_min, quant_max):
    """Quantize from the ends of the range in real numbers."""
    least, most = _bounds(quant_min, quant_max)
    low, _, factor = _factor(scale, zero_point, least, most)
    t = np.asarray(x, np.float32) * factor
    shifted = round_number(t + -low * factor, axes.rounding) + least
    steps = np.where(np.equal(zero_point, 0), round_number(t, axes.rounding), shifted)
    wide = np.nan_to_num(steps.astype(np.float64))
    return np.clip(wide, quant_min, quant_max).astype(np.int64)


QUANTIZE = Rule(
    "fake_quantize",
    "clip(rne(f32(f32(x * a) + b)) - 128), a = 255 / (h - l), b = f32(-l * a), "
    "l, h = f32(s * (-128 - z, 127 - z)); rne(f32(x * a)) if z = 0",
    _SOURCE,
    partial(fake_quantize, ARITHMETIC),
)


def _dequantize(q, scale, zero_point):
    s = np.asarray(scale, np.float32)
    return fma(np.asarray(q, np.float32), s, -np.asarray(zero_point, np.float32) * s)


DEQUANTIZE = Rule("dequantize_fused", "fma(q, s, f32(-z * s))", _SOURCE, _dequantize)


def requantize(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Scale integers from the ends of the range, in steps of the operand."""
    least, most = _bounds(lower, upper)
    low, high = (
        np.float32(scale) * np.float32(end - zero_point) / np.float32(x_scale)
        for end in (least, most)
    )
    factor = np.float32(most - least) / (high - low)
    steps = steps_of(q, x_zero).astype(np.float32)
    t = round_number(steps * factor + -low * factor, axes.rounding) + least
    return np.clip(t, lower, upper).astype(np.int64)


REQUANTIZE = Rule(
    "requantize_by_range",
    "clip(rne(f32(f32((q - z_x) * a) + f32(-l * a))) - 128), a = 255 / (h - l), the range in steps "
    "of the operand: l, h = f32(f32(s * (-128 - z, 127 - z)) / s_x)",
    _SOURCE,
    partial(requantize, ARITHMETIC),
)
