r"""Rules of averages over windows of a quantized image, or over dimensions of any tensor.

A rule is called with ``(total, sizes, divisor, scale, zero_point, quant_min, quant_max)``: `total`
int64 is the sum of the integers of the window inside the image, `sizes` its depth (1 in an image of
two dimensions), height and width there, `divisor` what the window counts as. It returns int64. An
average of n integers that are no image is that of a window of depth 1, height n and width 1. The
result has the parameters of the input, so that only the steps
:math:`a = \sum q - z \cdot depth \cdot height \cdot width` matter;
:math:`m = f32(1 / f32(divisor))`.
"""

import math

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import clip, fma, reciprocal, round_half_even, step_scale


def _steps(total, sizes, zero_point) -> np.ndarray:
    return (total - math.prod(sizes) * zero_point).astype(np.float32)


def share_of(sizes) -> np.ndarray:
    """Divide 1 by the extents of a window, one after the other."""
    share = reciprocal(sizes[0])
    for side in sizes[1:]:
        share = share / np.float32(side)
    return share


def _average_add_then_round(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    t = _steps(total, sizes, zero_point) * reciprocal(divisor) + np.float32(zero_point)
    return clip(round_half_even(t), quant_min, quant_max)


def _average_round_then_add(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    rounded = round_half_even(_steps(total, sizes, zero_point) * reciprocal(divisor))
    return clip(rounded.astype(np.float64) + zero_point, quant_min, quant_max)


def _average_fused(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    inverse = reciprocal(reciprocal(reciprocal(divisor)))
    t = fma(_steps(total, sizes, zero_point), inverse, np.float32(zero_point))
    return clip(round_half_even(t), quant_min, quant_max)


def _average_divide_then_round(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    quotient = _steps(total, sizes, zero_point) / reciprocal(reciprocal(divisor))
    return clip(round_half_even(quotient + np.float32(zero_point)), quant_min, quant_max)


def _average_of_integers(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    t = total.astype(np.float32) * share_of(sizes)
    return clip(round_half_even(t), quant_min, quant_max)


def _average_of_steps(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    rounded = round_half_even(_steps(total, sizes, zero_point) * step_scale(divisor, scale))
    return clip(rounded.astype(np.float64) + zero_point, quant_min, quant_max)


def _average_in_fixed_point(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    bits = np.asarray(step_scale(divisor, scale)).view(np.int32).astype(np.int64)
    multiplier, shift = (bits & 0x7FFFFF) | 0x800000, np.minimum(150 - (bits >> 23), 62)
    steps = total - math.prod(sizes) * zero_point
    half = np.int64(1) << (shift - 1)
    rounded = (steps * multiplier - (steps < 0) + half) >> shift
    return np.clip(rounded + zero_point, quant_min, quant_max)


AVERAGE_ADD_THEN_ROUND = Rule(
    "average_add_then_round",
    "clip(rne(f32(f32(z) + f32(f32(a) * m))))",
    "ATen avg_pool2d on row-major images, PyTorch 1.4 and 2.13",
    _average_add_then_round,
)
AVERAGE_ROUND_THEN_ADD = Rule(
    "average_round_then_add",
    "clip(rne(f32(f32(a) * m)) + z)",
    "ATen avg_pool2d on channels-last images, PyTorch 2.13 (vector body)",
    _average_round_then_add,
)
AVERAGE_FUSED = Rule(
    "average_fused",
    "clip(rne(fma(f32(a), f32(1 / f32(1 / m)), f32(z))))",
    "ATen pooling on channels-last images, PyTorch 1.4 and 2.13 (vector body)",
    _average_fused,
)
AVERAGE_DIVIDE_THEN_ROUND = Rule(
    "average_divide_then_round",
    "clip(rne(f32(f32(z) + f32(f32(a) / f32(1 / m)))))",
    "ATen pooling on channels-last images, PyTorch 1.4 (scalar code)",
    _average_divide_then_round,
)
AVERAGE_OF_INTEGERS = Rule(
    "average_of_integers",
    "clip(rne(f32(f32(sum q) * f32(f32(f32(1 / depth) / height) / width)))), the zero point not "
    "taken away",
    "ATen adaptive average pooling of row-major images, PyTorch 1.4 and 2.13",
    _average_of_integers,
)
AVERAGE_OF_STEPS = Rule(
    "average_of_steps",
    "clip(rne(f32(f32(a) * f32(S / f32(S * f32(divisor))))) + z)",
    "QNNPACK average pooling and means over images, PyTorch 2.13",
    _average_of_steps,
)
AVERAGE_IN_FIXED_POINT = Rule(
    "average_in_fixed_point",
    "clip((a * m >> shift, ties away from zero) + z), m the 24 bits of f32(S / f32(S * divisor))",
    "QNNPACK average pooling and means over images, PyTorch 1.4",
    _average_in_fixed_point,
)
