"""ONNX Runtime on processors."""

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.other_runtimes import ADD_FOLDED, MULTIPLY_BY_RATIO
from refquant.engines.rule import first_of

_ARITHMETIC = Arithmetic(bias="int32_division", clamp="before", overflow="saturated")

ONNX = record(_ARITHMETIC, "onnx").derive(
    "onnx",
    "ONNX Runtime on processors: QLinearConv, QLinearMatMul, QLinearAdd, QLinearMul",
    steps={"add": first_of(ADD_FOLDED), "multiply": first_of(MULTIPLY_BY_RATIO)},
)

_REFERENCE = _ARITHMETIC.change(zero_point="before")

ONNX_REFERENCE = record(_REFERENCE, "onnx-reference").derive(
    "onnx-reference", "The ReferenceEvaluator of onnx: zero points are added before rounding"
)

ENGINES = (ONNX, ONNX_REFERENCE)
