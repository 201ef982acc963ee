"""QNNPACK, the engine of phones, in PyTorch 2.13 and in 1.4."""

from refquant.engines.builtin.fbgemm import FBGEMM, FBGEMM_1_4
from refquant.engines.conditions import (
    DEPTHWISE_OF_27_TAPS,
    HAS_NO_BIAS,
    IMAGE_QUINT8,
    IS_QUINT8,
    QNNPACK_DIVIDED,
    QNNPACK_WINDOW,
    SAME_SHAPE_QUINT8,
    TRAILING,
)
from refquant.engines.rule import Split, first_of
from refquant.engines.rules import average as w
from refquant.engines.rules import elementwise as e
from refquant.engines.rules import functions as f
from refquant.engines.rules import mean as r
from refquant.engines.rules import requantize as p

_LACKS = {
    "given_input": "QNNPACK has no kernel for it",
    "qint8_activations": "QNNPACK multiplies quint8 by qint8",
    "post_operations": "QNNPACK has no such kernels",
    "conv_transpose3d": "its kernel returns memory that it never wrote",
    "transposed_groups": "QNNPACK finds no scales for the groups of a transposed convolution",
    "transposed_relu": "QNNPACK has no transposed convolution with ReLU",
}

QNNPACK = FBGEMM.derive(
    "qnnpack",
    "QNNPACK, phones, as of PyTorch 2.13",
    release="2.13",
    steps={
        "activation": first_of((IS_QUINT8, f.FUNCTION_BY_TABLE), f.FUNCTION_OF_REALS),
        "add": first_of((SAME_SHAPE_QUINT8, e.SUM_IN_FIXED_POINT), e.SUM_OF_REALS),
        "mean": first_of(
            (IMAGE_QUINT8, w.AVERAGE_OF_STEPS), (TRAILING, r.MEAN_OF_INTEGERS), r.MEAN_IN_CASCADES
        ),
        "average_pool": first_of(
            (QNNPACK_WINDOW, Split.uniform(w.AVERAGE_OF_STEPS)), *FBGEMM.steps["average_pool"]
        ),
        "adaptive_average_pool": first_of(
            (QNNPACK_DIVIDED, Split.uniform(w.AVERAGE_OF_STEPS)),
            *FBGEMM.steps["adaptive_average_pool"],
        ),
        "bias": first_of((HAS_NO_BIAS, p.NO_BIAS), p.BIAS_ROUNDED),
        "multiplier": first_of(p.TIMES_RECIPROCAL),
        "requantize_sum": first_of((DEPTHWISE_OF_27_TAPS, p.DOUBLE_PRODUCT), p.FLOAT_PRODUCT),
        "dynamic_output": first_of(p.OUTPUT_ROUNDED_TWICE),
    },
    unsupported={
        "transposed_channels": None,
        **_LACKS,
        "dynamic_reduce_range": "its dynamic kernels always use the whole range of quint8",
        "float16_linear": "QNNPACK has no kernel for weights in float16",
    },
    recipe={"reduce_range": False, "weight": "per_tensor", "dynamic_reduce_range": False},
)

QNNPACK_1_4 = FBGEMM_1_4.derive(
    "qnnpack-1.4",
    "QNNPACK, phones, as of PyTorch 1.4",
    release="1.4",
    steps={
        "add": first_of((SAME_SHAPE_QUINT8, e.SUM_IN_FIXED_POINT), e.SUM_OF_REALS),
        "mean": first_of((IMAGE_QUINT8, w.AVERAGE_IN_FIXED_POINT), r.MEAN_IN_ORDER),
        "average_pool": first_of(
            (QNNPACK_WINDOW, Split.uniform(w.AVERAGE_IN_FIXED_POINT)),
            *FBGEMM_1_4.steps["average_pool"],
        ),
        "bias": first_of((HAS_NO_BIAS, p.NO_BIAS), p.BIAS_ROUNDED_QUOTIENT),
        "requantize_sum": first_of(p.FIXED_POINT),
    },
    unsupported={
        **_LACKS,
        "per_channel_weights": "QNNPACK of PyTorch 1.4 packs one scale for a whole weight",
        "mean_dimensions": "QNNPACK of PyTorch 1.4 averages over height and width of images",
        "conv3d": "QNNPACK of PyTorch 1.4 has no kernel for it",
        "dynamic_linear": "QNNPACK of PyTorch 1.4 has no kernel for it",
        "float16_linear": "QNNPACK has no kernel for weights in float16",
        "any_multiplier": "its fixed-point multiplier is at least 2**-32 and less than 1",
    },
    recipe={"reduce_range": False, "weight": "per_tensor"},
)

ENGINES = (QNNPACK, QNNPACK_1_4)
