"""Releases of TensorFlow Lite, later LiteRT, and of TensorFlow Lite Micro.

Sums become integers in fixed point with two roundings; releases and kinds of kernels differ in the
second one, which goes away from zero in reference kernels and up in those of ruy.
"""

from functools import partial
from typing import Any

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import (
    REQUANTIZE,
    multiplier_of_single_product,
    record,
)
from refquant.engines.arithmetic.fixed_softmax import SOFTMAX_IN_FIXED_POINT
from refquant.engines.arithmetic.other_runtimes import AVERAGE_OF_CODES, litert_rules, tflite_rules
from refquant.engines.arithmetic.runtime_codes import (
    DEQUANTIZE_IN_BLOCKS,
    DEQUANTIZE_IN_FLOAT32,
    ELU_BY_TABLE,
    HARDSWISH_IN_16_BITS,
    QUANTIZE_AWAY,
    QUANTIZE_AWAY_IN_FLOAT64,
    QUANTIZE_EVEN_BY_INVERSE,
    SIGMOID_BY_TABLE,
    SOFTMAX_BY_TABLE,
    TANH_BY_TABLE,
    leaky_relu_rule,
    requantize_rule,
)
from refquant.engines.arithmetic.runtime_windows import (
    AVERAGE_OF_CODES_ALONE,
    MEAN_BY_BIAS,
    MEAN_BY_BIAS_IN_BLOCKS,
    MEAN_BY_MULTIPLIER,
    NEAREST,
    RESIZE_IN_10_BITS,
)
from refquant.engines.arithmetic.wide import requantize_wide_rule
from refquant.engines.builtin.tflite import DOUBLE
from refquant.engines.conditions import (
    HAS_WIDE_SUMS,
    IS_CONVOLUTION,
    IS_DEPTHWISE,
    IS_TRANSPOSED,
    KEEPS_IMAGE,
    both,
)
from refquant.engines.record import Engine
from refquant.engines.rule import Rule, Split, first_of
from refquant.engines.rules import accumulate
from refquant.engines.rules.requantize import split_by_channels

UP = DOUBLE.change(rounding="half_up")
IN_FLOAT64 = DOUBLE.change(scaling="number")
BLOCK = 8


def _requantize(axes: Arithmetic, source: str) -> Rule:
    return Rule(
        "requantize_of_axes", REQUANTIZE.formula(axes), source, partial(REQUANTIZE.function, axes)
    )


AWAY = _requantize(DOUBLE, "TensorFlow Lite, reference kernels")
UPWARD = _requantize(UP, "ruy, kernels for x86 and NEON")
_FLOAT64 = _requantize(
    IN_FLOAT64, "LiteRT 2.3, kernels of FULLY_CONNECTED: the reference, and all with int64"
)
WIDE = requantize_wide_rule(UP, "TensorFlow Lite, MultiplyByQuantizedMultiplier of int64")
WIDE_CONVOLUTION = both(IS_CONVOLUTION, HAS_WIDE_SUMS)
BY_CHANNELS = split_by_channels(UPWARD, AWAY, BLOCK, "TensorFlow Lite, optimized depthwise kernels")


MULTIPLIER_OF_LINEAR = Rule(
    "multiplier_of_single_product",
    "f64(f32(s_x * s_w)) / f64(s_y)",
    "TensorFlow Lite, GetQuantizedConvolutionMultipler",
    partial(multiplier_of_single_product, DOUBLE),
)


def _engine(
    name: str, title: str, arithmetic: Arithmetic, products: Any, pairs: Any, codes: Any
) -> Engine:
    averages = first_of(Split.uniform(AVERAGE_OF_CODES))
    newest = name.startswith("litert-2.3")
    wide: tuple[Any, ...] = ((HAS_WIDE_SUMS, WIDE),)
    if newest:
        wide = ((WIDE_CONVOLUTION, WIDE), (HAS_WIDE_SUMS, _FLOAT64))
    steps = {step: first_of(rule) for step, rule in (*pairs.items(), *_CODES.items())}
    steps.update(
        average_pool=averages,
        adaptive_average_pool=averages,
        requantize_sum=first_of(*wide, *products),
    )
    steps.update({step: first_of(*rules) for step, rules in codes.items()})
    made = record(arithmetic, name)
    steps["accumulator"] = first_of((HAS_WIDE_SUMS, accumulate.EXACT), made.rule("accumulator"))
    if name not in ("tflite-micro", "litert-2.3-reference"):
        per_channel = made.rule("multiplier")
        in_float64 = ((HAS_WIDE_SUMS, per_channel),) if newest else ()
        steps["multiplier"] = first_of(
            (IS_CONVOLUTION, per_channel), *in_float64, MULTIPLIER_OF_LINEAR
        )
    return made.derive(name, title, steps=steps)


# What all of these runtimes have in common.
_CODES: dict[str, Any] = {
    "sigmoid_of_codes": SIGMOID_BY_TABLE,
    "tanh_of_codes": TANH_BY_TABLE,
    "hardswish_of_codes": HARDSWISH_IN_16_BITS,
    "leaky_relu_of_codes": leaky_relu_rule(DOUBLE, "TensorFlow Lite, reference kernels"),
    "softmax_of_codes": SOFTMAX_IN_FIXED_POINT,
    "average_of_codes": AVERAGE_OF_CODES_ALONE,
    "mean_of_codes": MEAN_BY_MULTIPLIER,
    "resize_of_codes": RESIZE_IN_10_BITS,
    "nearest_of_codes": NEAREST,
}
_AWAY = requantize_rule(DOUBLE, "TensorFlow Lite, reference kernels of QUANTIZE")
_UP = requantize_rule(UP, "LiteRT, optimized kernels of QUANTIZE")
_REFERENCE: dict[str, Any] = {
    "requantize_codes": (Split.uniform(_AWAY),),
    **{
        step: (Split.uniform(QUANTIZE_AWAY),)
        for step in ("quantize_per_tensor", "quantize_per_channel")
    },
    "dequantize_per_tensor": (DEQUANTIZE_IN_FLOAT32,),
}
_FAST_2_14: dict[str, Any] = {
    **_REFERENCE,
    "softmax_of_codes": (SOFTMAX_BY_TABLE,),
    **{
        step: (Split.uniform(QUANTIZE_AWAY_IN_FLOAT64),)
        for step in ("quantize_per_tensor", "quantize_per_channel")
    },
    "elu_of_codes": (ELU_BY_TABLE,),
    "mean_of_codes": ((KEEPS_IMAGE, MEAN_BY_BIAS), MEAN_BY_MULTIPLIER),
}
_FAST: dict[str, Any] = {
    "softmax_of_codes": (SOFTMAX_BY_TABLE,),
    "requantize_codes": (Split(_UP, _AWAY, 16),),
    **{
        step: (Split(QUANTIZE_EVEN_BY_INVERSE, QUANTIZE_AWAY_IN_FLOAT64, 8),)
        for step in ("quantize_per_tensor", "quantize_per_channel")
    },
    "dequantize_per_tensor": (DEQUANTIZE_IN_BLOCKS,),
    "elu_of_codes": (ELU_BY_TABLE,),
    "mean_of_codes": ((KEEPS_IMAGE, MEAN_BY_BIAS_IN_BLOCKS), MEAN_BY_MULTIPLIER),
}


_OPTIMIZED = ((IS_DEPTHWISE, BY_CHANNELS), (IS_TRANSPOSED, BY_CHANNELS), UPWARD)

ENGINES = (
    _engine(
        "litert-2.3-reference", "LiteRT 2.3, reference kernels", DOUBLE,
        ((IS_CONVOLUTION, AWAY), _FLOAT64), litert_rules(DOUBLE, merged=False), _REFERENCE,
    ),
    _engine(
        "litert-2.3-optimized-x86", "LiteRT 2.3, optimized kernels on x86 without XNNPACK", UP,
        _OPTIMIZED, litert_rules(DOUBLE, merged=True), _FAST,
    ),
    _engine(
        "tflite-2.14-reference", "TensorFlow Lite 2.14, reference kernels", DOUBLE, (AWAY,),
        litert_rules(DOUBLE, merged=False), _REFERENCE,
    ),
    _engine(
        "tflite-2.14-optimized-x86", "TensorFlow Lite 2.14, optimized kernels on x86", UP,
        ((IS_DEPTHWISE, AWAY), (IS_TRANSPOSED, AWAY), UPWARD),
        litert_rules(DOUBLE, merged=False), _FAST_2_14,
    ),
    _engine(
        "tflite-micro", "TensorFlow Lite Micro, reference kernels", DOUBLE, (AWAY,),
        tflite_rules(DOUBLE), {**_REFERENCE, "elu_of_codes": (ELU_BY_TABLE,)},
    ),
)  # fmt: skip
