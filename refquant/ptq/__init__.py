"""After and while training: what makes a quantized network more exact, each in a few lines.

`equalize` is that of `refquant.quantization.equalize`; the others are here.
"""

from refquant.ptq.adaptive_rounding import adaround, rounded_adaptively
from refquant.ptq.bias import bias_correction
from refquant.ptq.learned_step import LearnedStepFakeQuantize
from refquant.ptq.per_row import linear_per_row, quantize_per_row
from refquant.quantization.equalize import equalize

__all__ = [
    "LearnedStepFakeQuantize",
    "adaround",
    "bias_correction",
    "equalize",
    "linear_per_row",
    "quantize_per_row",
    "rounded_adaptively",
]
