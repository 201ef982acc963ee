"""The engines `x86` and `onednn` of PyTorch 2.13, on a processor with AVX512-VNNI."""

from refquant.engines.builtin.fbgemm import FBGEMM
from refquant.engines.conditions import (
    DILATED_DEPTHWISE,
    IS_CONVOLUTION,
    IS_PER_CHANNEL,
    IS_QINT8,
    LEFT_TO_REFERENCE,
    TAKEN_BY_ONEDNN,
    both,
)
from refquant.engines.rule import Split, first_of
from refquant.engines.rules import pipeline as p
from refquant.engines.rules import quantize as q

ONEDNN = FBGEMM.derive(
    "onednn",
    "oneDNN, x86 servers with VNNI, as of PyTorch 2.13",
    steps={
        "product": first_of(
            (DILATED_DEPTHWISE, p.CONVOLUTION_PRODUCT_FIRST),
            (LEFT_TO_REFERENCE, p.CONVOLUTION_DIVIDED),
            (IS_CONVOLUTION, p.CONVOLUTION),
            (both(IS_QINT8, IS_PER_CHANNEL), p.LINEAR_CHANNELS_DIVIDED),
            (IS_QINT8, p.LINEAR_DIVIDED),
            (IS_PER_CHANNEL, p.LINEAR_CHANNELS),
            p.LINEAR,
        ),
        "dynamic_quantize": first_of(Split.uniform(q.ADD_THEN_ROUND_INVERTED)),
        "dynamic_output": first_of((IS_PER_CHANNEL, p.OUTPUT_IN_TURN_CHANNELS), p.OUTPUT_IN_TURN),
        "dynamic_relu": first_of(p.RELU_OF_POSITIVE),
    },
    unsupported={
        "qint8_activations": None,
        "post_operations": None,
        "weight_zero_points": "oneDNN quantizes weights symmetrically",
        "output_padding": "oneDNN has no transposed convolution with output padding",
        "given_input": "oneDNN has no kernel for it",
        "float16_linear": "oneDNN packs no weights in float16",
    },
    recipe={"reduce_range": False},
    release="2.13",
)

X86 = FBGEMM.derive(
    "x86",
    "x86, servers with VNNI, as of PyTorch 2.13: oneDNN for most convolutions, else FBGEMM",
    steps={
        "product": first_of(
            (both(TAKEN_BY_ONEDNN, DILATED_DEPTHWISE), p.CONVOLUTION_PRODUCT_FIRST),
            (both(TAKEN_BY_ONEDNN, LEFT_TO_REFERENCE), p.CONVOLUTION_DIVIDED),
            (TAKEN_BY_ONEDNN, p.CONVOLUTION),
            p.IN_STEPS,
        ),
    },
    release="2.13",
)

ENGINES = (ONEDNN, X86)
