"""ncnn on x86 processors."""

from refquant.engines.arithmetic import ncnn
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.runtime_codes import DEQUANTIZE_IN_FLOAT32
from refquant.engines.conditions import (
    HAS_8_OUTPUTS,
    IN_PACKS_OF_8,
    IS_CONVOLUTION,
    IS_DEPTHWISE,
)
from refquant.engines.rule import first_of

ENGINES = (
    record(ncnn.ARITHMETIC, "ncnn").derive(
        "ncnn",
        "ncnn on x86 processors: InnerProduct, Convolution and Quantize of int8",
        steps={
            "product": first_of(
                (IN_PACKS_OF_8, ncnn.IN_PACKS),
                (IS_DEPTHWISE, ncnn.DEPTHWISE),
                (HAS_8_OUTPUTS, ncnn.PIXELS),
                (IS_CONVOLUTION, ncnn.CONVOLUTION),
                ncnn.LINEAR,
            ),
            "quantize_per_tensor": first_of(ncnn.QUANTIZE),
            "dequantize_per_tensor": first_of(DEQUANTIZE_IN_FLOAT32),
            "requantize_codes": first_of(ncnn.REQUANTIZE),
        },
    ),
)
