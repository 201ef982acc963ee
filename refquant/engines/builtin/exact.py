"""Rational arithmetic: what all engines approximate."""

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.rule import Split, first_of
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
        "dequantize_per_tensor": first_of(DEQUANTIZE_EXACTLY),
        "dequantize_per_channel": first_of(DEQUANTIZE_EXACTLY),
        "dynamic_output": first_of(OUTPUT_EXACT),
        "multiply": first_of(PRODUCT_OF_REALS),
        "resize_step": first_of(STEP_EXACT),
        "resize_place": first_of(PLACE_EXACT),
        "resize_mix": first_of(Split.uniform(MIX_EXACT)),
    },
)

ENGINES = (EXACT,)
