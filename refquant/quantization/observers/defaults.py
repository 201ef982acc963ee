"""Default observers: factories with the most common arguments, under their documented names."""

from refquant import dtypes
from refquant.quantization.observers.factory import Factory
from refquant.quantization.observers.fixed import (
    FixedQParamsObserver,
    PlaceholderObserver,
    ReuseInputObserver,
)
from refquant.quantization.observers.histogram import HistogramObserver
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.quantization.observers.per_channel import PerChannelMinMaxObserver
from refquant.quantization.observers.recording import RecordingObserver

__all__ = [
    "default_affine_fixed_qparams_observer",
    "default_debug_observer",
    "default_dynamic_quant_observer",
    "default_fixed_qparams_range_0to1_observer",
    "default_float_qparams_observer",
    "default_float_qparams_observer_4bit",
    "default_fixed_qparams_range_neg1to1_observer",
    "default_histogram_observer",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_placeholder_observer",
    "default_reuse_input_observer",
    "default_symmetric_fixed_qparams_observer",
    "default_weight_observer",
    "per_channel_weight_observer_range_neg_127_to_127",
    "weight_observer_range_neg_127_to_127",
]

# With one bit left unused; PyTorch 1.4 says so by `reduce_range`.
REDUCED = {"quant_min": 0, "quant_max": 127}
IN_1_4 = {"1.4": {"reduce_range": True}}
NARROW = {"quant_min": -127, "quant_max": 127, "eps": 2.0**-12}

default_observer = Factory(MinMaxObserver, REDUCED, releases=IN_1_4)
default_histogram_observer = Factory(HistogramObserver, REDUCED, releases=IN_1_4)
default_debug_observer = RecordingObserver
default_placeholder_observer = PlaceholderObserver
default_reuse_input_observer = ReuseInputObserver
default_weight_observer = MinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=dtypes.per_tensor_symmetric
)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=dtypes.per_channel_symmetric
)
weight_observer_range_neg_127_to_127 = default_weight_observer.with_args(**NARROW)
per_channel_weight_observer_range_neg_127_to_127 = default_per_channel_weight_observer.with_args(
    **NARROW
)
default_float_qparams_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.quint8, qscheme=dtypes.per_channel_affine_float_qparams, ch_axis=0
)
default_float_qparams_observer_4bit = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.quint4x2, qscheme=dtypes.per_channel_affine_float_qparams, ch_axis=0
)
default_dynamic_quant_observer = PlaceholderObserver.with_args(
    dtype=dtypes.quint8, quant_min=0, quant_max=255, is_dynamic=True
)
default_fixed_qparams_range_neg1to1_observer = FixedQParamsObserver.with_args(
    scale=2.0 / 256.0, zero_point=128, dtype=dtypes.quint8, quant_min=0, quant_max=255
)
default_fixed_qparams_range_0to1_observer = FixedQParamsObserver.with_args(
    scale=1.0 / 256.0, zero_point=0, dtype=dtypes.quint8, quant_min=0, quant_max=255
)
default_symmetric_fixed_qparams_observer = default_fixed_qparams_range_neg1to1_observer
default_affine_fixed_qparams_observer = default_fixed_qparams_range_0to1_observer
