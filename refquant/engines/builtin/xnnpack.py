"""XNNPACK on x86 processors, alone or below LiteRT, and below ExecuTorch.

Both have its kernels of integers. ExecuTorch also leaves it what it computes in float32.
"""

from functools import partial

from refquant.engines.arithmetic import xnnpack_reals
from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.other_runtimes import (
    ADD_IN_20_BITS,
    SUBTRACT_IN_20_BITS,
    multiply_of_axes,
)
from refquant.engines.arithmetic.runtime_codes import (
    DEQUANTIZE_IN_FLOAT32,
    LEAKY_RELU_IN_8_BITS,
    QUANTIZE_EVEN_BY_INVERSE,
    REQUANTIZE_IN_8_BITS,
    SIGMOID_BY_TABLE,
    TANH_BY_TABLE,
)
from refquant.engines.arithmetic.runtime_windows import MEAN_IN_FLOAT32, RESIZE_IN_11_BITS
from refquant.engines.rule import FusedRule, Split, first_of

_ARITHMETIC = Arithmetic(bias="int32_half_away", clamp="before", overflow="saturated")

_MULTIPLY = FusedRule(
    "multiply_in_float32",
    "clip(rne(f32(f32((q_a - z_a) * (q_b - z_b)) * m)) + z), m = f32(f32(s_a * s_b) / s)",
    "XNNPACK, src/microparams-init.c",
    partial(multiply_of_axes, _ARITHMETIC),
)

XNNPACK = record(_ARITHMETIC, "xnnpack").derive(
    "xnnpack",
    "XNNPACK on x86 processors, below LiteRT 2.3",
    steps={
        "add": first_of(ADD_IN_20_BITS),
        "subtract": first_of(SUBTRACT_IN_20_BITS),
        "multiply": first_of(_MULTIPLY),
        "quantize_per_tensor": first_of(Split.uniform(QUANTIZE_EVEN_BY_INVERSE)),
        "dequantize_per_tensor": first_of(DEQUANTIZE_IN_FLOAT32),
        "requantize_codes": first_of(Split.uniform(REQUANTIZE_IN_8_BITS)),
        "leaky_relu_of_codes": first_of(LEAKY_RELU_IN_8_BITS),
        "sigmoid_of_codes": first_of(SIGMOID_BY_TABLE),
        "tanh_of_codes": first_of(TANH_BY_TABLE),
        "mean_of_codes": first_of(MEAN_IN_FLOAT32),
        "resize_of_codes": first_of(RESIZE_IN_11_BITS),
    },
)

EXECUTORCH = XNNPACK.derive(
    "executorch",
    "ExecuTorch on x86 processors, its XNNPACK backend",
    steps={
        "requantize_codes": first_of(Split.uniform(xnnpack_reals.REQUANTIZE)),
        "leaky_relu_of_codes": first_of(xnnpack_reals.LEAKY_RELU),
        "hardswish_of_codes": first_of(xnnpack_reals.HARDSWISH),
        "sigmoid_of_codes": first_of(xnnpack_reals.SIGMOID),
        "tanh_of_codes": first_of(xnnpack_reals.TANH),
        "softmax_of_codes": first_of(xnnpack_reals.SOFTMAX),
        "average_of_reals": first_of(xnnpack_reals.AVERAGE),
        "resize_of_reals": first_of(xnnpack_reals.RESIZE),
    },
)

ENGINES = (XNNPACK, EXECUTORCH)
