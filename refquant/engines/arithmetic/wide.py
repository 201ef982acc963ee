r"""Sums of 64 bits, of activations of 16 bits, in fixed point with multipliers of 15 bits.

The product of such a sum and of 31 bits would not fit into 64, so runtimes shorten the multiplier.
"""

from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import quantized_multiplier
from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import wrap_int32
from refquant.engines.rules.rounding import round_shift

__all__ = ["requantize_wide", "requantize_wide_rule"]

LARGEST = 0x7FFF  # rounding up may not reach 2**15, which int16 does not hold
LEAST = -31  # shifts of multipliers that are not taken for 0


def requantize_wide(axes, total, multiplier, zero_point, lower, upper):
    """Scale sums of at most 48 bits by 15 bits and a shift, and round once."""
    q, shift = quantized_multiplier(multiplier)
    short = np.where(shift < LEAST, 0, np.minimum((q + (1 << 15)) >> 16, LARGEST))
    right = 15 - np.clip(shift, LEAST, 15)  # kernels demand a shift below 8
    scaled = round_shift(np.asarray(total, np.int64) * short, right, axes.rounding)
    return np.clip(wrap_int32(scaled) + zero_point, lower, upper)


def requantize_wide_rule(axes: Arithmetic, source: str) -> Rule:
    """Make the rule of a runtime that rounds as some axes say."""
    return Rule(
        "requantize_wide",
        f"{axes.rounding}(total * h * 2**(shift - 15)) + z, h = min((q + 2**15) >> 16, 2**15 - 1)",
        source,
        partial(requantize_wide, axes),
    )
