"""How OpenVINO quantizes on x86 processors, with uint8 activations."""

from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.runtime_codes import steps_of
from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import fma
from refquant.engines.rules.rounding import round_number

__all__ = ["ARITHMETIC", "DEQUANTIZE", "PRODUCT", "QUANTIZE", "REQUANTIZE", "fake_quantize"]

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


def _product(acc, bias, input_scale, weight_scale, post, scale, zero_point, lower, upper):
    factor = np.float32(input_scale) * np.asarray(weight_scale, np.float32)
    t = np.asarray(acc).astype(np.float32) * factor + np.asarray(bias, np.float32)
    t = np.maximum(t, np.float32(0)) if post.function == "relu" else t
    least, most = _bounds(lower, upper)
    low, width, factor = _factor(scale, zero_point, least, most)
    steps = np.rint(fma(t, factor, -low * np.float32(most - least) / width)) + least
    return np.clip(steps.astype(np.float64), lower, upper).astype(np.int64)


_ENDS = "a = 255 / (h - l), b = f32(f32(-l * 255) / (h - l)), l, h = f32(s * (0 - z, 255 - z))"
PRODUCT = Rule(
    "product_then_fake_quantize",
    f"clip(rne(fma(t, a, b))), t = f32(f32(f32(acc) * f32(s_x * s_w)) + bias), {_ENDS}",
    _SOURCE,
    _product,
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


def _requantize(q, x_scale, x_zero, scale, zero_point, lower, upper):
    least, most = _bounds(lower, upper)
    low, high = (
        np.float32(scale) * np.float32(end - zero_point) / np.float32(x_scale)
        for end in (least, most)
    )
    factor = np.float32(most - least) / (high - low)
    t = np.rint(steps_of(q, x_zero).astype(np.float32) * factor + -low * factor) + least
    return np.clip(t, lower, upper).astype(np.int64)


REQUANTIZE = Rule(
    "requantize_by_range",
    "clip(rne(f32(f32((q - z_x) * a) + f32(-l * a))) - 128), a = 255 / (h - l), the range in steps "
    "of the operand: l, h = f32(f32(s * (-128 - z, 127 - z)) / s_x)",
    _SOURCE,
    _requantize,
)
