"""How ncnn quantizes on x86 processors: no zero points, integers from -127 to 127."""

from functools import partial
from typing import Any

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.rule import Rule, Split
from refquant.engines.rules.amd_reciprocal import approximate_reciprocal_of_amd
from refquant.engines.rules.float32 import approximate_reciprocal, fma, reciprocal, single
from refquant.engines.rules.requantize import split_by_channels, split_by_places
from refquant.engines.rules.rounding import round_number

__all__ = [
    "ARITHMETIC",
    "CONVOLUTION",
    "DEPTHWISE",
    "DEPTHWISE_UNFUSED",
    "IN_PACKS",
    "IN_PACKS_OF_AMD",
    "LINEAR",
    "PIXELS",
    "QUANTIZE",
    "REQUANTIZE",
    "product",
    "quantize_by_halves",
    "quantize_exactly",
    "requantize_by_halves",
    "requantize_exactly",
]

_SOURCE = "ncnn, src/layer/x86, measured with its release of October 2026"
INT8_MIN, LOWEST = -128, -127


def _by_adding_a_half(t):
    return np.trunc(t + np.copysign(np.float32(0.5), t))


def _half_away(t):
    wide = np.asarray(t, np.float64)
    return np.trunc(wide + np.copysign(0.5, wide))


def _to_codes(rounding, t, zero_point, lower, upper):
    """Round numbers in steps; what int32 cannot hold becomes the lowest integer."""
    least = LOWEST if lower == INT8_MIN else lower  # other dtypes are none of ncnn's
    wide = np.asarray(rounding(t), np.float64)
    held = np.abs(wide) < 2.0**31
    return np.where(
        held, np.clip(np.where(held, wide, 0) + zero_point, least, upper), least
    ).astype(np.int64)


def _own(rounding, axes):
    """Return the kernel's way to round half away, or that of an axis."""
    return rounding if axes.rounding == "half_away" else partial(_rounded, axes.rounding)


def _quantize(rounding, axes, x, scale, zero_point, quant_min, quant_max):
    real = np.asarray(x, np.float32)
    t = real * reciprocal(scale) if axes.formed_by == "product" else real / single(scale)
    return _to_codes(_own(rounding, axes), t, zero_point, quant_min, quant_max)


def _rounded(rounding, t):
    return round_number(t, rounding)


def quantize_by_halves(axes, *operands):
    """Quantize as vectors do: one half is added, and the fraction cut off."""
    return _quantize(_by_adding_a_half, axes, *operands)


def quantize_exactly(axes, *operands):
    """Quantize as single numbers are."""
    return _quantize(_half_away, axes, *operands)


def _requantize(rounding, axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    real = (np.asarray(q, np.int64) - x_zero).astype(np.float32) * np.float32(x_scale)
    own = _own(rounding, axes)
    return _to_codes(own, real * reciprocal(scale), zero_point, lower, upper)


def requantize_by_halves(axes, *operands):
    """Requantize as vectors do."""
    return _requantize(_by_adding_a_half, axes, *operands)


def requantize_exactly(axes, *operands):
    """Requantize as single numbers are."""
    return _requantize(_half_away, axes, *operands)


ARITHMETIC = Arithmetic(rounding="half_away", formed_by="product")
QUANTIZE = Split(
    Rule(
        "quantize_by_adding_a_half",
        "clip(trunc(f32(x * f32(1 / s)) + 0.5 * sign)), -127..127",
        _SOURCE,
        partial(quantize_by_halves, ARITHMETIC),
    ),
    Rule(
        "quantize_half_away_by_inverse",
        "clip(half_away(f32(x * f32(1 / s)))), -127..127",
        _SOURCE,
        partial(quantize_exactly, ARITHMETIC),
    ),
    4,
)
_REAL = "f32(f32(s_x * q) * f32(1 / s))"
REQUANTIZE = Split(
    Rule(
        "requantize_by_adding_a_half",
        f"clip(trunc({_REAL} + 0.5 * sign)), -127..127",
        _SOURCE,
        partial(requantize_by_halves, ARITHMETIC),
    ),
    Rule(
        "requantize_half_away",
        f"clip(half_away({_REAL})), -127..127",
        _SOURCE,
        partial(requantize_exactly, ARITHMETIC),
    ),
    4,
)


def _add_unfused(acc, factor, bias):
    return acc * factor + bias


def product(
    axes, inverse, add, rounding, acc, bias, input_scale, weight_scale, post, scale, zero_point,
    lower, upper,
):  # fmt: skip
    """Make sums real, add the bias, and quantize."""
    factor = inverse(reciprocal(input_scale) * reciprocal(weight_scale))
    real = add(np.asarray(acc).astype(np.float32), factor, np.asarray(bias, np.float32))
    real = np.maximum(real, np.float32(0)) if post.function == "relu" else real
    own = _own(rounding, axes)
    return _to_codes(own, real * reciprocal(scale), zero_point, lower, upper)


def _rule(name: str, inverse: Any, add: Any, rounding: Any, note: str = "") -> Rule:
    real = "fma(f32(acc), m, b)" if add is fma else "f32(f32(f32(acc) * m) + b)"
    steps = f"f32({real} * f32(1 / s_y))"
    rounded = f"half_away({steps})" if rounding is _half_away else f"trunc({steps} + 0.5 * sign)"
    word = "1 / " if inverse is reciprocal else "rcp"
    return Rule(
        name,
        f"clip({rounded}), -127..127, m = {word}(f32(1 / s_x) * f32(1 / s_w)){note}",
        _SOURCE,
        partial(product, ARITHMETIC, inverse, add, rounding),
    )


_ROW = _rule("unfused_by_adding_a_half", reciprocal, _add_unfused, _by_adding_a_half)
DEPTHWISE_UNFUSED = _rule("unfused_half_away", reciprocal, _add_unfused, _half_away)
PIXELS = _rule("fused_by_adding_a_half", reciprocal, fma, _by_adding_a_half)
DEPTHWISE = _rule("fused_half_away", reciprocal, fma, _half_away)
LINEAR = split_by_channels(_ROW, DEPTHWISE_UNFUSED, 4, _SOURCE)
CONVOLUTION = split_by_places(PIXELS, DEPTHWISE, 4, _SOURCE)
IN_PACKS = _rule(
    "unfused_by_approximate_inverse", approximate_reciprocal, _add_unfused, _by_adding_a_half,
    "; rcp: 12 bits, the instruction RCPPS of Intel's processors",
)  # fmt: skip
IN_PACKS_OF_AMD = _rule(
    "unfused_by_approximate_inverse_of_amd", approximate_reciprocal_of_amd, _add_unfused,
    _by_adding_a_half, "; rcp: 12 bits, the instruction RCPPS of AMD's processors",
)  # fmt: skip
