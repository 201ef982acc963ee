"""OpenVINO on x86 processors, with uint8 activations.

It moves what precedes a quantization into the ends of its range, if that is one number for all
outputs: the scales of a convolution, and its bias.
"""

from refquant.engines.arithmetic import openvino
from refquant.engines.arithmetic.compose import record
from refquant.engines.conditions import HAS_EQUAL_BIASES, HAS_NO_BIAS, IS_CONVOLUTION, both
from refquant.engines.rule import Split, first_of

WITHIN_ENDS = both(IS_CONVOLUTION, HAS_EQUAL_BIASES)

ENGINES = (
    record(openvino.ARITHMETIC, "openvino-u8").derive(
        "openvino-u8",
        "OpenVINO on x86 processors: convolutions and products of uint8",
        steps={
            "product": first_of(
                (WITHIN_ENDS, openvino.WITHIN_ENDS),
                (HAS_NO_BIAS, openvino.BY_RATIO),
                openvino.PRODUCT,
            ),
            "quantize_per_tensor": first_of(Split.uniform(openvino.QUANTIZE)),
            "dequantize_per_tensor": first_of(openvino.DEQUANTIZE),
            "requantize_codes": first_of(Split.uniform(openvino.REQUANTIZE)),
        },
    ),
)
