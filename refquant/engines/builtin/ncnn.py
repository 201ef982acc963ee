"""ncnn on x86 processors, of Intel with AVX-512 and of AMD with AVX2 alone.

They differ in depthwise convolutions.
"""

from refquant.engines.arithmetic import ncnn
from refquant.engines.arithmetic.compose import record
from refquant.engines.arithmetic.runtime_codes import DEQUANTIZE_IN_FLOAT32
from refquant.engines.conditions import (
    HAS_8_OUTPUTS,
    IN_PACKS_OF_8,
    IS_CONVOLUTION,
    IS_DEPTHWISE,
)
from refquant.engines.rule import Choice, Rule, first_of


def _product(in_packs: Rule, depthwise: Rule) -> tuple[Choice, ...]:
    return first_of(
        (IN_PACKS_OF_8, in_packs),
        (IS_DEPTHWISE, depthwise),
        (HAS_8_OUTPUTS, ncnn.PIXELS),
        (IS_CONVOLUTION, ncnn.CONVOLUTION),
        ncnn.LINEAR,
    )


NCNN = record(ncnn.ARITHMETIC, "ncnn").derive(
    "ncnn",
    "ncnn on x86 processors: InnerProduct, Convolution and Quantize of int8",
    steps={
        "product": _product(ncnn.IN_PACKS, ncnn.DEPTHWISE),
        "quantize_per_tensor": first_of(ncnn.QUANTIZE),
        "dequantize_per_tensor": first_of(DEQUANTIZE_IN_FLOAT32),
        "requantize_codes": first_of(ncnn.REQUANTIZE),
    },
)
NCNN_AMD_AVX2 = NCNN.derive(
    "ncnn-amd-avx2",
    "ncnn on processors of AMD with AVX2 alone, which approximate reciprocals by other tables",
    steps={"product": _product(ncnn.IN_PACKS_OF_AMD, ncnn.DEPTHWISE_UNFUSED)},
)

ENGINES = (NCNN, NCNN_AMD_AVX2)
