r"""How averages over dimensions of a quantized tensor differ from those over windows.

A rule is one of `refquant.engines.rules.average`: n integers are a window of height n.
A form says how real numbers are averaged instead, in an order of
`refquant.engines.rules.float_sums`.
"""

import numpy as np

from refquant.engines.rule import Form, Rule
from refquant.engines.rules.float32 import round_half_even, single


def _mean_of_integers(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    rounded = round_half_even(single(total) / single(divisor))
    # In float32, which does not hold 2**31 - 1: a mean beyond it becomes -2**31 in int32.
    return np.clip(rounded, quant_min, quant_max).astype(np.int64)


MEAN_OF_INTEGERS = Rule(
    "mean_of_integers",
    "clip(rne(f32(f32(sum q) / f32(n)))), the zero point not taken away before",
    "ATen qmean over trailing dimensions, PyTorch 2.13",
    _mean_of_integers,
)
MEAN_IN_ORDER = Form(
    "mean_in_order",
    "quantize_per_tensor(f32(sum dequantize(q) / f32(n))), float32 added in the order of memory",
    "ATen mean of the dequantized tensor, PyTorch 1.4, on x86 processors",
)
MEAN_IN_CASCADES = Form(
    "mean_in_cascades",
    "quantize_per_tensor(f32(sum dequantize(q) / f32(n))), float32 added in cascades",
    "ATen mean of the dequantized tensor, PyTorch 2.13, on x86 processors",
)
