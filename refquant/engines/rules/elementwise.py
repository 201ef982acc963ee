r"""Rules of element-wise operations: what is added and multiplied, and how integers requantize.

Notation: :math:`q_a, S_a, z_a` are integers, float32 scale and zero point of the first operand,
:math:`q_b, S_b, z_b` of the second, :math:`S` is the float32 scale of the result.

A requantizing rule is called with ``(n, multiplier, zero_point, lower, upper)``: `n` int64 in the
range of int32, `multiplier` float32. It returns int64. What stands before it is a form, which
operations choose by.
"""

import numpy as np

from refquant.engines.rule import Form, Rule
from refquant.engines.rules.float32 import convert_to_int32, round_half_even, wrap_int32


def _convert_then_add(n, multiplier, zero_point, lower, upper):
    t = n.astype(np.float32) * multiplier
    return np.clip(wrap_int32(convert_to_int32(t) + zero_point), lower, upper)


def _widen_then_add(n, multiplier, zero_point, lower, upper):
    product = n.astype(np.float64) * np.float64(multiplier)
    rounded = round_half_even(product.astype(np.float32)).astype(np.float64)
    held = np.abs(rounded) < 2.0**63
    near = np.clip(np.where(held, rounded, 0), -(2.0**40), 2.0**40).astype(np.int64)
    unheld = upper if zero_point < 0 else lower  # -2**63 + z wraps around if z is negative
    return np.where(held, np.clip(near + zero_point, lower, upper), unheld)


CONVERT_THEN_ADD = Rule(
    "convert_then_add",
    "clip(int32(rne(f32(f32(n) * m))) + z); what int32 cannot hold is -2**31; the sum wraps",
    "ATen AVX2 requantize_from_int, PyTorch 2.13 (vector body)",
    _convert_then_add,
)
WIDEN_THEN_ADD = Rule(
    "widen_then_add",
    "clip(int64(rne(f32(f64(n) * f64(m)))) + z); what int64 cannot hold is -2**63; the sum wraps",
    "ATen requantize_from_int, PyTorch 2.13 (scalar code)",
    _widen_then_add,
)


def fixed_point_multipliers(a_scale, b_scale, scale) -> tuple[int, int, int]:
    """Both scales over the scale of the result, as integers of at most 22 bits, and the shift."""
    A = np.float32(a_scale) / np.float32(scale)
    B = np.float32(b_scale) / np.float32(scale)
    shift = 22 - int(np.frexp(max(A, B))[1])
    factor = np.float32(2.0**shift)
    return int(np.rint(A * factor)), int(np.rint(B * factor)), shift


def sum_in_fixed_point(a, a_scale, a_zero_point, b, b_scale, b_zero_point, scale) -> np.ndarray:
    """Return steps of the sum, less the zero point of the result; see `SUM_IN_FIXED_POINT`."""
    m_a, m_b, shift = fixed_point_multipliers(a_scale, b_scale, scale)
    n = wrap_int32(
        m_a * (a.astype(np.int64) - a_zero_point) + m_b * (b.astype(np.int64) - b_zero_point)
    )
    mask = 2**shift - 1
    remainder = (n & mask) - (n < 0)
    return (n >> shift) + (remainder > mask >> 1)


SUM_OF_REALS = Form(
    "sum_of_reals",
    "quantize(f32(dequantize(q_a) + dequantize(q_b)))",
    "ATen qadd, PyTorch 1.4 and 2.13",
)
SUM_IN_FIXED_POINT = Form(
    "sum_in_fixed_point",
    "clip(((m_a * (q_a - z_a) + m_b * (q_b - z_b)) >> shift, ties away from zero) + z), "
    "m = int(rne(f32(S_a / S) * 2**shift)), the greater m in [2**21, 2**22)",
    "QNNPACK q8vadd, PyTorch 1.4 and 2.13",
)


def product_of_integers(a, a_zero_point, b, b_zero_point) -> np.ndarray:
    """Products of integers less their zero points; int32 wraps."""
    return wrap_int32(
        wrap_int32(a.astype(np.int64) - a_zero_point)
        * wrap_int32(b.astype(np.int64) - b_zero_point)
    )


PRODUCT_OF_REALS = Form(
    "product_of_reals",
    "quantize(f32(dequantize(q_a) * dequantize(q_b))), scalar code at every position",
    "ATen qmul, PyTorch 1.4",
)
PRODUCT_OF_INTEGERS = Form(
    "product_of_integers",
    "requantize((q_a - z_a) * (q_b - z_b)), m = f32(f32(S_a * S_b) * f32(1 / S)); int32 wraps",
    "ATen qmul, PyTorch 2.13",
)


def shift_of_integers(q, offset) -> np.ndarray:
    """Integers and a number of steps; int32 wraps."""
    return wrap_int32(q.astype(np.int64) + offset)


SHIFT_OF_REALS = Form(
    "shift_of_reals",
    "quantize_per_tensor(f32(dequantize(q) + f32(scale * n))), n = rne(number / scale)",
    "ATen qadd with a scalar, PyTorch 1.4",
)
SHIFT_OF_INTEGERS = Form(
    "shift_of_integers",
    "requantize(q - z + n), n = rne(number / scale), m = f32(S_a * f32(1 / S)); int32 wraps",
    "ATen qadd with a scalar, PyTorch 2.13",
)
