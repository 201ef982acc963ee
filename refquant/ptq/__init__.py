"""After and while training: what makes a quantized network more exact, each in a few lines.

`equalize` and `bias_correction` are those of `refquant.quantization.equalize` and
`refquant.quantization.correct_bias`; the others are here.
"""

from refquant.ptq.adaptive_rounding import adaround, rounded_adaptively
from refquant.ptq.learned_step import LearnedStepFakeQuantize
from refquant.ptq.per_row import linear_per_row, quantize_per_row
from refquant.quantization.correct_bias import bias_correction
from refquant.quantization.equalize import equalize

__all__ = [
    "LearnedStepFakeQuantize",
    "adaround",
    "linear_per_row",
    "quantize_per_row",
    "rounded_adaptively",
]
