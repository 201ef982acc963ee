"""TOSA, whose operator RESCALE turns sums into outputs, with double and with single rounding.

Sums and products of two tensors are those of TensorFlow Lite, whose models are lowered to it.
"""

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.other_runtimes import merged_rule, tflite_rules
from refquant.engines.arithmetic.runtime_codes import requantize_rule
from refquant.engines.builtin.tflite import DOUBLE, SINGLE
from refquant.engines.record import Engine
from refquant.engines.rule import Split, first_of


def _engine(name: str, title: str, arithmetic: Arithmetic) -> Engine:
    rules = tflite_rules(arithmetic)
    if arithmetic is DOUBLE:  # with one rounding merged shifts make no difference
        source = "TOSA, operands of ADD and SUB by one RESCALE each"
        rules["add"] = merged_rule("+", arithmetic, source)
        rules["subtract"] = merged_rule("-", arithmetic, source)
    steps = {step: first_of(rule) for step, rule in rules.items()}
    requantize = Split.uniform(requantize_rule(arithmetic, "TOSA, RESCALE of int8 to int8"))
    steps["requantize_codes"] = first_of(requantize)
    return record(arithmetic, name).derive(name, title, steps=steps)


ENGINES = (
    _engine("tosa-double", "TOSA, RESCALE with DOUBLE_ROUND", DOUBLE),
    _engine("tosa-single", "TOSA, RESCALE with SINGLE_ROUND", SINGLE),
)
