"""Rational arithmetic: what all engines approximate."""

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.rule import Split, choose
from refquant.engines.rules.elementwise import PRODUCT_OF_REALS
from refquant.engines.rules.exact import (
    DEQUANTIZE_EXACTLY,
    MIX_EXACT,
    OUTPUT_EXACT,
    PLACE_EXACT,
    STEP_EXACT,
)

_ARITHMETIC = Arithmetic(precision="exact", bias="exact", accumulator="exact", overflow="saturated")

EXACT = record(_ARITHMETIC, "exact").derive(
    "exact",
    "Rational arithmetic, one rounding at the end, half to even: what all approximate",
    steps={
        "dequantize_per_tensor": choose(DEQUANTIZE_EXACTLY),
        "dequantize_per_channel": choose(DEQUANTIZE_EXACTLY),
        "dynamic_output": choose(OUTPUT_EXACT),
        "multiply": choose(PRODUCT_OF_REALS),
        "resize_step": choose(STEP_EXACT),
        "resize_place": choose(PLACE_EXACT),
        "resize_mix": choose(Split.everywhere(MIX_EXACT)),
    },
)

ENGINES = (EXACT,)
