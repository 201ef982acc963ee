"""Default observers: factories with the most common arguments, under their documented names."""

from refquant import dtypes
from refquant.quantization.observers.histogram import HistogramObserver
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.quantization.observers.per_channel import PerChannelMinMaxObserver
from refquant.quantization.observers.recording import RecordingObserver

__all__ = [
    "default_debug_observer",
    "default_histogram_observer",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_weight_observer",
]

default_observer = MinMaxObserver.with_args(reduce_range=True)
default_histogram_observer = HistogramObserver.with_args(reduce_range=True)
default_debug_observer = RecordingObserver
default_weight_observer = MinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=dtypes.per_tensor_symmetric
)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=dtypes.per_channel_symmetric
)
