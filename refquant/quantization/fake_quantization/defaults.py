"""Default fake quantization: factories under their documented names."""

from refquant import dtypes
from refquant.quantization.fake_quantization.modules import (
    FakeQuantize,
    FixedQParamsFakeQuantize,
    FusedMovingAvgObsFakeQuantize,
)
from refquant.quantization.observers.defaults import (
    default_fixed_qparams_range_0to1_observer,
    default_fixed_qparams_range_neg1to1_observer,
)
from refquant.quantization.observers.histogram import HistogramObserver
from refquant.quantization.observers.moving_average import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)

__all__ = [
    "default_affine_fixed_qparams_fake_quant",
    "default_dynamic_fake_quant",
    "default_embedding_fake_quant",
    "default_embedding_fake_quant_4bit",
    "default_fake_quant",
    "default_fixed_qparams_range_0to1_fake_quant",
    "default_fixed_qparams_range_neg1to1_fake_quant",
    "default_fused_act_fake_quant",
    "default_fused_per_channel_wt_fake_quant",
    "default_fused_wt_fake_quant",
    "default_histogram_fake_quant",
    "default_per_channel_weight_fake_quant",
    "default_symmetric_fixed_qparams_fake_quant",
    "default_weight_fake_quant",
    "fused_per_channel_wt_fake_quant_range_neg_127_to_127",
    "fused_wt_fake_quant_range_neg_127_to_127",
]

UINT8 = {"quant_min": 0, "quant_max": 255}
INT8 = {"quant_min": -128, "quant_max": 127, "dtype": dtypes.qint8}
NARROW = {"quant_min": -127, "quant_max": 127, "dtype": dtypes.qint8, "eps": 2.0**-12}
AFFINE = {**UINT8, "dtype": dtypes.quint8, "qscheme": dtypes.per_tensor_affine}
PER_TENSOR = {
    "observer": MovingAverageMinMaxObserver,
    "qscheme": dtypes.per_tensor_symmetric,
}
PER_CHANNEL = {
    "observer": MovingAveragePerChannelMinMaxObserver,
    "qscheme": dtypes.per_channel_symmetric,
}

default_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, **AFFINE, reduce_range=True
)
default_weight_fake_quant = FakeQuantize.with_args(**PER_TENSOR, **INT8, reduce_range=False)
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    **PER_CHANNEL, **INT8, reduce_range=False, ch_axis=0
)
default_histogram_fake_quant = FakeQuantize.with_args(
    observer=HistogramObserver, **AFFINE, reduce_range=True
)
default_dynamic_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    **UINT8,
    is_dynamic=True,
    dtype=dtypes.quint8,
    averaging_constant=1,
)
default_embedding_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver,
    qscheme=dtypes.per_channel_affine_float_qparams,
    dtype=dtypes.quint8,
    **UINT8,
    ch_axis=0,
    averaging_constant=1,
)
default_embedding_fake_quant_4bit = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver,
    qscheme=dtypes.per_channel_affine_float_qparams,
    dtype=dtypes.quint4x2,
    ch_axis=0,
    averaging_constant=1,
)
default_fixed_qparams_range_neg1to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_neg1to1_observer
)
default_fixed_qparams_range_0to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_0to1_observer
)
default_symmetric_fixed_qparams_fake_quant = default_fixed_qparams_range_neg1to1_fake_quant
default_affine_fixed_qparams_fake_quant = default_fixed_qparams_range_0to1_fake_quant
default_fused_act_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, **UINT8, dtype=dtypes.quint8
)
default_fused_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(**PER_TENSOR, **INT8)
default_fused_per_channel_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    **PER_CHANNEL, **INT8
)
fused_wt_fake_quant_range_neg_127_to_127 = FusedMovingAvgObsFakeQuantize.with_args(
    **PER_TENSOR, **NARROW
)
fused_per_channel_wt_fake_quant_range_neg_127_to_127 = FusedMovingAvgObsFakeQuantize.with_args(
    **PER_CHANNEL, **NARROW
)
