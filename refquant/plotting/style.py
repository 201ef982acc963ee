"""What all pictures share: colours, axes, checks."""

from typing import Any

import numpy as np

from refquant.extras import need
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["COLORS", "axes", "real_values", "values_of"]

# After Okabe and Ito, "Color Universal Design" (2008): blue, vermilion, green, purple. Each has a
# contrast of about 3:1 or more against white and against black.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#b8618f")

_ASKED = "refquant.plotting"


def axes(ax: Any) -> Any:
    """Return the given axes, or axes of a new figure."""
    if ax is not None:
        return ax
    pyplot = need("matplotlib.pyplot", package="matplotlib", extra="plot", asked=_ASKED)
    return pyplot.subplots(layout="constrained")[1]


def real_values(values: Any) -> np.ndarray:
    """Get the real numbers of a tensor, quantized or not, or of an array."""
    if isinstance(values, QuantizedTensor):
        values = values.dequantize()
    return values.array if isinstance(values, Tensor) else np.asarray(values)


def values_of(values: Any) -> np.ndarray:
    """Flatten a tensor or array to finite float64 numbers; a quantized one is dequantized."""
    flat = real_values(values).astype(np.float64).ravel()
    return flat[np.isfinite(flat)]
