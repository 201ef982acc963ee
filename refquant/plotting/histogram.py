"""Real values, and which of them an integer can stand for."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.dtypes import dtype as Dtype
from refquant.ops import checks
from refquant.plotting.style import COLORS, MOST_POINTS, axes, bin_edges, values_of

__all__ = ["value_histogram"]


def value_histogram(
    values: Any, scale: float, zero_point: int, dtype: Dtype, *, bins: int = 80, ax: Any = None
) -> Any:
    r"""Draw a histogram of values with the range that survives quantization.

    Values outside of :math:`s (q_{min} - z) \dots s (q_{max} - z)` are clipped to its ends. An
    axis on top shows the integers.

    Parameters
    ----------
    values : Tensor or ndarray
        Real values, such as the activations of a layer; NaN and infinities are left out.
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that stands for real zero.
    dtype : dtype
        quint8, qint8 or qint32.
    bins : int, default 80
        Bars between the smallest and the largest value.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import refquant
    >>> from refquant.plotting import value_histogram
    >>> ax = value_histogram(refquant.randn(1000), 0.02, 128, refquant.quint8)
    >>> ax.get_xlabel()
    'value (real units)'
    """
    asked = "value_histogram"
    dtype = checks.quantized_dtype(asked, "dtype", dtype)
    scale = checks.scale_value(asked, "scale", scale)
    zero_point = checks.zero_point_value(asked, "zero_point", zero_point, dtype)
    kept = values_of(values, asked)
    bins = arguments.integer(asked, "bins", bins, 1, MOST_POINTS)
    ax = axes(ax, asked)
    low, high = (dtype.quant_min - zero_point) * scale, (dtype.quant_max - zero_point) * scale
    counts, edges = np.histogram(kept, bin_edges(kept, bins))
    ax.stairs(counts, edges, fill=True, color=COLORS[0], label="values")
    for position in (low, high):
        ax.axvline(position, color=COLORS[1], linewidth=1.5, label="clipping range")
    left, right = min(low, edges[0]), max(high, edges[-1])
    margin = 0.03 * (right - left)
    for start, end in ((left - margin, low), (high, right + margin)):
        ax.axvspan(start, end, color=COLORS[1], alpha=0.15, linewidth=0)
    ax.set_xlim(left - margin, right + margin)
    # Layers are mostly zeros after a ReLU: a logarithm keeps the other values visible.
    ax.set_yscale("symlog", linthresh=1)
    ax.yaxis.set_major_formatter(lambda count, position: f"{count:,.0f}")
    ax.set_ylim(bottom=0)
    ax.set_xlabel("value (real units)")
    ax.set_ylabel("elements")
    top = ax.secondary_xaxis(
        "top", functions=(lambda x: x / scale + zero_point, lambda q: (q - zero_point) * scale)
    )
    top.set_xlabel(f"integer ({dtype.name})")
    middle = (dtype.quant_min + dtype.quant_max + 1) // 2
    top.set_ticks([dtype.quant_min, middle, dtype.quant_max])
    return ax
