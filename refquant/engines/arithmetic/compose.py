r"""Rules composed from the axes of an `refquant.engines.arithmetic.axes.Arithmetic`.

Each function here answers one step for every combination of axes; a `Form` adds which axes it
depends on and its formula, and `record` binds all to one combination. They are definitions alone:
an engine made of them runs without kernels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from refquant.engines.arithmetic.multipliers import (
    Staged,
    multiplier_of_axes,
    multiplier_of_single_product,
    narrowed,
    numbers,
    quantized_multiplier,
)
from refquant.engines.builtin.fbgemm import FBGEMM
from refquant.engines.conditions import HAS_NO_BIAS
from refquant.engines.record import Engine
from refquant.engines.rule import Rule, Split, first_of
from refquant.engines.rules import accumulate, elementwise, functions
from refquant.engines.rules import requantize as requantization
from refquant.engines.rules.float32 import INT32_MAX, INT32_MIN, fma, wrap_int32
from refquant.engines.rules.pipeline import IN_STEPS
from refquant.engines.rules.ratios import Ratios, ratios
from refquant.engines.rules.rounding import round_number, round_shift

# The axes that say how a number of steps becomes an integer.
FINISH = ("rounding", "zero_point", "clamp", "overflow")
# A way to overflow besides those of the axis: what int32 cannot hold is marked as not held.
OWN, UNHELD = "own", np.iinfo(np.int64).min
FAR = 2.0**1000
_SOURCE = "composed from axes"


# -- bias ------------------------------------------------------------------------------------


def _bias_half_away(acc, bias, input_scale, weight_scale):
    real = np.nan_to_num(bias.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    steps = real / (np.float64(input_scale) * np.asarray(weight_scale))
    integer = np.clip(round_number(steps, "half_away"), INT32_MIN, INT32_MAX).astype(np.int64)
    return wrap_int32(acc + integer)


def _bias_exact(acc, bias, input_scale, weight_scale):
    # No ratio is infinite; numbers beyond all others go to the same ends, NaN to the lower one.
    real = np.nan_to_num(np.asarray(bias, np.float64), nan=-FAR, posinf=FAR, neginf=-FAR)
    return ratios(acc) + ratios(real) / (ratios(input_scale) * ratios(weight_scale))


BIASES: dict[str, Rule] = {
    "fused": requantization.BIAS_FUSED,
    "divided": requantization.BIAS_DIVIDED,
    "int32_product": requantization.BIAS_ROUNDED,
    "int32_division": requantization.BIAS_ROUNDED_QUOTIENT,
    "int32_half_away": Rule(
        "bias_half_away",
        "acc + clip_int32(round_half_away(b / (s_x * s_w))), in float64",
        "TensorFlow Lite, its converter",
        _bias_half_away,
    ),
    "exact": Rule("bias_exact", "acc + b / (s_x * s_w)", "mathematics", _bias_exact),
}


# -- from a scaled number to an integer ------------------------------------------------------


def finish(axes, t, zero_point, lower, upper):
    """Round a number of steps, add the zero point unless it is in, and clip."""
    z = np.int64(0) if axes.zero_point != "after" else np.asarray(zero_point, np.int64)
    if isinstance(t, Ratios):  # clipping before or after is the same
        return np.clip(t.round(axes.rounding) + z, lower, upper).astype(np.int64)
    if axes.clamp == "before":
        # The ends in the precision of t, as a backend has them.
        t = np.minimum(np.maximum(t, (lower - z).astype(t.dtype)), (upper - z).astype(t.dtype))
    wide = round_number(t, axes.rounding).astype(np.float64)
    if axes.overflow == OWN:
        held = np.abs(wide) + np.abs(z) < -INT32_MIN
        return np.where(held, np.clip(np.where(held, wide, 0) + z, lower, upper), UNHELD).astype(
            np.int64
        )
    if axes.overflow == "indefinite":
        held = (wide >= INT32_MIN) & (wide <= INT32_MAX)
        return np.where(held, np.clip(np.where(held, wide, 0) + z, lower, upper), lower).astype(
            np.int64
        )
    return np.clip(np.nan_to_num(wide, nan=lower - z) + z, lower, upper).astype(np.int64)


def _scaled(axes, total, factor, zero_point, divide=False):
    """Multiply (or divide) and add the zero point where it is added before rounding."""
    n = numbers(total, axes.precision)
    if divide:
        t = n / factor
    elif axes.zero_point == "fused" and axes.precision == "float32":
        return fma(n, factor, np.float32(zero_point))
    else:
        t = n * factor
    return t if axes.zero_point == "after" else t + _like(zero_point, t)


def _divided(axes, total, divisor, zero_point):
    """Divide as an axis says, by the divisor or through its reciprocal, and add as `_scaled`."""
    if axes.formed_by == "product":
        return _scaled(axes, total, 1 / divisor, zero_point)
    return _scaled(axes, total, divisor, zero_point, divide=True)


def _like(zero_point, t):
    """Take a zero point in the precision of the number that it is added to."""
    return ratios(zero_point) if isinstance(t, Ratios) else np.asarray(zero_point).astype(t.dtype)


def in_fixed_point(axes, total, multiplier):
    """Scale integers by a positive number held as 31 bits and a shift, with one rounding or two."""
    q, shift = quantized_multiplier(multiplier)
    if isinstance(total, Ratios):
        total = np.clip(total.round("half_even"), INT32_MIN, INT32_MAX)
    total = np.asarray(total)
    if total.dtype.kind == "f":
        total = np.nan_to_num(np.rint(total.astype(np.float64)), nan=INT32_MIN)
        total = np.clip(total, INT32_MIN, INT32_MAX)
    n = wrap_int32(total.astype(np.int64) << np.clip(shift, 0, 31))
    right = np.clip(-shift, 0, 31)
    if axes.scaling == "q31_single":
        return round_shift(n * q, 31 + right, axes.rounding)
    return round_shift(round_shift(n * q, 31, "half_up"), right, axes.rounding)


def requantize_of_axes(axes, total, multiplier, zero_point, lower, upper):
    """Scale integers and round them."""
    multiplier = narrowed(axes, multiplier)
    if axes.scaling != "number":
        return np.clip(in_fixed_point(axes, total, multiplier) + zero_point, lower, upper)
    if isinstance(multiplier, Staged):
        return _in_stages(axes, total, multiplier, zero_point, lower, upper)
    factor = numbers(multiplier, axes.precision)
    return finish(axes, _scaled(axes, total, factor, zero_point), zero_point, lower, upper)


def _in_stages(axes, total, multiplier, zero_point, lower, upper):
    """Make a sum real, and quantize that number."""
    factor, divisor = (numbers(v, axes.precision) for v in (multiplier.factor, multiplier.divisor))
    real = numbers(total, axes.precision) * factor
    t = _scaled(axes, real, divisor, zero_point, divide=True)
    return finish(axes, t, zero_point, lower, upper)


def quantize_of_axes(axes, x, scale, zero_point, quant_min, quant_max):
    """Turn real numbers into integers."""
    if axes.precision == "exact" and not isinstance(x, Ratios):
        floats = np.asarray(x, np.float64)  # also of an array of Fractions and infinities
        if not np.isfinite(floats).all():
            # Infinities go to the ends of the range, as the largest numbers do; NaN to the lower.
            x = np.where(np.isfinite(floats), x, np.nan_to_num(floats))
            held = quantize_of_axes(axes, x, scale, zero_point, quant_min, quant_max)
            unheld = UNHELD if axes.overflow == OWN else quant_min
            return np.where(np.isnan(floats), unheld, held)
    s = numbers(scale, axes.precision)
    return finish(axes, _divided(axes, x, s, zero_point), zero_point, quant_min, quant_max)


def dequantize_of_axes(axes, q, scale, zero_point):
    """Turn integers into real numbers."""
    return numbers(scale, axes.precision) * numbers(
        np.asarray(q, np.int64) - zero_point, axes.precision
    )


def average_of_axes(axes, total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    """Average a window of an image; arguments as in `refquant.engines.rules.average`."""
    steps = np.asarray(total) - math.prod(sizes) * zero_point
    n = numbers(divisor, axes.precision)
    return finish(axes, _divided(axes, steps, n, zero_point), zero_point, quant_min, quant_max)


# -- records ---------------------------------------------------------------------------------

_PREFIX = {"float16": "f16", "float32": "f32", "float64": "f64", "exact": ""}


def formula_of_finish(axes, number: str) -> str:
    """Write the last lines of a step for people."""
    word = _PREFIX[axes.precision]
    t = {
        "after": f"{word}({number})",
        "before": f"{word}({word}({number}) + z)",
        "fused": f"{word}({number} + z)",
    }[axes.zero_point]
    if axes.clamp == "before":
        t = f"clip({t})"
    end = " + z" if axes.zero_point == "after" else ""
    beyond = {"indefinite": "; beyond int32: lowest", "saturated": ""}[axes.overflow]
    return f"{axes.rounding}({t}){end}{', clipped' if axes.clamp == 'after' else ''}{beyond}"


def _quotient(axes) -> str:
    word = _PREFIX[axes.precision]
    return f"x * {word}(1 / s)" if axes.formed_by == "product" else "x / s"


def _product(axes) -> str:
    width = "" if axes.width == "full" else f", m: {axes.width}"
    if axes.scaling != "number":
        return f"total * q * 2**(shift - 31), {axes.scaling}{width}"
    word = _PREFIX[axes.precision]
    if axes.formed_by == "staged" and axes.width == "full":
        return f"{word}({word}(total) * {word}(s_x * s_w)) / s_y"
    return f"{word}(total) * m{width}"


def _multiplier(axes) -> str:
    factor = "s_x * s_w * (1 / s_y)" if axes.formed_by == "product" else "s_x * s_w / s_y"
    formed = {"same": "", "float16_scales": " of scales of float16"}
    how = formed.get(axes.multiplier, f" formed in {axes.multiplier}")
    return f"{_PREFIX[axes.precision]}({factor}){how}"


def formula_of_average(axes) -> str:
    """Write an average for people."""
    word = _PREFIX[axes.precision]
    average = f"a * {word}(1 / n)" if axes.formed_by == "product" else "a / n"
    return formula_of_finish(axes, average)


@dataclass(frozen=True)
class Form:
    """A rule as a function of axes.

    Attributes
    ----------
    axes : tuple of str
        The axes that it depends on.
    function : callable
        ``function(axes, *arguments)``, the arguments those of the rule.
    formula : callable
        ``formula(axes)`` writes it for people.
    """

    axes: tuple[str, ...]
    function: Callable[..., Any]
    formula: Callable[[Any], str]


QUANTIZE = Form(
    (*FINISH, "precision", "formed_by"),
    quantize_of_axes,
    lambda axes: formula_of_finish(axes, _quotient(axes)),
)
DEQUANTIZE = Form(
    ("precision",), dequantize_of_axes, lambda axes: f"{_PREFIX[axes.precision]}(s * (q - z))"
)
REQUANTIZE = Form(
    (*FINISH, "precision", "scaling", "width"),
    requantize_of_axes,
    lambda axes: formula_of_finish(axes, _product(axes)),
)
MULTIPLIER = Form(("precision", "multiplier", "formed_by"), multiplier_of_axes, _multiplier)
MULTIPLIER_OF_SINGLE_PRODUCT = Form(MULTIPLIER.axes, multiplier_of_single_product, _multiplier)
AVERAGE = Form(QUANTIZE.axes, average_of_axes, formula_of_average)


def record(axes, name: str, base: Engine = FBGEMM) -> Engine:
    """Make an engine of composed rules alone, whatever forms the rules of the base have."""

    def rule(step: str, form: Form) -> Rule:
        return Rule(f"{step}_of_axes", form.formula(axes), _SOURCE, partial(form.function, axes))

    quantize = Split.uniform(rule("quantize", QUANTIZE))
    dequantize = rule("dequantize", DEQUANTIZE)
    requantize = rule("requantize", REQUANTIZE)
    averages = Split.uniform(rule("average", AVERAGE))
    bias = BIASES[axes.bias]
    steps = {
        "accumulator": first_of(ACCUMULATORS[axes.accumulator]),
        "border": first_of(BORDERS[axes.border]),
        "product": first_of(IN_STEPS),
        "bias": first_of((HAS_NO_BIAS, requantization.NO_BIAS), bias),
        "multiplier": first_of(rule("multiplier", MULTIPLIER)),
        "requantize_sum": first_of(requantize),
        "elementwise_dequantize": first_of(Split.uniform(dequantize)),
        "sigmoid_dequantize": first_of(Split.uniform(dequantize)),
        "normalize_dequantize": first_of(Split.uniform(dequantize)),
        "normalize_quantize": first_of(quantize),
        "batch_norm_quantize": first_of(quantize),
        **{step: first_of(Split.uniform(rule)) for step, rule in FUNCTIONS.items()},
        "elementwise_quantize": first_of(quantize),
        "elementwise_requantize": first_of(Split.uniform(requantize)),
        "cat_dequantize": first_of(Split.uniform(dequantize)),
        "cat_quantize": first_of(quantize),
        "quantize_per_tensor": first_of(quantize),
        "quantize_per_channel": first_of(quantize),
        "copy": first_of(quantize),
        "add": first_of(elementwise.SUM_OF_REALS),
        "multiply": first_of(
            elementwise.PRODUCT_OF_INTEGERS
            if axes.precision == "float32" and axes.formed_by == "product"
            else elementwise.PRODUCT_OF_REALS
        ),
        "add_scalar": first_of(elementwise.SHIFT_OF_REALS),
        "average_pool": first_of(averages),
        "adaptive_average_pool": first_of(averages),
        "mean": first_of(averages.vector),
    }
    return base.derive(name, f"{base.title}, with rules composed from axes", steps=steps)


FUNCTIONS: dict[str, Rule] = {
    "sigmoid": functions.SIGMOID_IN_FLOAT64,
    "gate": functions.SIGMOID_IN_FLOAT64,
    "tanh": functions.TANH_ROUNDED_ONCE,
    "gelu": functions.GELU_IN_FLOAT64,
    "gelu_tanh": functions.GELU_TANH_IN_FLOAT64,
}
ACCUMULATORS: dict[str, Rule] = {
    "wrapped": accumulate.WRAPPED,
    "exact": accumulate.EXACT,
    "saturated_pairs": accumulate.SATURATED_PAIRS,
    "wrapped_int16": accumulate.WRAPPED_INT16,
    "offsets_in_int8": accumulate.OFFSETS_IN_INT8,
    "float32": accumulate.IN_FLOAT32,
    "float16": accumulate.IN_FLOAT16,
}
BORDERS: dict[str, Rule] = {
    "zero_point": accumulate.BORDER_OF_ZERO_POINT,
    "zero": accumulate.BORDER_OF_ZERO,
}
