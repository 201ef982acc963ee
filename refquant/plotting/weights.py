"""Weights before and after quantization."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ShapeError
from refquant.ops import checks
from refquant.plotting.style import COLORS, MOST_POINTS, axes, bin_edges, real_values, values_of

__all__ = ["weight_histogram"]


def weight_histogram(before: Any, after: Any, *, bins: int = 61, ax: Any = None) -> Any:
    """Draw histograms of a weight before and after quantization, over the same bins.

    Parameters
    ----------
    before : Tensor or ndarray
        The float weight.
    after : QuantizedTensor
        The weight made from it, of the same shape.
    bins : int, default 61
        Bars between the smallest and the largest value of both.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import refquant
    >>> from refquant.plotting import weight_histogram
    >>> w = refquant.randn(16, 16)
    >>> ax = weight_histogram(w, refquant.quantize_per_tensor(w, 0.03, 0, refquant.qint8))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['float32', 'qint8']
    """
    asked = "weight_histogram"
    shape = real_values(before, asked, "before").shape
    after = checks.quantized_tensor(asked, "after", after)
    if shape != tuple(after.shape):
        raise ShapeError(
            asked,
            argument="after",
            expected=f"of shape {shape}, that of `before`",
            got=tuple(after.shape),
        )
    bins = arguments.integer(asked, "bins", bins, 1, MOST_POINTS)
    ax = axes(ax, asked)
    floats, integers = values_of(before), values_of(after)
    together = np.concatenate([floats, integers])
    edges = bin_edges(together, bins)
    ax.stairs(
        np.histogram(floats, edges)[0],
        edges,
        fill=True,
        color=COLORS[0],
        alpha=0.55,
        label="float32",
    )
    ax.stairs(
        np.histogram(integers, edges)[0],
        edges,
        color=COLORS[1],
        linewidth=1.5,
        label=after.dtype.name,
    )
    ax.set_xlabel("weight (real units)")
    ax.set_ylabel("elements")
    ax.set_ylim(bottom=0)
    ax.legend()
    return ax
