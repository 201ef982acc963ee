r"""Rules composed from the axes of an `refquant.engines.arithmetic.axes.Arithmetic`.

Each function here answers one step for every combination of axes; `record` binds them to one
combination and gives the rules names and formulas. They are definitions alone: an engine made of
them runs without kernels.
"""

from functools import partial
from typing import Any

import numpy as np

from refquant.engines.builtin.records import HAS_NO_BIAS
from refquant.engines.record import Engine
from refquant.engines.rule import Rule, Split, choose
from refquant.engines.rules import accumulate, elementwise
from refquant.engines.rules import requantize as requantization
from refquant.engines.rules.float32 import INT32_MAX, INT32_MIN, fma, wrap_int32
from refquant.engines.rules.rounding import as_fractions, round_number, round_shift

FAR = 2.0**1000
_SOURCE = "composed from axes"
_DTYPES = {"float32": np.float32, "float64": np.float64}


def _numbers(values, precision: str) -> np.ndarray:
    """Take scales or sums in the precision of an axis."""
    if precision == "exact":
        return as_fractions(values)
    return np.asarray(values).astype(_DTYPES[precision])


# -- bias and multiplier ---------------------------------------------------------------------


def _bias_half_away(acc, bias, input_scale, weight_scale):
    real = np.nan_to_num(bias.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    steps = real / (np.float64(input_scale) * np.asarray(weight_scale))
    integer = np.clip(round_number(steps, "half_away"), INT32_MIN, INT32_MAX).astype(np.int64)
    return wrap_int32(acc + integer)


def _bias_exact(acc, bias, input_scale, weight_scale):
    # Fractions hold no infinities; numbers beyond all others go to the same ends, NaN to the lower.
    real = np.nan_to_num(np.asarray(bias, np.float64), nan=-FAR, posinf=FAR, neginf=-FAR)
    steps = as_fractions(real) / (as_fractions(input_scale) * as_fractions(weight_scale))
    return as_fractions(acc) + steps


_BIASES = {
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


def _multiplier(axes, input_scale, weight_scale, output_scale):
    x, w, y = (_numbers(s, axes.precision) for s in (input_scale, weight_scale, output_scale))
    return x * w / y if axes.formed_by == "division" else x * w * (1 / y)


# -- from a scaled number to an integer ------------------------------------------------------


def _finish(axes, t, zero_point, lower, upper):
    """Round a number of steps, add the zero point unless it is in, and clip."""
    added = axes.zero_point != "after"
    z = 0 if added else zero_point
    if axes.clamp == "before":
        t = np.minimum(np.maximum(t, lower - z), upper - z)
    rounded = round_number(t, axes.rounding)
    if rounded.dtype == object:
        return np.asarray(np.clip(rounded + z, lower, upper), dtype=np.int64)
    wide = rounded.astype(np.float64)
    if axes.overflow == "indefinite":
        held = (wide >= INT32_MIN) & (wide <= INT32_MAX)
        return np.where(held, np.clip(np.where(held, wide, 0) + z, lower, upper), lower).astype(
            np.int64
        )
    return np.clip(np.nan_to_num(wide, nan=lower - z) + z, lower, upper).astype(np.int64)


def _scaled(axes, total, factor, zero_point, divide=False):
    """Multiply (or divide) and add the zero point where it is added before rounding."""
    n = _numbers(total, axes.precision)
    if divide:
        t = n / factor
    elif axes.zero_point == "fused" and axes.precision == "float32":
        return fma(n, factor, np.float32(zero_point))
    else:
        t = n * factor
    return t if axes.zero_point == "after" else t + zero_point


def quantized_multiplier(multiplier) -> tuple[np.ndarray, np.ndarray]:
    r"""Write positive numbers as :math:`q \, 2^{shift - 31}` with q an integer in [2**30, 2**31).

    Examples
    --------
    >>> from refquant.engines.arithmetic.compose import quantized_multiplier
    >>> q, shift = quantized_multiplier(0.375)
    >>> int(q), int(shift)
    (1610612736, -1)
    """
    fraction, shift = np.frexp(np.asarray(multiplier, dtype=np.float64))
    q = round_number(fraction * 2.0**31, "half_away").astype(np.int64)
    full = q == 2**31
    return np.where(full, q >> 1, q), shift.astype(np.int64) + full


def in_fixed_point(axes, total, multiplier):
    """Scale integers by a positive number held as 31 bits and a shift, with one rounding or two."""
    q, shift = quantized_multiplier(multiplier)
    total = np.asarray(total)
    if total.dtype.kind == "f":
        total = np.nan_to_num(np.rint(total.astype(np.float64)), nan=INT32_MIN)
        total = np.clip(total, INT32_MIN, INT32_MAX)
    n = wrap_int32(total.astype(np.int64) << np.clip(shift, 0, 31))
    right = np.clip(-shift, 0, 31)
    if axes.scaling == "q31_single":
        return round_shift(n * q, 31 + right, axes.rounding)
    return round_shift(round_shift(n * q, 31, "half_up"), right, axes.rounding)


def _requantize(axes, total, multiplier, zero_point, lower, upper):
    if axes.scaling != "number":
        return np.clip(in_fixed_point(axes, total, multiplier) + zero_point, lower, upper)
    factor = _numbers(multiplier, axes.precision)
    return _finish(axes, _scaled(axes, total, factor, zero_point), zero_point, lower, upper)


def _quantize(axes, x, scale, zero_point, quant_min, quant_max):
    x = np.asarray(x)
    if axes.precision == "exact" and x.dtype.kind == "f" and not np.isfinite(x).all():
        # Infinities go to the ends of the range, as the largest numbers do; NaN to the lower one.
        held = _quantize(axes, np.nan_to_num(x), scale, zero_point, quant_min, quant_max)
        return np.where(np.isnan(x), quant_min, held)
    s = _numbers(scale, axes.precision)
    if axes.formed_by == "division":
        t = _scaled(axes, x, s, zero_point, divide=True)
    else:
        t = _scaled(axes, x, 1 / s, zero_point)
    return _finish(axes, t, zero_point, quant_min, quant_max)


def _dequantize(axes, q, scale, zero_point):
    return _numbers(scale, axes.precision) * _numbers(
        np.asarray(q, np.int64) - zero_point, axes.precision
    )


def _average(axes, total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    steps = np.asarray(total) - sizes[0] * sizes[1] * zero_point
    n = _numbers(divisor, axes.precision)
    if axes.formed_by == "division":
        t = _scaled(axes, steps, n, zero_point, divide=True)
    else:
        t = _scaled(axes, steps, 1 / n, zero_point)
    return _finish(axes, t, zero_point, quant_min, quant_max)


# -- records ---------------------------------------------------------------------------------

_PREFIX = {"float32": "f32", "float64": "f64", "exact": ""}


def _formula(axes, number: str) -> str:
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


def record(axes, name: str, base: Any = "fbgemm") -> Engine:
    """Make an engine of composed rules, for `Arithmetic.record`."""
    from refquant import engines

    start = base if isinstance(base, Engine) else engines.get(base)
    word = _PREFIX[axes.precision]
    rules = {}

    def rule(step, formula, function):
        rules[step] = Rule(f"{step}_of_axes", formula, _SOURCE, partial(function, axes))
        return rules[step]

    product = f"{word}(total) * m"
    if axes.scaling != "number":
        product = f"total * q * 2**(shift - 31), {axes.scaling}"
    quotient = "x / s" if axes.formed_by == "division" else f"x * {word}(1 / s)"
    average = "a / n" if axes.formed_by == "division" else f"a * {word}(1 / n)"
    multiplier = "s_x * s_w / s_y" if axes.formed_by == "division" else "s_x * s_w * (1 / s_y)"
    quantize = Split.uniform(rule("quantize", _formula(axes, quotient), _quantize))
    dequantize = rule("dequantize", f"{word}(s * (q - z))", _dequantize)
    requantize = rule("requantize", _formula(axes, product), _requantize)
    averages = Split.uniform(rule("average", _formula(axes, average), _average))
    bias = _BIASES[axes.bias]
    steps = {
        "accumulator": choose(ACCUMULATORS[axes.accumulator]),
        "border": choose(BORDERS[axes.border]),
        "bias": choose((HAS_NO_BIAS, requantization.NO_BIAS), bias),
        "multiplier": choose(rule("multiplier", f"{word}({multiplier})", _multiplier)),
        "requantize_sum": choose(requantize),
        "elementwise_dequantize": choose(Split.uniform(dequantize)),
        "elementwise_quantize": choose(quantize),
        "elementwise_requantize": choose(Split.uniform(requantize)),
        "cat_dequantize": choose(Split.uniform(dequantize)),
        "cat_quantize": choose(quantize),
        "quantize_per_tensor": choose(quantize),
        "quantize_per_channel": choose(quantize),
        "copy": choose(quantize),
        "add": choose(elementwise.SUM_OF_REALS),
        "multiply": choose(
            elementwise.PRODUCT_OF_INTEGERS
            if axes.precision == "float32" and axes.formed_by == "product"
            else elementwise.PRODUCT_OF_REALS
        ),
        "add_scalar": choose(elementwise.SHIFT_OF_REALS),
        "average_pool": choose(averages),
        "adaptive_average_pool": choose(averages),
        "mean": choose(averages.vector),
    }
    return start.derive(name, f"{start.title}, with rules composed from axes", steps=steps)


ACCUMULATORS = {
    "wrapped": accumulate.WRAPPED,
    "exact": accumulate.EXACT,
    "saturated_pairs": accumulate.SATURATED_PAIRS,
}
BORDERS = {
    "zero_point": accumulate.BORDER_OF_ZERO_POINT,
    "zero": accumulate.BORDER_OF_ZERO,
}
