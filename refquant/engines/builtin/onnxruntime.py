"""ONNX Runtime on processors."""

from refquant.engines.arithmetic import reals
from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.mlas import PRODUCT_OF_REALS
from refquant.engines.arithmetic.orders import PRODUCT_OF_TRANSPOSED
from refquant.engines.arithmetic.other_runtimes import (
    ADD_FOLDED,
    ADD_TO_NUMBER,
    MULTIPLY_BY_RATIO,
)
from refquant.engines.arithmetic.runtime_codes import (
    DEQUANTIZE_IN_FLOAT32,
    DYNAMIC_QUANTIZE,
    LEAKY_RELU_BY_TABLE,
    QUANTIZE_EVEN,
    REQUANTIZE_BY_TABLE,
    SIGMOID_BY_TABLE_EVEN,
    SOFTMAX_EVEN,
)
from refquant.engines.arithmetic.runtime_windows import AVERAGE_OF_REALS, GLOBAL_AVERAGE, NEAREST
from refquant.engines.conditions import (
    IS_CONVOLUTION,
    IS_NUMBER,
    IS_QINT32,
    IS_TRANSPOSED,
    OF_UNSIGNED,
    both,
)
from refquant.engines.rule import Split, first_of
from refquant.engines.rules.accumulate import SATURATED_PAIRS, WRAPPED

_ARITHMETIC = Arithmetic(bias="int32_division", clamp="before", overflow="saturated")

# QuantizeLinear and DequantizeLinear, one after the other or alone.
_LINEAR = {
    "quantize_per_tensor": first_of(Split.uniform(QUANTIZE_EVEN)),
    "quantize_per_channel": first_of(Split.uniform(QUANTIZE_EVEN)),
    "dequantize_per_tensor": first_of(DEQUANTIZE_IN_FLOAT32),
    "requantize_codes": first_of(Split.uniform(REQUANTIZE_BY_TABLE)),
    "dynamic_quantize_of_reals": first_of(DYNAMIC_QUANTIZE),
}

ONNX = record(_ARITHMETIC, "onnx").derive(
    "onnx",
    "ONNX Runtime on processors: QLinearConv, QLinearMatMul, QLinearAdd, QLinearMul",
    steps={
        **_LINEAR,
        "add": first_of((IS_NUMBER, ADD_TO_NUMBER), ADD_FOLDED),
        "multiply": first_of(MULTIPLY_BY_RATIO),
        "concatenate_codes": first_of(REQUANTIZE_BY_TABLE),
        "sigmoid_of_codes": first_of(SIGMOID_BY_TABLE_EVEN),
        "leaky_relu_of_codes": first_of(LEAKY_RELU_BY_TABLE),
        "softmax_of_codes": first_of(SOFTMAX_EVEN),
        "average_of_codes": first_of(AVERAGE_OF_REALS),
        "global_average_of_codes": first_of(GLOBAL_AVERAGE),
    },
)

# ConvInteger multiplies filters by pixels, not pixels by filters: its first factor is signed.
ONNX_AVX2 = ONNX.derive(
    "onnx-avx2",
    "ONNX Runtime on x86 processors without VNNI, where sums of pairs of uint8 by int8 saturate",
    steps={
        "accumulator": first_of(
            (both(IS_CONVOLUTION, IS_QINT32), WRAPPED), (OF_UNSIGNED, SATURATED_PAIRS), WRAPPED
        )
    },
)

_REFERENCE = _ARITHMETIC.change(zero_point="before")

# The multiplier is one of float32, its product with an integer one of float64.
_WIDE = record(_REFERENCE.change(precision="float64"), "wide")

ONNX_REFERENCE = record(_REFERENCE, "onnx-reference").derive(
    "onnx-reference",
    "The ReferenceEvaluator of onnx: zero points of products are added before rounding",
    steps={**_LINEAR, "requantize_sum": _WIDE.steps["requantize_sum"]},
)

QDQ_FLOAT = record(_ARITHMETIC, "onnxruntime-qdq-float").derive(
    "onnxruntime-qdq-float",
    "ONNX Runtime on x86 processors, operators between DequantizeLinear and QuantizeLinear unfused",
    steps={
        **_LINEAR,
        "product_of_reals": first_of((IS_TRANSPOSED, PRODUCT_OF_TRANSPOSED), PRODUCT_OF_REALS),
        "add": first_of(reals.ADD),
        "subtract": first_of(reals.SUBTRACT),
        "multiply": first_of(reals.MULTIPLY),
        "concatenate_codes": first_of(REQUANTIZE_BY_TABLE),
        "sigmoid_of_codes": first_of(reals.SIGMOID),
        "tanh_of_codes": first_of(reals.TANH),
        "elu_of_codes": first_of(reals.ELU),
        "hardswish_of_codes": first_of(reals.HARDSWISH),
        "leaky_relu_of_codes": first_of(reals.LEAKY_RELU),
        "softmax_of_codes": first_of(reals.SOFTMAX),
        "average_of_codes": first_of(reals.AVERAGE),
        "global_average_of_reals": first_of(reals.GLOBAL_AVERAGE),
        "mean_of_reals": first_of(reals.MEAN),
        "resize_of_reals": first_of(reals.RESIZE),
        "nearest_of_codes": first_of(NEAREST),
    },
)

ENGINES = (ONNX, ONNX_AVX2, ONNX_REFERENCE, QDQ_FLOAT)
