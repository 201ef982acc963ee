"""OpenVINO on x86 processors, with uint8 activations."""

from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import quantize_of_axes, record
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


_FUSED = Arithmetic(zero_point="fused", formed_by="product", overflow="saturated")
QUANTIZE = Rule(
    "quantize_fused", "clip(rne(fma(x, f32(1 / s), z)))", _SOURCE, partial(quantize_of_axes, _FUSED)
)


def _dequantize(q, scale, zero_point):
    s = np.asarray(scale, np.float32)
    return fma(np.asarray(q, np.float32), s, -np.asarray(zero_point, np.float32) * s)


DEQUANTIZE = Rule("dequantize_fused", "fma(q, s, f32(-z * s))", _SOURCE, _dequantize)


def _requantize(q, x_scale, x_zero, scale, zero_point, lower, upper):
    real = np.float32(x_scale) * steps_of(q, x_zero).astype(np.float32)
    return QUANTIZE.function(real, scale, zero_point, lower, upper)


REQUANTIZE = Rule(
    "requantize_fused",
    "clip(rne(fma(f32(s_x * (q - z_x)), f32(1 / s), z)))",
    _SOURCE,
    _requantize,
)

ENGINES = (
    record(_FUSED, "openvino-u8").derive(
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
