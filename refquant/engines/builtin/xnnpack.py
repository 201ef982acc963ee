"""XNNPACK on x86 processors, alone or below LiteRT and ExecuTorch."""

from functools import partial

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.other_runtimes import ADD_IN_20_BITS, multiply_of_axes
from refquant.engines.rule import FusedRule, first_of

_ARITHMETIC = Arithmetic(bias="int32_half_away", clamp="before", overflow="saturated")

_MULTIPLY = FusedRule(
    "multiply_in_float32",
    "clip(rne(f32(f32((q_a - z_a) * (q_b - z_b)) * m)) + z), m = f32(f32(s_a * s_b) / s)",
    "XNNPACK, src/microparams-init.c",
    partial(multiply_of_axes, _ARITHMETIC),
)

XNNPACK = record(_ARITHMETIC, "xnnpack").derive(
    "xnnpack",
    "XNNPACK on x86 processors, below LiteRT 2.3 and ExecuTorch",
    steps={"add": first_of(ADD_IN_20_BITS), "multiply": first_of(_MULTIPLY)},
)

ENGINES = (XNNPACK,)
