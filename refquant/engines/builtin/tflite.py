"""TensorFlow Lite, reference kernels, with double and with single rounding."""

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.other_runtimes import AVERAGE_OF_CODES, tflite_rules
from refquant.engines.record import Engine
from refquant.engines.rule import Split, first_of

DOUBLE = Arithmetic(
    rounding="half_away",
    precision="float64",
    scaling="q31_double",
    bias="int32_half_away",
    overflow="saturated",
)
SINGLE = DOUBLE.change(scaling="q31_single", rounding="half_up")


def _engine(name: str, title: str, arithmetic: Arithmetic) -> Engine:
    averages = first_of(Split.uniform(AVERAGE_OF_CODES))
    steps = {step: first_of(rule) for step, rule in tflite_rules(arithmetic).items()}
    steps.update(average_pool=averages, adaptive_average_pool=averages)
    return record(arithmetic, name).derive(name, title, steps=steps)


ENGINES = (
    _engine("tflite", "TensorFlow Lite, reference kernels with double rounding", DOUBLE),
    _engine(
        "tflite-single",
        "TensorFlow Lite with single rounding (TFLITE_SINGLE_ROUNDING, ruy)",
        SINGLE,
    ),
)
