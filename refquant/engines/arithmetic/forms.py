r"""Forms: how the rules of single engines follow from axes, each engine in its own way.

A form is a function of axes and of the arguments of a rule. At the place of a rule on the axes it
gives the same bits as the rule itself; `refquant.engines.arithmetic.change` computes it at other
places. The forms of `refquant.engines.arithmetic.compose` are those that need no engine.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from refquant.engines.arithmetic import ncnn, openvino, reals
from refquant.engines.arithmetic import other_runtimes as f
from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.code_forms import CODE_FORMS
from refquant.engines.arithmetic.compose import (
    AVERAGE,
    DEQUANTIZE,
    FINISH,
    MULTIPLIER,
    MULTIPLIER_OF_SINGLE_PRODUCT,
    QUANTIZE,
    REQUANTIZE,
    Form,
    dequantize_of_axes,
    finish,
    formula_of_average,
    formula_of_finish,
    numbers,
    quantize_of_axes,
    requantize_of_axes,
)
from refquant.engines.arithmetic.placed import Placed
from refquant.engines.arithmetic.wide import requantize_wide
from refquant.engines.rules import average as w
from refquant.engines.rules import elementwise as e
from refquant.engines.rules import mean as r
from refquant.engines.rules import quantize as q
from refquant.engines.rules import requantize as p
from refquant.engines.rules.float32 import (
    fma,
    inverted_twice,
    reciprocal,
    step_scale,
    wrap_int32,
)
from refquant.engines.rules.pipeline import AT_ONCE
from refquant.engines.rules.rounding import round_shift

__all__ = ["MULTIPLY", "place"]


# -- quantization ----------------------------------------------------------------------------


def _quantize_by_double(axes, x, scale, zero_point, quant_min, quant_max):
    """Quantize by a reciprocal that is formed in float64 and rounded to float32."""
    if axes.precision != "float32" or axes.formed_by != "product":
        return quantize_of_axes(axes, x, scale, zero_point, quant_min, quant_max)
    inverse = (1 / np.asarray(scale, np.float64)).astype(np.float32)
    return requantize_of_axes(axes, x, inverse, zero_point, quant_min, quant_max)


def _dequantize_fused(axes, codes, scale, zero_point):
    """Turn integers into real numbers by one fused multiply-add, if in float32."""
    if axes.precision != "float32":
        return dequantize_of_axes(axes, codes, scale, zero_point)
    return q.SUBTRACT_FUSED(codes, scale, zero_point)


# -- sums and products -----------------------------------------------------------------------


def _add_in_fixed_point(
    axes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point=0, lower=None, upper=None
):
    """Add with multipliers of 22 bits, as QNNPACK does; ratios of scales by the axes."""
    n_a, n_b = (np.asarray(v, np.int64) - z for v, z in ((a, a_zero), (b, b_zero)))
    A, B = (np.float64(_ratio(axes, s, scale)) for s in (a_scale, b_scale))
    shift = 22 - int(np.frexp(max(A, B))[1])
    m_a, m_b = (int(np.rint(v * 2.0**shift)) for v in (A, B))
    n = wrap_int32(m_a * n_a + m_b * n_b)
    added = axes.zero_point != "after"
    if added:
        n = n + (np.int64(zero_point) << shift)
    steps = round_shift(n, shift, axes.rounding) + (0 if added else zero_point)
    return np.clip(steps, lower, upper)


def _ratio(axes, scale, output_scale):
    s, y = (numbers(v, axes.precision) for v in (scale, output_scale))
    ratio = s * (1 / y) if axes.formed_by == "product" else s / y
    return ratio.floats() if axes.precision == "exact" else ratio


def _add_folded(axes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper):
    """Add with all zero points in one constant, as ONNX Runtime does."""
    z = np.int64(zero_point if axes.zero_point != "after" else 0)
    if axes.precision == "exact":
        ratio_a, ratio_b = (
            numbers(s, "exact") / numbers(scale, "exact") for s in (a_scale, b_scale)
        )
        t = ratio_a * (a.astype(np.int64) - a_zero) + ratio_b * (b.astype(np.int64) - b_zero) + z
        return finish(axes, t, zero_point, lower, upper)
    number = np.dtype(axes.precision).type
    ratio_a, ratio_b = (number(_ratio(axes, s, scale)) for s in (a_scale, b_scale))
    zeros = number(a_zero), number(b_zero)
    q_a, q_b = a.astype(number), b.astype(number)
    fused = fma if number is np.float32 else lambda x, y, c: x * y + c
    t = fused(
        q_a, ratio_a, fused(q_b, ratio_b, number(z) - fused(ratio_a, zeros[0], ratio_b * zeros[1]))
    )
    return finish(axes, t, zero_point, lower, upper)


def _add_to_number(axes, a, a_scale, a_zero, b, b_scale, b_zero, *output):
    """Add with the operands exchanged, as ONNX Runtime adds to a single number."""
    return _add_folded(axes, b, b_scale, b_zero, a, a_scale, a_zero, *output)


# -- products at once ------------------------------------------------------------------------


def _at_once(
    own, axes, acc, bias, input_scale, weight_scale, post, scale, zero_point, lower, upper
):
    """Quantize the real result of a product, as oneDNN does it in float32."""
    v = own.real(acc, bias, input_scale, weight_scale, post)
    o = inverted_twice(scale)
    z = np.float32(zero_point)
    if axes.formed_by != "product":
        t = v / o if axes.zero_point == "after" else v / o + z
    elif axes.zero_point == "fused":
        t = fma(v, np.float32(1) / o, z)
    else:
        t = v * (np.float32(1) / o)
        t = t if axes.zero_point == "after" else t + z
    return finish(axes, t, zero_point, lower, upper)


def _product_at_once(own: Any) -> tuple[Form, Arithmetic]:
    """Describe a rule by its function, a `Pipeline`."""
    quotient = {"product": "v * (1 / O)"}
    form = Form(
        (*FINISH, "formed_by"),
        partial(_at_once, own),
        lambda a: formula_of_finish(a, quotient.get(a.formed_by, "v / O")) + ", v in real units",
    )
    return form, _DIVIDED if own.divides else _BEFORE.change(clamp="before")


# -- averages --------------------------------------------------------------------------------


def _average(factor, axes, total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    """Average by an engine's own factor, which is replaced where precision or quotient are."""
    count = math.prod(sizes)
    total = np.asarray(total, np.int64)
    plain = (axes.precision, axes.formed_by) != (factor.precision, factor.formed_by)
    inside = factor.inside and axes.zero_point == "before"
    n = total if inside else total - count * zero_point
    bounds = (quant_min, quant_max)
    if inside and factor.keeps_border:  # the border counts as the zero point
        n = n + (np.asarray(divisor, np.int64) - count) * zero_point
    if plain or factor.number is None:
        scaled = numbers(n, axes.precision)
        by = numbers(divisor, axes.precision)
        t = scaled * (1 / by) if axes.formed_by == "product" else scaled / by
    else:
        number = factor.number(divisor, sizes, scale)
        if factor.bits:
            return _shifted(axes, n, number, zero_point, bounds)
        scaled = n.astype(np.float32)
        if axes.zero_point == "fused":
            t = fma(scaled, number, np.float32(zero_point))
            return finish(axes, t, zero_point, *bounds)
        t = scaled / number if factor.divides else scaled * number
    if axes.zero_point != "after" and not inside:
        t = t + (
            np.asarray(zero_point).astype(t.dtype) if isinstance(t, np.ndarray) else zero_point
        )
    return finish(axes, t, zero_point, *bounds)


def _shifted(axes, n, number, zero_point, bounds):
    """Scale integers by the 24 bits of a float32."""
    bits = np.asarray(number, np.float32).view(np.int32).astype(np.int64)
    multiplier, shift = (bits & 0x7FFFFF) | 0x800000, 150 - (bits >> 23)
    product, added = n * multiplier, axes.zero_point != "after"
    if added:
        product = product + (np.int64(zero_point) << shift)
    rounded = round_shift(product, shift, axes.rounding)
    return np.clip(rounded + (0 if added else zero_point), *bounds)


@dataclass(frozen=True)
class _Factor:
    """What an engine multiplies a sum with to get an average, at its own place on the axes."""

    number: Callable[..., Any] | None  # (divisor, sizes, scale)
    precision: str = "float32"
    formed_by: str = "product"
    inside: bool = False  # the zero point stays in the sum
    divides: bool = False
    bits: bool = False
    keeps_border: bool = False


def _thrice(divisor, sizes, scale):
    return reciprocal(reciprocal(reciprocal(divisor)))


def _twice(divisor, sizes, scale):
    return reciprocal(reciprocal(divisor))


def _by_sides(divisor, sizes, scale):
    return w.share_of(sizes)


def _by_step(divisor, sizes, scale):
    return step_scale(divisor, scale)


def _averaging(factor: _Factor) -> Form:
    axes = ("rounding", "zero_point", *(() if factor.bits else ("precision", "formed_by")))
    held = () if factor.bits else ("clamp", "overflow")
    return Form((*axes, *held), partial(_average, factor), formula_of_average)


# -- places ----------------------------------------------------------------------------------

QUANTIZE_BY_DOUBLE = Form(QUANTIZE.axes, _quantize_by_double, QUANTIZE.formula)
DEQUANTIZE_FUSED = Form(DEQUANTIZE.axes, _dequantize_fused, DEQUANTIZE.formula)
MULTIPLY = Form(
    (*FINISH, "precision", "multiplier", "formed_by", "scaling", "width"),
    f.multiply_of_axes,
    lambda a: REQUANTIZE.formula(a) + ", m = " + MULTIPLIER.formula(a),
)
ADD_IN_FIXED_POINT = Form(
    ("rounding", "zero_point", "precision", "formed_by"),
    _add_in_fixed_point,
    lambda a: formula_of_finish(a, "m_a * (q_a - z_a) + m_b * (q_b - z_b), m of 22 bits"),
)
ADD_SHIFTED = Form(
    ("rounding", "zero_point", "precision", "scaling"),
    f.add_shifted,
    lambda a: formula_of_finish(a, f"fixed(x_a) + fixed(x_b), {a.scaling}"),
)
ADD_IN_20_BITS = Form(
    ("rounding",),
    f.add_in_20_bits,
    lambda a: f"{a.rounding}((m_a * (q_a - z_a) + m_b * (q_b - z_b)) / 2**shift), m of 21 bits",
)
SUBTRACT_SHIFTED = Form(
    ADD_SHIFTED.axes,
    f.subtract_shifted,
    lambda a: formula_of_finish(a, f"fixed(x_a) - fixed(x_b), {a.scaling}"),
)
SUBTRACT_IN_20_BITS = Form(
    ("rounding",),
    f.subtract_in_20_bits,
    lambda a: f"{a.rounding}((m_a * (q_a - z_a) - m_b * (q_b - z_b)) / 2**shift), m of 21 bits",
)
REQUANTIZE_WIDE = Form(
    ("rounding",),
    requantize_wide,
    lambda a: f"{a.rounding}(total * h * 2**(shift - 15)) + z, h of 15 bits",
)
ADD_FOLDED = Form(
    (*FINISH, "precision", "formed_by"),
    _add_folded,
    lambda a: formula_of_finish(a, "r_a * q_a + r_b * q_b + c"),
)
ADD_TO_NUMBER = Form(
    (*FINISH, "precision", "formed_by"),
    _add_to_number,
    lambda a: formula_of_finish(a, "r_b * q_b + r_a * q_a + c"),
)

_WITHOUT_ZERO_POINTS = ("rounding", "formed_by")
_OTHERS = (
    *(
        Form((*FINISH, "formed_by"), function, QUANTIZE.formula)
        for function in (reals.add_of_reals, reals.subtract_of_reals, reals.multiply_of_reals)
    ),
    Form(_WITHOUT_ZERO_POINTS, ncnn.quantize_by_halves, QUANTIZE.formula),
    Form(_WITHOUT_ZERO_POINTS, ncnn.quantize_exactly, QUANTIZE.formula),
    Form(
        ("rounding",),
        openvino.fake_quantize,
        lambda a: f"{a.rounding}(f32(f32(x * a) + b)), a and b from the ends of the range",
    ),
)
_SATURATED = Arithmetic(formed_by="product", overflow="saturated")
_BEFORE = _SATURATED.change(zero_point="before")
_FUSED = _SATURATED.change(zero_point="fused")
_CONVERT = _FUSED.change(overflow="indefinite")
_DIVIDED = _BEFORE.change(formed_by="division")
_FIXED = Arithmetic(rounding="half_away", overflow="saturated")
_PLACES: dict[Any, tuple[Form, Arithmetic]] = {
    q.ROUND_THEN_ADD: (QUANTIZE, _SATURATED),
    q.ADD_THEN_ROUND: (QUANTIZE, _BEFORE),
    q.FUSED: (QUANTIZE, _FUSED),
    q.FUSED_CLAMP_THEN_ROUND: (QUANTIZE, _FUSED.change(clamp="before")),
    q.DIVIDE_THEN_ROUND: (QUANTIZE, _DIVIDED),
    q.DIVIDE_THEN_ROUND_WIDE: (QUANTIZE, _DIVIDED),
    q.FUSED_CONVERT: (QUANTIZE, _CONVERT),
    q.ROUND_THEN_ADD_DOUBLE: (QUANTIZE_BY_DOUBLE, _SATURATED),
    q.FUSED_CONVERT_DOUBLE: (QUANTIZE_BY_DOUBLE, _CONVERT),
    q.SUBTRACT: (DEQUANTIZE, Arithmetic()),
    q.SUBTRACT_FUSED: (DEQUANTIZE_FUSED, Arithmetic()),
    q.SUBTRACT_DOUBLE: (DEQUANTIZE, Arithmetic()),
    e.CONVERT_THEN_ADD: (REQUANTIZE, Arithmetic(formed_by="product")),
    e.WIDEN_THEN_ADD: (REQUANTIZE, Arithmetic(formed_by="product")),
    e.SUM_IN_FIXED_POINT: (ADD_IN_FIXED_POINT, _FIXED),
    f.ADD_FOLDED: (ADD_FOLDED, _DIVIDED.change(clamp="before")),
    f.ADD_TO_NUMBER: (ADD_TO_NUMBER, _DIVIDED.change(clamp="before")),
    f.MULTIPLY_BY_RATIO: (MULTIPLY, _DIVIDED.change(clamp="before")),
    f.AVERAGE_OF_CODES: (
        _averaging(_Factor(None, "exact", "division", inside=True, keeps_border=True)),
        _FIXED.change(zero_point="before", precision="exact"),
    ),
    p.QUOTIENT: (MULTIPLIER, Arithmetic()),
    p.TIMES_RECIPROCAL: (MULTIPLIER, Arithmetic(formed_by="product")),
    p.FLOAT_PRODUCT: (REQUANTIZE, Arithmetic()),
    p.DOUBLE_PRODUCT: (REQUANTIZE, Arithmetic(precision="float64")),
    p.FIXED_POINT: (REQUANTIZE, Arithmetic(rounding="half_away", scaling="q31_double")),
    r.MEAN_OF_INTEGERS: (_averaging(_Factor(None, formed_by="division", inside=True)), _DIVIDED),
    w.AVERAGE_ADD_THEN_ROUND: (AVERAGE, _BEFORE),
    w.AVERAGE_ROUND_THEN_ADD: (AVERAGE, _SATURATED),
    w.AVERAGE_FUSED: (_averaging(_Factor(_thrice)), _FUSED),
    w.AVERAGE_DIVIDE_THEN_ROUND: (
        _averaging(_Factor(_twice, formed_by="division", divides=True)),
        _DIVIDED,
    ),
    w.AVERAGE_OF_INTEGERS: (_averaging(_Factor(_by_sides, inside=True)), _BEFORE),
    w.AVERAGE_OF_STEPS: (_averaging(_Factor(_by_step)), _SATURATED),
    w.AVERAGE_IN_FIXED_POINT: (_averaging(_Factor(_by_step, bits=True)), _FIXED),
    **{rule: _product_at_once(rule.function) for rule in AT_ONCE},
}
# Rules that are made of axes already carry their place.
_BY_FUNCTION = {
    form.function: form
    for form in (
        QUANTIZE, DEQUANTIZE, REQUANTIZE, MULTIPLIER, MULTIPLY, ADD_SHIFTED, AVERAGE,
        ADD_IN_20_BITS, SUBTRACT_SHIFTED, SUBTRACT_IN_20_BITS, *_OTHERS, *CODE_FORMS,
        REQUANTIZE_WIDE, MULTIPLIER_OF_SINGLE_PRODUCT,
    )
}  # fmt: skip


def place(rule: Any) -> tuple[Form, Arithmetic] | None:
    """Find the form of a rule and its place on the axes; None for a rule that has none."""
    known = _PLACES.get(rule)
    if known is not None:
        return known
    function = getattr(rule, "function", None)
    if isinstance(function, Placed):
        return function.form, function.axes
    if not isinstance(function, partial) or function.func not in _BY_FUNCTION:
        return None
    form, (axes, *others) = _BY_FUNCTION[function.func], function.args
    return _bound(form, others, rule.formula), axes


def _bound(form: Form, others: list[Any], formula: str) -> Form:
    """Bind what besides axes a function is made of; its rule knows what number is rounded."""
    if form not in CODE_FORMS:
        return form
    return replace(
        form,
        function=partial(_with, form.function, tuple(others)),
        formula=lambda axes: f"{form.formula(axes)}, t that number of: {formula}",
    )


def _with(function, others, axes, *operands):
    return function(axes, *others, *operands)
