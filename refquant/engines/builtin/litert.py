"""Releases of TensorFlow Lite, later LiteRT, and of TensorFlow Lite Micro.

Sums become integers in fixed point with two roundings; releases and kinds of kernels differ in the
second one, which goes away from zero in reference kernels and up in those of ruy.
"""

from functools import partial
from typing import Any

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import REQUANTIZE, record
from refquant.engines.arithmetic.other_runtimes import AVERAGE_OF_CODES, litert_rules, tflite_rules
from refquant.engines.builtin.tflite import DOUBLE
from refquant.engines.conditions import IS_CONVOLUTION, IS_DEPTHWISE
from refquant.engines.record import Engine
from refquant.engines.rule import Rule, Split, first_of
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
BY_CHANNELS = split_by_channels(UPWARD, AWAY, BLOCK, "TensorFlow Lite, optimized depthwise kernels")


def _engine(name: str, title: str, arithmetic: Arithmetic, products: Any, pairs: Any) -> Engine:
    averages = first_of(Split.uniform(AVERAGE_OF_CODES))
    steps = {step: first_of(rule) for step, rule in pairs.items()}
    steps.update(
        average_pool=averages, adaptive_average_pool=averages, requantize_sum=first_of(*products)
    )
    return record(arithmetic, name).derive(name, title, steps=steps)


_FLOAT64 = _requantize(IN_FLOAT64, "LiteRT 2.3, reference kernel of FULLY_CONNECTED")
_OPTIMIZED = ((IS_DEPTHWISE, BY_CHANNELS), UPWARD)

ENGINES = (
    _engine(
        "litert-2.3-reference", "LiteRT 2.3, reference kernels", DOUBLE,
        ((IS_CONVOLUTION, AWAY), _FLOAT64), litert_rules(DOUBLE, merged=False),
    ),
    _engine(
        "litert-2.3-optimized-x86", "LiteRT 2.3, optimized kernels on x86 without XNNPACK", UP,
        _OPTIMIZED, litert_rules(DOUBLE, merged=True),
    ),
    _engine(
        "tflite-micro", "TensorFlow Lite Micro, reference kernels", DOUBLE, (AWAY,),
        tflite_rules(DOUBLE),
    ),
)  # fmt: skip
