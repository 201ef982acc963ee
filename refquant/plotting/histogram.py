"""Histograms of real values with the range that integers can represent."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.dtypes import dtype as Dtype
from refquant.errors import ArgumentError
from refquant.ops import checks
from refquant.plotting.style import (
    COLORS,
    LARGEST,
    MOST_POINTS,
    axes,
    bin_edges,
    real_values,
    values_of,
)
from refquant.tensors import Tensor

__all__ = ["value_histogram"]


@documented()
def value_histogram(
    values: Any, scale: float, zero_point: int, dtype: Dtype, *, bins: Any = 80, ax: Any = None
) -> Any:
    r"""Draw a histogram of values with the range that survives quantization.

    Values outside :math:`s (q_{min} - z) \dots s (q_{max} - z)` are clipped to its ends. An
    axis on top shows the integers.

    Parameters
    ----------
    values : Tensor or ndarray
        Real values, such as the activations of a layer; NaN and infinities are left out.
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that represents real zero.
    dtype : dtype
        quint8, qint8 or qint32.
    bins : int or sequence of float, default 80
        Bars between the smallest and the largest value, or edges of the bars in ascending order.
    %(ax)s

    Raises
    ------
    ArgumentError
        If `bins` are not in ascending order.

    Examples
    --------
    >>> import refquant
    >>> ax = refquant.plotting.value_histogram(refquant.randn(1000), 0.02, 128, refquant.quint8)
    >>> ax.get_xlabel()
    'value (real units)'
    """
    dtype = checks.quantized_dtype("dtype", dtype)
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    kept = values_of(values)
    edges = _edges(kept, bins)
    ax = axes(ax)
    low, high = (dtype.quant_min - zero_point) * scale, (dtype.quant_max - zero_point) * scale
    counts, edges = np.histogram(kept, edges)
    ax.stairs(counts, edges, fill=True, color=COLORS[0], label="values")
    outside = int(((kept < low - scale / 2) | (kept > high + scale / 2)).sum())
    label = f"range of the integers, {outside / max(1, kept.size):.2%} clipped"
    for position, name in ((low, label), (high, "_other end")):
        ax.axvline(position, color=COLORS[1], linewidth=1.5, label=name)
    left, right = min(low, edges[0]), max(high, edges[-1])
    margin = 0.03 * (right - left)
    for start, end in ((left - margin, low), (high, right + margin)):
        ax.axvspan(start, end, color=COLORS[1], alpha=0.15, linewidth=0)
    ax.set_xlim(left - margin, right + margin)
    # After a ReLU most values are zero: a logarithmic axis keeps the others visible.
    ax.set_yscale("symlog", linthresh=1)
    ax.yaxis.set_major_formatter(lambda count, position: f"{count:,.0f}")
    ax.set_ylim(bottom=0)
    ax.set_xlabel("value (real units)")
    ax.set_ylabel("elements")
    ax.legend()
    top = ax.secondary_xaxis(
        "top", functions=(lambda x: x / scale + zero_point, lambda q: (q - zero_point) * scale)
    )
    top.set_xlabel(f"integer ({dtype.name})")
    middle = (dtype.quant_min + dtype.quant_max + 1) // 2
    top.set_ticks([dtype.quant_min, middle, dtype.quant_max])
    return ax


def _edges(values: np.ndarray, bins: Any) -> np.ndarray:
    """Return the edges of bars, given these or their number."""
    array = isinstance(bins, np.ndarray | Tensor) and bins.ndim > 0
    if not array and not isinstance(bins, tuple | list):
        return bin_edges(values, arguments.integer("bins", bins, 1, MOST_POINTS))
    edges = real_values(bins, "bins").astype(np.float64)
    if edges.ndim != 1 or not 2 <= edges.size <= MOST_POINTS or not (np.diff(edges) > 0).all():
        raise ArgumentError(
            argument="bins",
            expected="a number of bars, or two edges or more in ascending order",
            got=arguments.describe(bins),
        )
    if not (np.abs(edges) <= LARGEST).all():
        raise ArgumentError(
            argument="bins", expected=f"edges of at most {LARGEST}", got=float(edges.max())
        )
    return edges
