r"""Rules that turn a real number into an integer, and back.

All of them compute :math:`q = \mathrm{clip}(\mathrm{round}(x / s + z))`; they differ in how the
quotient is formed, whether the zero point :math:`z` is added before or after rounding, and what
becomes of numbers that no integer can hold. Notation: :math:`S` is the scale in float32 and
:math:`inv = 1 / S` its reciprocal, rounded to float32.

A quantizing rule is called with ``(x, scale, zero_point, quant_min, quant_max)``: `x` float32,
`scale` float64, `zero_point` int, both numbers or arrays that broadcast against `x`. It returns
int64. A dequantizing rule is called with ``(q, scale, zero_point)`` and returns float32.
"""

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import (
    INT32_MIN,
    clip,
    convert_to_int32,
    fma,
    reciprocal,
    round_half_even,
    single,
    wrap_int32,
)

# The largest float32 that stays below 2**31 when the largest zero point of an int8 is added.
VECTOR_LIMIT = np.float32(2147483520)


def _below_limit(t) -> np.ndarray:
    """min(t, 2147483520) as x86 computes it: NaN becomes the limit."""
    return np.where(t < VECTOR_LIMIT, t, VECTOR_LIMIT)


def _round_then_add(x, scale, zero_point, quant_min, quant_max):
    t = _below_limit(x * reciprocal(scale))
    integer = np.maximum(round_half_even(t).astype(np.float64), INT32_MIN).astype(np.int64)
    return np.clip(wrap_int32(integer + zero_point), quant_min, quant_max)


def _add_then_round(x, scale, zero_point, quant_min, quant_max):
    t = np.float32(zero_point) + x * reciprocal(scale)
    unheld = 0 if quant_min > INT32_MIN else INT32_MIN
    return np.where(np.isnan(t), unheld, clip(round_half_even(t), quant_min, quant_max))


def _fused(x, scale, zero_point, quant_min, quant_max):
    t = _below_limit(fma(x, reciprocal(scale), np.float32(zero_point)))
    return clip(round_half_even(t), quant_min, quant_max)


def _fused_clamp_then_round(x, scale, zero_point, quant_min, quant_max):
    t = fma(x, reciprocal(scale), np.float32(zero_point))
    clamped = np.where(t > quant_min, t, np.float32(quant_min))
    clamped = np.where(clamped < quant_max, clamped, np.float32(quant_max))
    return clip(round_half_even(clamped), quant_min, quant_max)  # 2**31 - 1 is no float32


def _reciprocal_double(scale) -> np.ndarray:
    return (1 / np.asarray(scale, dtype=np.float64)).astype(np.float32)


def _round_then_add_double(x, scale, zero_point, quant_min, quant_max):
    t = _below_limit(x * _reciprocal_double(scale))
    integer = np.maximum(round_half_even(t).astype(np.float64), INT32_MIN).astype(np.int64)
    return np.clip(wrap_int32(integer + zero_point), quant_min, quant_max)


def _fused_convert(x, scale, zero_point, quant_min, quant_max):
    t = fma(x, reciprocal(scale), np.float32(zero_point))
    return np.clip(convert_to_int32(t), quant_min, quant_max)


def _fused_convert_double(x, scale, zero_point, quant_min, quant_max):
    t = fma(x, _reciprocal_double(scale), np.float32(zero_point))
    return np.clip(convert_to_int32(t), quant_min, quant_max)


def _divide_then_round(x, scale, zero_point, quant_min, quant_max):
    t = np.float32(zero_point) + x / single(scale)
    return np.where(np.isnan(t), 0, clip(round_half_even(t), quant_min, quant_max))


def _divide_then_round_wide(x, scale, zero_point, quant_min, quant_max):
    t = np.float32(zero_point) + x / single(scale)
    rounded = round_half_even(t).astype(np.float64)
    held = np.abs(rounded) < 2.0**63
    return np.where(held, clip(np.where(held, rounded, 0), quant_min, quant_max), quant_min)


ROUND_THEN_ADD = Rule(
    "round_then_add",
    "clip(rne(f32(x * inv)) + z)",
    "ATen AVX2 kernels of element-wise operations, PyTorch 2.13 (vector body)",
    _round_then_add,
)
ADD_THEN_ROUND = Rule(
    "add_then_round",
    "clip(rne(f32(f32(z) + f32(x * inv)))); NaN gives 0, or -2**31 for qint32",
    "ATen quantize_val, PyTorch 2.13 (scalar code)",
    _add_then_round,
)
FUSED = Rule(
    "fused",
    "clip(rne(min(fma(x, inv, f32(z)), 2147483520))); NaN gives quant_max",
    "FBGEMM QuantizeAvx2, PyTorch 2.13",
    _fused,
)
FUSED_CLAMP_THEN_ROUND = Rule(
    "fused_clamp_then_round",
    "rne(min(max(fma(x, inv, f32(z)), quant_min), quant_max)); NaN gives quant_min",
    "FBGEMM QuantizeAvx2, PyTorch 1.4 (vector body)",
    _fused_clamp_then_round,
)
DIVIDE_THEN_ROUND = Rule(
    "divide_then_round",
    "clip(rne(f32(f32(z) + f32(x / S)))); NaN gives 0",
    "FBGEMM Quantize, PyTorch 1.4 (scalar tail)",
    _divide_then_round,
)
DIVIDE_THEN_ROUND_WIDE = Rule(
    "divide_then_round_wide",
    "clip(int64(rne(f32(f32(z) + f32(x / S))))); what int64 cannot hold gives quant_min",
    "ATen quantize_val, PyTorch 1.4",
    _divide_then_round_wide,
)
FUSED_CONVERT = Rule(
    "fused_convert",
    "clip(int32(rne(fma(x, inv, f32(z))))); NaN and what int32 cannot hold give quant_min",
    "ATen AVX2 kernels of element-wise operations, PyTorch 1.4 (vector body)",
    _fused_convert,
)
ROUND_THEN_ADD_DOUBLE = Rule(
    "round_then_add_double",
    "clip(rne(f32(x * f32(1 / scale))) + z), the reciprocal in float64 first",
    "ATen channels-last cat, PyTorch 2.13 (vector body)",
    _round_then_add_double,
)
FUSED_CONVERT_DOUBLE = Rule(
    "fused_convert_double",
    "fused_convert with f32(1 / scale), the reciprocal in float64 first",
    "ATen channels-last cat, PyTorch 1.4 (vector body)",
    _fused_convert_double,
)


def _subtract(q, scale, zero_point):
    difference = wrap_int32(np.asarray(q, np.int64) - zero_point)
    return single(scale) * difference.astype(np.float32)


def _subtract_fused(q, scale, zero_point):
    S = single(scale)
    return fma(S, np.asarray(q).astype(np.float32), S * np.float32(-zero_point))


def _subtract_double(q, scale, zero_point):
    difference = np.asarray(q).astype(np.float32) - np.asarray(zero_point).astype(np.float32)
    return (difference.astype(np.float64) * np.asarray(scale, np.float64)).astype(np.float32)


def _subtract_rounded(q, scale, zero_point):
    return single(scale) * (np.asarray(q).astype(np.float32) - np.float32(zero_point))


SUBTRACT = Rule(
    "subtract",
    "f32(S * f32(q - z)), the difference in int32 (it wraps for qint32)",
    "ATen dequantize_val; Tensor.dequantize() of PyTorch 1.4 and 2.13",
    _subtract,
)
SUBTRACT_FUSED = Rule(
    "subtract_fused",
    "fma(S, f32(q), f32(S * f32(-z)))",
    "ATen AVX2 kernels of element-wise operations (vector body)",
    _subtract_fused,
)
SUBTRACT_DOUBLE = Rule(
    "subtract_double",
    "f32(f64(f32(q) - f32(z)) * scale), the scale in float64",
    "ATen per-channel dequantize of PyTorch 1.4 and 2.13",
    _subtract_double,
)
SUBTRACT_ROUNDED = Rule(
    "subtract_rounded",
    "f32(S * f32(f32(q) - f32(z)))",
    "ATen qsigmoid_kernel, PyTorch 2.13 (vector body)",
    _subtract_rounded,
)
