"""OpenVINO on x86 processors, with uint8 activations."""

from refquant.engines.arithmetic import openvino
from refquant.engines.arithmetic.compose import record
from refquant.engines.rule import Split, first_of

ENGINES = (
    record(openvino.ARITHMETIC, "openvino-u8").derive(
        "openvino-u8",
        "OpenVINO on x86 processors: convolutions of uint8 by one weight scale",
        steps={
            "product": first_of(openvino.PRODUCT),
            "quantize_per_tensor": first_of(Split.uniform(openvino.QUANTIZE)),
            "dequantize_per_tensor": first_of(openvino.DEQUANTIZE),
            "requantize_codes": first_of(Split.uniform(openvino.REQUANTIZE)),
        },
    ),
)
