"""Ranges of the weights of each channel, compared with the range of a shared scale."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError, IndexRangeError
from refquant.plotting.style import COLORS, axes, real_values

__all__ = ["channel_ranges"]


@documented()
def channel_ranges(weight: Any, *, axis: int = 0, ax: Any = None) -> Any:
    """Draw the range of every channel of a weight, and the largest magnitude of all.

    The narrower a channel compared to the dashed lines, the more it gains from a scale of its own.

    Parameters
    ----------
    weight : Tensor or ndarray
        At least one dimension; a quantized one is dequantized.
    axis : int, default 0
        The dimension of the channels.
    %(ax)s

    Raises
    ------
    IndexRangeError
        If `axis` is not a dimension of `weight`.
    ArgumentError
        If `weight` is empty or not finite.

    Examples
    --------
    >>> import refquant
    >>> ax = refquant.plotting.channel_ranges(refquant.randn(8, 3, 3, 3))
    >>> ax.get_xlabel()
    'channel'
    """
    array = real_values(weight, "weight").astype(np.float64)
    axis = arguments.integer("axis", axis)
    if not 0 <= axis < array.ndim:
        raise IndexRangeError(
            argument="axis", expected=f"a dimension of a weight of shape {array.shape}", got=axis
        )
    if array.size == 0 or not np.isfinite(array).all():
        raise ArgumentError(
            argument="weight",
            expected="finite numbers, at least one",
            got=f"a weight of shape {array.shape}" + (" with others" if array.size else ""),
        )
    channels = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
    low, high = channels.min(axis=1), channels.max(axis=1)
    ax = axes(ax)
    ax.bar(np.arange(len(channels)), high - low, bottom=low, color=COLORS[0], label="one channel")
    largest = float(np.abs(array).max())
    for bound, label in ((-largest, "range of a shared scale"), (largest, "_other end")):
        ax.axhline(bound, color=COLORS[1], linestyle="--", linewidth=1.2, label=label)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(-1.1 * largest or -1.0, 1.1 * largest or 1.0)
    ax.set_xlabel("channel")
    ax.set_ylabel("weight (real units)")
    return ax
