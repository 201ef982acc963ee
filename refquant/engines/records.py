"""The four engines that refquant knows from the first day."""

from refquant.dtypes import qint32
from refquant.engines import choosing
from refquant.engines import quantization as q
from refquant.engines import requantization as r
from refquant.engines.record import Engine
from refquant.engines.rule import Condition, Split, choose

IS_QINT32 = Condition("dtype is qint32", lambda operands: operands.dtype is qint32)
HAS_NO_BIAS = Condition("there is no bias", lambda operands: not operands.bias)
IS_PER_CHANNEL = Condition("weights per channel", lambda operands: operands.per_channel)

FBGEMM = Engine(
    name="fbgemm",
    title="FBGEMM, x86 servers, as of PyTorch 2.13",
    steps={
        "quantize_per_tensor": choose(
            (IS_QINT32, Split.everywhere(q.ADD_THEN_ROUND)), Split.everywhere(q.FUSED)
        ),
        "quantize_per_channel": choose(Split.everywhere(q.ADD_THEN_ROUND)),
        "dequantize_per_tensor": choose(q.SUBTRACT),
        "dequantize_per_channel": choose(q.SUBTRACT_DOUBLE),
        "choose_quantization_params": choose(choosing.RANGE_IN_FLOAT64),
        "bias": choose(
            (HAS_NO_BIAS, r.NO_BIAS), (IS_PER_CHANNEL, r.BIAS_DIVIDED), r.BIAS_FUSED
        ),
        "multiplier": choose(r.QUOTIENT),
        "requantize_sum": choose(r.FLOAT_PRODUCT),
        "dynamic_output": choose(r.OUTPUT_FUSED),
    },
    recipe={"activation": "histogram", "reduce_range": True, "weight": "per_channel"},
)

QNNPACK = FBGEMM.derive(
    "qnnpack",
    "QNNPACK, phones, as of PyTorch 2.13",
    steps={
        "bias": choose((HAS_NO_BIAS, r.NO_BIAS), r.BIAS_ROUNDED),
        "multiplier": choose(r.TIMES_RECIPROCAL),
        "dynamic_output": choose(r.OUTPUT_ROUNDED_TWICE),
    },
    limits={
        "dynamic_reduce_range": "its dynamic kernels always use the whole range of quint8",
    },
    recipe={"reduce_range": False, "weight": "per_tensor"},
)

FBGEMM_1_4 = FBGEMM.derive(
    "fbgemm-1.4",
    "FBGEMM, x86 servers, as of PyTorch 1.4",
    steps={
        "quantize_per_tensor": choose(
            (IS_QINT32, Split.everywhere(q.DIVIDE_THEN_ROUND_WIDE, row_major=True)),
            Split(q.FUSED_CLAMP_THEN_ROUND, q.DIVIDE_THEN_ROUND, block=8, row_major=True),
        ),
        "quantize_per_channel": choose(
            Split.everywhere(q.DIVIDE_THEN_ROUND_WIDE, row_major=True)
        ),
        "choose_quantization_params": choose(choosing.RANGE_IN_FLOAT32),
    },
)

QNNPACK_1_4 = FBGEMM_1_4.derive(
    "qnnpack-1.4",
    "QNNPACK, phones, as of PyTorch 1.4",
    steps={
        "bias": choose((HAS_NO_BIAS, r.NO_BIAS), r.BIAS_ROUNDED_QUOTIENT),
        "requantize_sum": choose(r.FIXED_POINT),
    },
    limits={
        "per_channel_weights": "QNNPACK of PyTorch 1.4 packs one scale for a whole weight",
        "conv3d": "QNNPACK of PyTorch 1.4 has no kernel for it",
        "dynamic_linear": "QNNPACK of PyTorch 1.4 has no kernel for it",
        "multiplier_not_below_one": "its fixed-point multiplier has 31 fractional bits",
    },
    recipe={"reduce_range": False, "weight": "per_tensor"},
)

BUILT_IN = (FBGEMM, QNNPACK, FBGEMM_1_4, QNNPACK_1_4)
