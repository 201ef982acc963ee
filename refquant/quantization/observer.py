"""The observers, under the path ``refquant.quantization.observer``."""

from refquant.quantization.observers.affine import UniformQuantizationObserverBase
from refquant.quantization.observers.base import Observer, ObserverBase
from refquant.quantization.observers.defaults import *  # noqa: F403
from refquant.quantization.observers.defaults import __all__ as DEFAULTS
from refquant.quantization.observers.fixed import (
    FixedQParamsObserver,
    PlaceholderObserver,
    ReuseInputObserver,
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
from refquant.quantization.observers.states import (
    get_observer_state_dict,
    load_observer_state_dict,
)

__all__ = [
    *DEFAULTS,
    "FixedQParamsObserver",
    "HistogramObserver",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "NoopObserver",
    "Observer",
    "ObserverBase",
    "PerChannelMinMaxObserver",
    "PlaceholderObserver",
    "RecordingObserver",
    "ReuseInputObserver",
    "UniformQuantizationObserverBase",
    "get_observer_state_dict",
    "load_observer_state_dict",
]
