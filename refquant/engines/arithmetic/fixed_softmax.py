r"""Softmax in integers alone, as reference kernels of TensorFlow Lite compute it (after gemmlowp).

Numbers are integers of 32 bits with a number of integer bits: *raw* stands for
:math:`raw \, 2^{i - 31}`. Products are rounded to their upper half, ties up.
"""

import math
from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.multipliers import quantized_multiplier
from refquant.engines.rule import Rule
from refquant.engines.rules.rounding import round_shift

__all__ = ["SOFTMAX_IN_FIXED_POINT", "softmax_in_fixed_point"]

ONE = 2**31 - 1  # the largest number below one
DIFFERENCE_BITS, SUM_BITS = 5, 12
EXP_OF_EIGHTH = 1895147668  # exp(-1 / 8)
THIRD = 715827883
# exp(-2**k) for k from -2 to 4.
EXPONENTIALS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def _high(a, b):
    return (np.asarray(a, np.int64) * b + 2**30) >> 31


def _saturated(n):
    return np.clip(n, -(2**31), 2**31 - 1)


def _exp_near_zero(a):
    """Compute exp of numbers from -1/4 to 0, by powers of their distance from -1/8."""
    x = a + (1 << 28)
    square = _high(x, x)
    cube, fourth = _high(square, x), _high(square, square)
    inner = _high(round_shift(fourth, 2, "half_away") + cube, THIRD) + square
    return EXP_OF_EIGHTH + _high(EXP_OF_EIGHTH, x + round_shift(inner, 1, "half_away"))


def _exp(a):
    """Compute exp of negative numbers with 5 integer bits; the result has none."""
    quarter = 1 << 24
    rest = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturated(rest << DIFFERENCE_BITS))
    remainder = rest - a
    for k, factor in enumerate(EXPONENTIALS):
        there = (remainder & (1 << (24 + k))) != 0
        result = np.where(there, _high(result, factor), result)
    return np.where(a == 0, ONE, result)


def _reciprocal(total):
    """Invert a number with 12 integer bits; returns one below 1, and how far to shift it."""
    zeros = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    half = (((total << zeros) - 2**31) + ONE + 1) >> 1  # of the denominator, which is 1 to 2
    x = 1515870810 + _high(half, -1010580540)  # 48/17 - 32/17 d, with 2 integer bits
    for _ in range(3):
        x = x + _saturated(_high(x, 2**29 - _high(half, x)) << 2)
    return _saturated(x << 1), SUM_BITS - zeros


def softmax_in_fixed_point(axes, q, x_scale, x_zero, scale, zero_point, lower, upper):
    """Compute shares of rows in integers; the last shift rounds as an axis says."""
    codes = np.asarray(q, np.int64)
    factor = min(float(x_scale) * 2.0 ** (31 - DIFFERENCE_BITS), 2.0**31 - 1.0)
    multiplier, shift = (int(part) for part in quantized_multiplier(factor))
    far = math.floor((2.0**DIFFERENCE_BITS - 1) * 2.0 ** (31 - DIFFERENCE_BITS) / 2.0**shift)
    difference = codes - codes.max(-1, keepdims=True)
    near = difference >= -far
    scaled = _high(np.where(near, difference, 0) << max(shift, 0), multiplier)
    powers = np.where(near, _exp(_saturated(scaled)), 0)
    total = round_shift(powers, SUM_BITS, "half_away").sum(-1, keepdims=True)
    inverse, over = _reciprocal(total)
    product = _high(inverse, powers)
    shifts = over + 31 - 8
    steps = round_shift(product, np.broadcast_to(shifts, product.shape), axes.rounding)
    return np.clip(np.where(near, steps + lower, lower), lower, upper)


SOFTMAX_IN_FIXED_POINT = Rule(
    "softmax_in_fixed_point",
    "clip(half_away(high(1 / sum, e) * 2**(8 - k)) + lower), e = exp(s_x * (q - max q)), 31 bits, "
    "their sum with 12 integer bits, its reciprocal by three steps of Newton's method",
    "TensorFlow Lite, reference kernels of SOFTMAX (after gemmlowp)",
    partial(softmax_in_fixed_point, Arithmetic(rounding="half_away")),
)
