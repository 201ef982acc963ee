"""Pictures of quantization, drawn with matplotlib (the extra ``plot``).

Every function draws into the given axes, or into new ones, and returns them. It sets labels with
units and leaves fonts and colors of axes to the current style; the colors of the data are
distinguishable for color-blind readers and stand out on light and dark backgrounds.
"""

from refquant.plotting.bits import sqnr_curves
from refquant.plotting.boxes import channel_boxes
from refquant.plotting.channels import channel_ranges
from refquant.plotting.confusion import code_confusion
from refquant.plotting.errors import error_histogram
from refquant.plotting.grid import integer_grid
from refquant.plotting.histogram import value_histogram
from refquant.plotting.image_error import error_map
from refquant.plotting.interactive import can_slide, sliders
from refquant.plotting.maps import sensitivity_map
from refquant.plotting.mismatch import mismatch_bars
from refquant.plotting.ranges import observer_ranges
from refquant.plotting.sawtooth import error_sawtooth
from refquant.plotting.sqnr import sqnr_bars
from refquant.plotting.staircase import before_after
from refquant.plotting.style import COLORS
from refquant.plotting.sweep import range_sweep
from refquant.plotting.weights import weight_histogram

__all__ = [
    "COLORS",
    "before_after",
    "can_slide",
    "channel_boxes",
    "channel_ranges",
    "code_confusion",
    "error_histogram",
    "error_map",
    "error_sawtooth",
    "integer_grid",
    "mismatch_bars",
    "observer_ranges",
    "range_sweep",
    "sensitivity_map",
    "sliders",
    "sqnr_bars",
    "sqnr_curves",
    "value_histogram",
    "weight_histogram",
]
