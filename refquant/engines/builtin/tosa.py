"""TOSA, whose operator RESCALE turns sums into outputs, with double and with single rounding."""

from refquant.engines.arithmetic.compose import record
from refquant.engines.builtin.tflite import DOUBLE, SINGLE

ENGINES = (
    record(DOUBLE, "tosa-double").derive("tosa-double", "TOSA, RESCALE with DOUBLE_ROUND"),
    record(SINGLE, "tosa-single").derive("tosa-single", "TOSA, RESCALE with SINGLE_ROUND"),
)
