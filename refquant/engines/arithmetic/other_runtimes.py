r"""How runtimes other than PyTorch add, multiply and average, integers to integers."""

import math
from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import (
    finish,
    in_fixed_point,
    multiplier_of_axes,
    numbers,
    quantized_multiplier,
    requantize_of_axes,
)
from refquant.engines.rule import FusedRule, Rule
from refquant.engines.rules.elementwise import product_of_integers
from refquant.engines.rules.float32 import fma
from refquant.engines.rules.rounding import round_shift
from refquant.errors import QuantizerError

LEFT_SHIFT = 20


def _steps(q, zero_point) -> np.ndarray:
    return np.asarray(q, np.int64) - zero_point


def _shifted(
    sign, axes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper
):  # fmt: skip
    """Add or subtract operands with 20 more bits at twice the greater scale."""
    if axes.scaling == "q31_merged":
        return _merged(
            sign, axes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper
        )
    operands = ((_steps(a, a_zero), a_scale), (_steps(b, b_zero), b_scale))
    if axes.scaling == "number":
        y = numbers(scale, axes.precision)
        first, second = (
            numbers(n, axes.precision) * (numbers(s, axes.precision) / y) for n, s in operands
        )
        t = first + second if sign > 0 else first - second
        return finish(
            axes, t if axes.zero_point == "after" else t + zero_point, zero_point, lower, upper
        )
    own, y = [numbers(s, axes.precision) for _, s in operands], numbers(scale, axes.precision)
    twice = numbers(max(a_scale, b_scale), axes.precision) * 2
    first, second = (
        in_fixed_point(axes, n << LEFT_SHIFT, s / twice)
        for (n, _), s in zip(operands, own, strict=True)
    )
    result = in_fixed_point(axes, first + sign * second, twice / (y * 2**LEFT_SHIFT))
    return np.clip(result + zero_point, lower, upper)


def add_shifted(axes, *operands):
    """Add as TensorFlow Lite does: both operands with 20 more bits at twice the greater scale."""
    return _shifted(1, axes, *operands)


def subtract_shifted(axes, *operands):
    """Subtract as `add_shifted` adds."""
    return _shifted(-1, axes, *operands)


def multiply_of_axes(axes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper):
    """Multiply integers and requantize the product, which wraps in int32, by axes."""
    product = product_of_integers(a, a_zero, b, b_zero)
    multiplier = multiplier_of_axes(axes, a_scale, b_scale, scale)
    return requantize_of_axes(axes, product, multiplier, zero_point, lower, upper)


def _merged(
    sign, axes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper
):  # fmt: skip
    """Add or subtract as `_shifted`, the shift of an operand merged with its 20 more bits."""
    twice = 2 * max(a_scale, b_scale)
    parts = []
    for steps, s in ((_steps(a, a_zero), a_scale), (_steps(b, b_zero), b_scale)):
        q, shift = quantized_multiplier(s / twice)
        left = int(LEFT_SHIFT + shift)
        n = steps << left if left >= 0 else round_shift(steps, -left, axes.rounding)
        parts.append(round_shift(n * q, 31, "half_up"))
    total = parts[0] + sign * parts[1]
    result = in_fixed_point(axes, total, twice / (scale * 2**LEFT_SHIFT))
    return np.clip(result + zero_point, lower, upper)


def _in_common_steps(
    sign, axes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper
):  # fmt: skip
    """Add or subtract operands with multipliers of 20 bits and a common shift."""
    with np.errstate(over="ignore"):
        ratio_a, ratio_b = (np.float32(s) / np.float32(scale) for s in (a_scale, b_scale))
    if not all(2.0**-10 <= ratio < 2.0**8 for ratio in (ratio_a, ratio_b)):
        raise QuantizerError(
            argument="scale",
            expected="scales of the inputs between 2**-10 and 2**8 of that of the output, which "
            "XNNPACK demands",
            got=f"scales {a_scale:g} and {b_scale:g} for {scale:g}",
            hint="observe again, or choose another output scale",
        )
    shift = 21 - int(np.frexp(max(ratio_a, ratio_b))[1])
    m_a, m_b = (int(np.rint(np.float64(r) * 2.0**shift)) for r in (ratio_a, ratio_b))
    total = m_a * _steps(a, a_zero) + sign * m_b * _steps(b, b_zero)
    return np.clip(round_shift(total, shift, axes.rounding) + zero_point, lower, upper)


def add_in_20_bits(axes, *operands):
    """Add as XNNPACK does: multipliers of 20 bits, a common shift."""
    return _in_common_steps(1, axes, *operands)


def subtract_in_20_bits(axes, *operands):
    """Subtract as `add_in_20_bits` adds."""
    return _in_common_steps(-1, axes, *operands)


def _in_20_bits(sign: str) -> FusedRule:
    return FusedRule(
        "add_in_20_bits" if sign == "+" else "subtract_in_20_bits",
        f"clip(((m_a * (q_a - z_a) {sign} m_b * (q_b - z_b) + 2**(shift - 1)) >> shift) + z), "
        "m = rne(f32(s / s_y) * 2**shift), the greater m in [2**20, 2**21)",
        "XNNPACK, src/microparams-init.c",
        partial(
            add_in_20_bits if sign == "+" else subtract_in_20_bits, Arithmetic(rounding="half_up")
        ),
    )


ADD_IN_20_BITS = _in_20_bits("+")
SUBTRACT_IN_20_BITS = _in_20_bits("-")


def _average_of_codes(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    total, count = np.asarray(total, np.int64), np.asarray(divisor, np.int64)
    # Where the border counts too, it counts as the zero point, so that the image goes on evenly.
    total = total + (count - math.prod(sizes)) * zero_point
    away = np.where((total > 0) | (quant_min >= 0), 1, -1)
    q = away * ((np.abs(total) + count // 2) // count)
    return np.clip(q, quant_min, quant_max)


AVERAGE_OF_CODES = Rule(
    "average_of_codes",
    "clip((sum q + n / 2) / n) in integers, the zero point not taken away; negative sums the other "
    "way round",
    "TensorFlow Lite, reference kernels of average pooling",
    _average_of_codes,
)


def litert_rules(axes: Arithmetic, merged: bool) -> dict[str, FusedRule]:
    """Make the element-wise rules of LiteRT, which forms the multiplier of products in float32."""
    rules = tflite_rules(axes)
    source = "LiteRT 2.3"
    rules["multiply"] = FusedRule(
        f"multiply_{axes.scaling}_of_float32",
        "clip(fixed((q_a - z_a) * (q_b - z_b), f32(f32(s_a * s_b) / s)) + z)",
        source,
        partial(multiply_of_axes, axes.change(precision="float32")),
    )
    if merged:
        rules["add"] = merged_rule("+", axes, f"{source}, optimized kernels")
    return rules


def merged_rule(sign: str, axes: Arithmetic, source: str) -> FusedRule:
    """Make the rule that adds or subtracts with merged shifts."""
    h = "high(((q_{0} - z_{0}) << (20 + e_{0})) * m_{0})"
    return FusedRule(
        "add_merged" if sign == "+" else "subtract_merged",
        f"clip(fixed({h.format('a')} {sign} {h.format('b')}, t / (2**20 * s)) + z), "
        "s_i / t = m_i * 2**(e_i - 31), t = 2 * max(s_a, s_b)",
        source,
        partial(
            add_shifted if sign == "+" else subtract_shifted, axes.change(scaling="q31_merged")
        ),
    )


def tflite_rules(axes: Arithmetic) -> dict[str, FusedRule]:
    """Make the rules of pairs of TensorFlow Lite for one way of rounding."""
    source = "TensorFlow Lite, reference kernels"
    return {
        "add": FusedRule(
            f"add_shifted_{axes.scaling}",
            "clip(fixed((fixed((q_a - z_a) << 20, s_a / t) + fixed((q_b - z_b) << 20, s_b / t)), "
            "t / (2**20 * s)) + z), t = 2 * max(s_a, s_b)",
            source,
            partial(add_shifted, axes),
        ),
        "subtract": FusedRule(
            f"subtract_shifted_{axes.scaling}",
            "clip(fixed((fixed((q_a - z_a) << 20, s_a / t) - fixed((q_b - z_b) << 20, s_b / t)), "
            "t / (2**20 * s)) + z), t = 2 * max(s_a, s_b)",
            source,
            partial(subtract_shifted, axes),
        ),
        "multiply": FusedRule(
            f"multiply_{axes.scaling}",
            "clip(fixed((q_a - z_a) * (q_b - z_b), s_a * s_b / s) + z)",
            source,
            partial(multiply_of_axes, axes),
        ),
    }


def _add_folded(a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper):
    A, B, S = (np.float32(s) for s in (a_scale, b_scale, scale))
    ratio_a, ratio_b = A / S, B / S
    za, zb, z = (np.float32(v) for v in (a_zero, b_zero, zero_point))
    qa, qb = a.astype(np.float32), b.astype(np.float32)
    constant = z - fma(ratio_a, za, ratio_b * zb)
    t = fma(qa, ratio_a, fma(qb, ratio_b, constant))
    return np.clip(np.rint(t), lower, upper).astype(np.int64)


ADD_FOLDED = FusedRule(
    "add_folded",
    "clip(rne(fma(r_a, q_a, fma(r_b, q_b, c)))), r = f32(s_a / s), "
    "c = z - fma(r_a, z_a, f32(r_b * z_b)): all zero points in one constant",
    "ONNX Runtime, MLAS QLinearAdd, measured with release 1.32 on x86",
    _add_folded,
)


def _add_to_number(a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper):
    return _add_folded(b, b_scale, b_zero, a, a_scale, a_zero, scale, zero_point, lower, upper)


ADD_TO_NUMBER = FusedRule(
    "add_folded_to_number",
    "add_folded with its operands exchanged",
    "ONNX Runtime, MLAS QLinearAdd whose first operand is a single number, release 1.32 on x86",
    _add_to_number,
)


def _multiply_by_ratio(a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, upper):
    A, B, S = (np.float32(s) for s in (a_scale, b_scale, scale))
    ratio = A * B / S
    product = (_steps(a, a_zero) * _steps(b, b_zero)).astype(np.float32)
    t = product * ratio + np.float32(zero_point)
    return np.clip(np.rint(t), lower, upper).astype(np.int64)


MULTIPLY_BY_RATIO = FusedRule(
    "multiply_by_ratio",
    "clip(rne(f32(f32((q_a - z_a) * (q_b - z_b)) * r) + z)), r = f32(f32(s_a * s_b) / s)",
    "ONNX Runtime, MLAS QLinearMul, measured with release 1.32 on x86",
    _multiply_by_ratio,
)
