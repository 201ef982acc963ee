"""The observers, under the path ``refquant.quantization.observer``."""

from refquant.quantization.observers.base import Observer, ObserverBase
from refquant.quantization.observers.defaults import (
    default_debug_observer,
    default_histogram_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)
from refquant.quantization.observers.histogram import HistogramObserver
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.quantization.observers.moving_average import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)
from refquant.quantization.observers.noop import NoopObserver
from refquant.quantization.observers.per_channel import PerChannelMinMaxObserver
from refquant.quantization.observers.recording import RecordingObserver

__all__ = [
    "HistogramObserver",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "NoopObserver",
    "Observer",
    "ObserverBase",
    "PerChannelMinMaxObserver",
    "RecordingObserver",
    "default_debug_observer",
    "default_histogram_observer",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_weight_observer",
]
