"""The observers, under the path ``refquant.quantization.observer``."""

from refquant.observers.base import Observer, ObserverBase
from refquant.observers.defaults import (
    default_debug_observer,
    default_histogram_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)
from refquant.observers.histogram import HistogramObserver
from refquant.observers.minmax import MinMaxObserver
from refquant.observers.moving_average import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)
from refquant.observers.noop import NoopObserver
from refquant.observers.per_channel import PerChannelMinMaxObserver
from refquant.observers.recording import RecordingObserver

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
