"""TOSA, whose operator RESCALE turns sums into outputs, with double and with single rounding.

Sums and products of two tensors are those of TensorFlow Lite, whose models are lowered to it.
"""

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.other_runtimes import tflite_rules
from refquant.engines.arithmetic.runtime_codes import requantize_rule
from refquant.engines.builtin.tflite import DOUBLE, SINGLE
from refquant.engines.record import Engine
from refquant.engines.rule import Split, first_of


def _engine(name: str, title: str, arithmetic: Arithmetic) -> Engine:
    steps = {step: first_of(rule) for step, rule in tflite_rules(arithmetic).items()}
    requantize = Split.uniform(requantize_rule(arithmetic, "TOSA, RESCALE of int8 to int8"))
    steps["requantize_codes"] = first_of(requantize)
    return record(arithmetic, name).derive(name, title, steps=steps)


ENGINES = (
    _engine("tosa-double", "TOSA, RESCALE with DOUBLE_ROUND", DOUBLE),
    _engine("tosa-single", "TOSA, RESCALE with SINGLE_ROUND", SINGLE),
)
