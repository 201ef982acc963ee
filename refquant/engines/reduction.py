r"""Rules of averages over dimensions of a quantized tensor.

A rule is called with ``(total, count, scale, zero_point, quant_min, quant_max)``: `total` int64 is
the sum of `count` integers. It returns int64, or float32 real numbers that are quantized as by
quantize_per_tensor. The result has the parameters of the input. A form says how real numbers are
averaged instead, in an order of `refquant.engines.float_sums`.
"""

import numpy as np

from refquant.engines.arithmetic import round_half_even
from refquant.engines.rule import Form, Rule


def _clip(rounded, quant_min, quant_max):
    return np.clip(rounded, quant_min, quant_max).astype(np.int64)


def _mean_of_integers(total, count, scale, zero_point, quant_min, quant_max):
    return _clip(
        round_half_even(total.astype(np.float32) / np.float32(count)), quant_min, quant_max
    )


def _step_scale(count, scale):
    S = np.float32(scale)
    return S / (S * np.float32(count))


def _mean_of_steps(total, count, scale, zero_point, quant_min, quant_max):
    steps = (total - count * zero_point).astype(np.float32)
    rounded = round_half_even(steps * _step_scale(count, scale)).astype(np.float64)
    return _clip(rounded + zero_point, quant_min, quant_max)


def _mean_in_fixed_point(total, count, scale, zero_point, quant_min, quant_max):
    bits = int(_step_scale(count, scale).view(np.uint32))
    multiplier, shift = (bits & 0x7FFFFF) | 0x800000, 150 - (bits >> 23)
    steps = total - count * zero_point
    rounded = (steps * multiplier - (steps < 0) + (1 << (shift - 1))) >> shift
    return _clip(rounded + zero_point, quant_min, quant_max)


MEAN_OF_INTEGERS = Rule(
    "mean_of_integers",
    "clip(rne(f32(f32(sum q) / f32(n)))), the zero point not taken away before",
    "ATen qmean over trailing dimensions, PyTorch 2.13",
    _mean_of_integers,
)
MEAN_IN_ORDER = Form(
    "mean_in_order",
    "quantize_per_tensor(f32(sum dequantize(q) / f32(n))), float32 added in the order of memory",
    "ATen mean of the dequantized tensor, PyTorch 1.4, on x86 processors",
)
MEAN_IN_CASCADES = Form(
    "mean_in_cascades",
    "quantize_per_tensor(f32(sum dequantize(q) / f32(n))), float32 added in cascades",
    "ATen mean of the dequantized tensor, PyTorch 2.13, on x86 processors",
)
MEAN_OF_STEPS = Rule(
    "mean_of_steps",
    "clip(rne(f32(f32(sum (q - z)) * f32(S / f32(S * n)))) + z)",
    "QNNPACK global average pooling, PyTorch 2.13",
    _mean_of_steps,
)
MEAN_IN_FIXED_POINT = Rule(
    "mean_in_fixed_point",
    "clip((sum (q - z)) * m >> shift, ties away from zero, + z), m the 24-bit f32(S / f32(S * n))",
    "QNNPACK global average pooling, PyTorch 1.4",
    _mean_in_fixed_point,
)
