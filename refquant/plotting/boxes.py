"""How the values of each channel are spread, as boxes."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError, IndexRangeError
from refquant.plotting.style import COLORS, axes, real_values

__all__ = ["channel_boxes"]

MOST_CHANNELS = 1000


@documented()
def channel_boxes(values: Any, *, axis: int = 1, ax: Any = None) -> Any:
    """Draw a box for each channel: the middle half of its values, their median, and their range.

    A box that is small beside the dashed lines uses few of the integers of a shared scale; one that
    is small beside its own line has outliers, which clipping would cut.

    Parameters
    ----------
    values : Tensor or ndarray
        Activations or a weight, of at most 1000 channels; a quantized tensor is dequantized.
    axis : int, default 1
        The dimension of the channels: 1 for activations of convolutions, 0 for weights.
    %(ax)s

    Raises
    ------
    IndexRangeError
        If `axis` is not a dimension of `values`.
    ArgumentError
        If `values` are empty, not finite, or of too many channels.

    Examples
    --------
    >>> import refquant
    >>> ax = refquant.plotting.channel_boxes(refquant.randn(10, 8, 4, 4))
    >>> ax.get_xlabel()
    'channel'
    """
    array = real_values(values).astype(np.float64)
    axis = arguments.integer("axis", axis)
    if not 0 <= axis < array.ndim:
        raise IndexRangeError(
            argument="axis", expected=f"a dimension of values of shape {array.shape}", got=axis
        )
    if array.size == 0 or not np.isfinite(array).all() or array.shape[axis] > MOST_CHANNELS:
        raise ArgumentError(
            argument="values",
            expected=f"finite numbers, at least one, of at most {MOST_CHANNELS} channels",
            got=f"values of shape {array.shape}",
        )
    channels = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
    low, first, median, third, high = np.percentile(channels, (0, 25, 50, 75, 100), axis=1)
    places = np.arange(len(channels))
    ax = axes(ax)
    ax.vlines(places, low, high, color=COLORS[0], linewidth=1, label="all values")
    ax.bar(places, third - first, 0.7, first, color=COLORS[0], label="middle half")
    ax.hlines(median, places - 0.35, places + 0.35, color=COLORS[1], linewidth=1.8, label="median")
    for bound, label in ((array.min(), "range of a shared scale"), (array.max(), "_other end")):
        ax.axhline(bound, color=COLORS[2], linestyle="--", linewidth=1.2, label=label)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("channel")
    ax.set_ylabel("value (real units)")
    span = float(array.max() - array.min()) or 1.0
    ax.set_ylim(array.min() - 0.05 * span, array.max() + 0.35 * span)  # the legend stands above
    ax.legend(loc="upper left", ncols=2)
    return ax
