"""Histograms of weights before and after quantization."""

import math
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ShapeError
from refquant.ops import checks
from refquant.plotting.style import COLORS, MOST_POINTS, axes, real_values
from refquant.tensors import QuantizedTensor

__all__ = ["weight_histogram"]


@documented()
def weight_histogram(before: Any, after: Any, *, bins: int = 61, ax: Any = None) -> Any:
    r"""Draw histograms of a weight before and after quantization, over the same bins.

    The width of a bin is a whole number of quantization steps, and its edges lie halfway between
    two integers. With other edges some bins would hold more integers than others, which shows as
    spikes and gaps that are not in the weight. The two histograms differ where weights are clipped.

    Parameters
    ----------
    before : Tensor or ndarray
        The float weight.
    after : QuantizedTensor
        The quantized weight, of the same shape. If it is quantized per channel, the weights of
        each channel are counted in steps of its own scale.
    bins : int, default 61
        At most this many bars, at least 2. Each is one step wide, or the smallest odd number of
        steps that suffices, so that zero is in the middle of a bar.
    %(ax)s

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If `bins` is less than 2.

    Examples
    --------
    >>> import refquant
    >>> from refquant.plotting import weight_histogram
    >>> w = refquant.randn(16, 16)
    >>> ax = weight_histogram(w, refquant.quantize_per_tensor(w, 0.03, 0, refquant.qint8))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['float32', 'qint8']
    """
    shape = real_values(before, "before").shape
    after = checks.quantized_tensor("after", after)
    if shape != tuple(after.shape):
        raise ShapeError(
            argument="after", expected=f"of shape {shape}, that of `before`", got=tuple(after.shape)
        )
    bins = arguments.integer("bins", bins, 2, MOST_POINTS)
    ax = axes(ax)
    floats, integers = _steps(before, after)
    edges = _edges(floats, integers, bins)
    unit = after.scale if after.axis is None else 1.0
    ax.stairs(
        np.histogram(floats, edges)[0],
        edges * unit,
        fill=True,
        color=COLORS[0],
        alpha=0.55,
        label="float32",
    )
    ax.stairs(
        np.histogram(integers, edges)[0],
        edges * unit,
        color=COLORS[1],
        linewidth=1.5,
        label=after.dtype.name,
    )
    ax.set_xlabel("weight (real units)" if after.axis is None else "weight (steps of its channel)")
    ax.set_ylabel("elements")
    # Tails hold few weights: a logarithmic axis keeps them visible.
    ax.set_yscale("symlog", linthresh=1)
    ax.yaxis.set_major_formatter(lambda count, position: f"{count:,.0f}")
    ax.set_ylim(bottom=0)
    ax.legend()
    return ax


def _steps(before: Any, after: QuantizedTensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights before and after as distances from zero, in steps."""
    scale, zero_point = after.scale, after.zero_point
    if after.axis is not None:
        # One number for each channel, to be broadcast along its axis.
        along = [1] * after.array.ndim
        along[after.axis] = -1
        scale, zero_point = np.reshape(scale, along), np.reshape(zero_point, along)
    floats = real_values(before).astype(np.float64) / scale
    integers = after.array.astype(np.float64) - zero_point
    return floats[np.isfinite(floats)], integers.ravel()


def _edges(floats: np.ndarray, integers: np.ndarray, bins: int) -> np.ndarray:
    """Return edges of at most `bins` bins of an odd number of steps, one centered on zero."""
    together = np.concatenate([floats, integers, np.zeros(1 - min(1, integers.size))])
    low, high = float(together.min()), float(together.max())
    width = max(1, math.ceil((high - low) / (bins - 1))) | 1
    first, last = (math.floor(end / width + 0.5) for end in (low, high))
    return (np.arange(first, last + 2) - 0.5) * width
