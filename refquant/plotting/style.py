"""Colors, axes and checks that all pictures share."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.extras import require_extra
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["COLORS", "MOST_POINTS", "axes", "bin_edges", "checked_axes", "real_values", "values_of"]

# After Okabe and Ito, "Color Universal Design" (2008): blue, vermilion, green, purple. Each has a
# contrast of about 3:1 or more against white and against black.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#b8618f")
LARGEST = 1e300  # of a value, so that the width of the axes is finite too
MOST_POINTS = 1_000_000  # of a picture; more of them cannot be distinguished


def axes(ax: Any) -> Any:
    """Return the given axes, or axes of a new figure."""
    if ax is not None:
        return checked_axes(ax)
    pyplot = require_extra("matplotlib.pyplot", package="matplotlib", extra="plot")
    return pyplot.subplots(layout="constrained")[1]


def checked_axes(ax: Any, argument: str = "ax") -> Any:
    """Return axes of matplotlib, or raise."""
    kind = require_extra("matplotlib.axes", package="matplotlib", extra="plot").Axes
    return arguments.instance(argument, ax, kind, "axes of matplotlib")


def real_values(values: Any, argument: str = "values") -> np.ndarray:
    """Return the real values of a tensor, quantized or not, or of an array."""
    if isinstance(values, QuantizedTensor):
        values = values.dequantize()
    return arguments.numbers(argument, values.array if isinstance(values, Tensor) else values)


def values_of(values: Any, argument: str = "values") -> np.ndarray:
    """Flatten a tensor or array to finite float64 numbers; a quantized one is dequantized."""
    flat = real_values(values, argument).astype(np.float64).ravel()
    return flat[np.abs(flat) <= LARGEST]


def bin_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Return edges of bars of equal width that span the values, shape (bins + 1,)."""
    first, last = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    # Far from zero, float64 may have too few numbers for distinct edges.
    least = 2 * bins * float(np.spacing(max(abs(first), abs(last))))
    if last - first < least:
        margin = max(0.5, least)
        first, last = first - margin, last + margin
    return np.linspace(first, last, bins + 1)
