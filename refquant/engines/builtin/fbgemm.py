"""FBGEMM, the engine of x86 servers, in PyTorch 2.13 and in 1.4."""

from refquant.engines.conditions import (
    HAS_NO_BIAS,
    IS_CHANNELS_LAST,
    IS_PER_CHANNEL,
    IS_QINT32,
    TRAILING,
    WIDE_CHANNELS_LAST,
)
from refquant.engines.record import Engine
from refquant.engines.rule import Split, first_of
from refquant.engines.rules import accumulate, dynamic_qparams
from refquant.engines.rules import average as w
from refquant.engines.rules import elementwise as e
from refquant.engines.rules import expm1 as x
from refquant.engines.rules import functions as f
from refquant.engines.rules import interpolate as s
from refquant.engines.rules import mean as r
from refquant.engines.rules import quantize as q
from refquant.engines.rules import requantize as p
from refquant.engines.rules.pipeline import IN_STEPS
from refquant.engines.workflow import PYTORCH_1_4, PYTORCH_2_13

FBGEMM = Engine(
    name="fbgemm",
    title="FBGEMM, x86 servers, as of PyTorch 2.13",
    release="2.13",
    steps={
        "quantize_per_tensor": first_of(
            (IS_QINT32, Split.uniform(q.ADD_THEN_ROUND)), Split.uniform(q.FUSED)
        ),
        "copy": first_of((IS_QINT32, Split.uniform(q.ADD_THEN_ROUND)), Split.uniform(q.FUSED)),
        "quantize_per_channel": first_of(Split.uniform(q.ADD_THEN_ROUND)),
        "dequantize_per_tensor": first_of(q.SUBTRACT),
        "dequantize_per_channel": first_of(q.SUBTRACT_DOUBLE),
        "elementwise_dequantize": first_of(
            (IS_QINT32, Split(q.SUBTRACT_FUSED, q.SUBTRACT, block=16)),
            Split(q.SUBTRACT_FUSED, q.SUBTRACT, block=64),
        ),
        "elementwise_quantize": first_of(
            (IS_QINT32, Split(q.ADD_THEN_ROUND, q.ADD_THEN_ROUND, block=16)),
            Split(q.ROUND_THEN_ADD, q.ADD_THEN_ROUND, block=64),
        ),
        "exponential": first_of(Split(x.EXPM1_OF_PAIRS, x.EXPM1_ROUNDED_ONCE)),
        "sigmoid_dequantize": first_of(
            (IS_QINT32, Split(q.SUBTRACT_ROUNDED, q.SUBTRACT, block=16)),
            Split(q.SUBTRACT_ROUNDED, q.SUBTRACT, block=64),
        ),
        "sigmoid": first_of(Split(f.SIGMOID_IN_FLOAT32, f.SIGMOID_IN_FLOAT64)),
        "gate": first_of(Split(f.SIGMOID_IN_FLOAT32, f.SIGMOID_ROUNDED, block=32)),
        "tanh": first_of(Split(f.TANH_OF_PAIRS, f.TANH_ROUNDED_ONCE)),
        "gelu": first_of(Split(f.GELU_IN_FLOAT32, f.GELU_IN_FLOAT64)),
        "gelu_tanh": first_of(Split(f.GELU_TANH_IN_FLOAT32, f.GELU_TANH_IN_FLOAT64)),
        "normalize_dequantize": first_of(
            (IS_QINT32, Split(q.SUBTRACT_ROUNDED, q.SUBTRACT_WIDE, block=8)),
            Split(q.SUBTRACT_ROUNDED, q.SUBTRACT_WIDE, block=32),
        ),
        "normalize_quantize": first_of(
            (IS_QINT32, Split(q.ADD_THEN_ROUND, q.ADD_THEN_ROUND, block=8)),
            Split(q.ROUND_THEN_ADD, q.ADD_THEN_ROUND, block=32),
        ),
        "batch_norm_quantize": first_of(
            (IS_QINT32, Split(q.ADD_THEN_ROUND, q.ROUND_THEN_ADD_WIDE, block=8)),
            Split(q.ROUND_THEN_ADD, q.ROUND_THEN_ADD_WIDE, block=8),
        ),
        "activation": first_of(f.FUNCTION_OF_REALS),
        "elementwise_requantize": first_of(
            (IS_QINT32, Split(e.CONVERT_THEN_ADD, e.WIDEN_THEN_ADD, block=16)),
            Split(e.CONVERT_THEN_ADD, e.WIDEN_THEN_ADD, block=64),
        ),
        "add": first_of(e.SUM_OF_REALS),
        "multiply": first_of(e.PRODUCT_OF_INTEGERS),
        "add_scalar": first_of(e.SHIFT_OF_INTEGERS),
        "cat_dequantize": first_of(Split(q.SUBTRACT_FUSED, q.SUBTRACT, block=8)),
        "cat_quantize": first_of(Split(q.ROUND_THEN_ADD_DOUBLE, q.ADD_THEN_ROUND, block=8)),
        "mean": first_of((TRAILING, r.MEAN_OF_INTEGERS), r.MEAN_IN_CASCADES),
        "average_pool": first_of(
            (WIDE_CHANNELS_LAST, Split.uniform(w.AVERAGE_ADD_THEN_ROUND)),
            (IS_CHANNELS_LAST, Split(w.AVERAGE_ROUND_THEN_ADD, w.AVERAGE_ADD_THEN_ROUND, block=16)),
            Split.uniform(w.AVERAGE_ADD_THEN_ROUND),
        ),
        "adaptive_average_pool": first_of(
            (WIDE_CHANNELS_LAST, Split.uniform(w.AVERAGE_ADD_THEN_ROUND)),
            (IS_CHANNELS_LAST, Split(w.AVERAGE_FUSED, w.AVERAGE_ADD_THEN_ROUND, block=8)),
            Split.uniform(w.AVERAGE_OF_INTEGERS),
        ),
        "resize_step": first_of(s.RATIO_OR_FACTOR),
        "resize_place": first_of((IS_CHANNELS_LAST, s.PLACE_FUSED), s.PLACE_ROUNDED),
        "resize_mix": first_of(
            (WIDE_CHANNELS_LAST, Split.uniform(s.MIX_FUSED_FIRST)),
            (IS_CHANNELS_LAST, Split(s.MIX_FUSED, s.MIX_FUSED_FIRST, block=8)),
            Split.uniform(s.MIX_ROUNDED),
        ),
        "dynamic_qparams": first_of(dynamic_qparams.RANGE_IN_FLOAT64),
        "dynamic_quantize": first_of(q.AS_TENSORS),
        "accumulator": first_of(accumulate.WRAPPED),
        "border": first_of(accumulate.BORDER_OF_ZERO_POINT),
        "product": first_of(IN_STEPS),
        "bias": first_of((HAS_NO_BIAS, p.NO_BIAS), (IS_PER_CHANNEL, p.BIAS_DIVIDED), p.BIAS_FUSED),
        "multiplier": first_of(p.QUOTIENT),
        "requantize_sum": first_of(p.FLOAT_PRODUCT),
        "dynamic_output": first_of(p.OUTPUT_FUSED),
        "dynamic_relu": first_of(p.RELU_OF_NEGATIVE),
    },
    unsupported={
        "qint8_activations": "FBGEMM multiplies quint8 by qint8",
        "post_operations": "FBGEMM has no such kernels",
        "transposed_channels": "FBGEMM packs one scale for the weight of a transposed convolution",
    },
    recipe={
        "activation": "histogram",
        "reduce_range": True,
        "weight": "per_channel",
        "dynamic_reduce_range": True,
        "workflow": PYTORCH_2_13,
    },
)

FBGEMM_1_4 = FBGEMM.derive(
    "fbgemm-1.4",
    "FBGEMM, x86 servers, as of PyTorch 1.4",
    release="1.4",
    steps={
        "quantize_per_tensor": first_of(
            (IS_QINT32, Split.uniform(q.DIVIDE_THEN_ROUND_WIDE, row_major=True)),
            Split(q.FUSED_CLAMP_THEN_ROUND, q.DIVIDE_THEN_ROUND, block=8, row_major=True),
        ),
        "copy": first_of(Split.uniform(q.DIVIDE_THEN_ROUND_WIDE)),
        "elementwise_quantize": first_of(
            (IS_QINT32, Split(q.DIVIDE_THEN_ROUND_WIDE, q.DIVIDE_THEN_ROUND_WIDE, block=16)),
            Split(q.FUSED_CONVERT, q.DIVIDE_THEN_ROUND_WIDE, block=64),
        ),
        "gate": first_of(Split(f.SIGMOID_IN_FLOAT32, f.SIGMOID_ROUNDED, block=16)),
        "multiply": first_of(e.PRODUCT_OF_REALS),
        "add_scalar": first_of(e.SHIFT_OF_REALS),
        "cat_dequantize": first_of(Split(q.SUBTRACT_FUSED, q.SUBTRACT, block=32)),
        "cat_quantize": first_of(Split(q.FUSED_CONVERT_DOUBLE, q.DIVIDE_THEN_ROUND_WIDE, block=32)),
        "mean": first_of(r.MEAN_IN_ORDER),
        "average_pool": first_of(
            (WIDE_CHANNELS_LAST, Split.uniform(w.AVERAGE_DIVIDE_THEN_ROUND)),
            (IS_CHANNELS_LAST, Split(w.AVERAGE_FUSED, w.AVERAGE_DIVIDE_THEN_ROUND, block=8)),
            Split.uniform(w.AVERAGE_ADD_THEN_ROUND),
        ),
        "adaptive_average_pool": first_of(
            (WIDE_CHANNELS_LAST, Split.uniform(w.AVERAGE_DIVIDE_THEN_ROUND)),
            (IS_CHANNELS_LAST, Split(w.AVERAGE_FUSED, w.AVERAGE_DIVIDE_THEN_ROUND, block=8)),
            Split.uniform(w.AVERAGE_OF_INTEGERS),
        ),
        "resize_step": first_of(s.RATIO),
        "resize_place": first_of(s.PLACE_FUSED),
        "quantize_per_channel": first_of(Split.uniform(q.DIVIDE_THEN_ROUND_WIDE, row_major=True)),
        "dynamic_qparams": first_of(dynamic_qparams.RANGE_IN_FLOAT32),
    },
    unsupported={"broadcast": "operators of PyTorch 1.4 take operands of one shape"},
    recipe={"dynamic_reduce_range": False, "workflow": PYTORCH_1_4},
)

ENGINES = (FBGEMM, FBGEMM_1_4)
