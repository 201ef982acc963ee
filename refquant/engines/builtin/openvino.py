"""OpenVINO on x86 processors, with uint8 activations."""

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.runtime_codes import steps_of
from refquant.engines.rule import Rule, Split, first_of
from refquant.engines.rules.float32 import fma

_SOURCE = "OpenVINO, measured with release 2026.4 on x86"


def _product(acc, bias, input_scale, weight_scale, post, scale, zero_point, lower, upper):
    factor = np.float32(input_scale) * np.asarray(weight_scale, np.float32)
    t = np.asarray(acc).astype(np.float32) * factor + np.asarray(bias, np.float32)
    t = np.maximum(t, np.float32(0)) if post.function == "relu" else t
    steps = fma(t, np.float32(1) / np.float32(scale), np.float32(zero_point))
    return np.clip(np.rint(steps), lower, upper).astype(np.int64)


PRODUCT = Rule(
    "product_then_fused_zero_point",
    "clip(rne(fma(f32(f32(f32(acc) * f32(s_x * s_w)) + b), f32(1 / s_y), z)))",
    _SOURCE,
    _product,
)


def _quantize(x, scale, zero_point, lower, upper):
    inverse = np.float32(1) / np.asarray(scale, np.float32)
    steps = fma(np.asarray(x, np.float32), inverse, np.asarray(zero_point, np.float32))
    return np.clip(np.rint(np.nan_to_num(steps)), lower, upper).astype(np.int64)


QUANTIZE = Rule("quantize_fused", "clip(rne(fma(x, f32(1 / s), z)))", _SOURCE, _quantize)


def _dequantize(q, scale, zero_point):
    s = np.asarray(scale, np.float32)
    return fma(np.asarray(q, np.float32), s, -np.asarray(zero_point, np.float32) * s)


DEQUANTIZE = Rule("dequantize_fused", "fma(q, s, f32(-z * s))", _SOURCE, _dequantize)


def _requantize(q, x_scale, x_zero, scale, zero_point, lower, upper):
    real = np.float32(x_scale) * steps_of(q, x_zero).astype(np.float32)
    return _quantize(real, scale, zero_point, lower, upper)


REQUANTIZE = Rule(
    "requantize_fused",
    "clip(rne(fma(f32(s_x * (q - z_x)), f32(1 / s), z)))",
    _SOURCE,
    _requantize,
)

_ARITHMETIC = Arithmetic(zero_point="fused", overflow="saturated")

ENGINES = (
    record(_ARITHMETIC, "openvino-u8").derive(
        "openvino-u8",
        "OpenVINO on x86 processors: convolutions of uint8 by one weight scale",
        steps={
            "product": first_of(PRODUCT),
            "quantize_per_tensor": first_of(Split.uniform(QUANTIZE)),
            "dequantize_per_tensor": first_of(DEQUANTIZE),
            "requantize_codes": first_of(Split.uniform(REQUANTIZE)),
        },
    ),
)
