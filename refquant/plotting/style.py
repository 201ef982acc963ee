"""What all pictures share: colours, axes, checks."""

from typing import Any

import numpy as np

from refquant.errors import QuantizerError
from refquant.extras import need
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["COLORS", "axes", "per_tensor", "values_of"]

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


def values_of(values: Any) -> np.ndarray:
    """Flatten a tensor or array to finite float64 numbers; a quantized one is dequantized."""
    if isinstance(values, QuantizedTensor):
        values = values.dequantize()
    flat = np.asarray(values.array if isinstance(values, Tensor) else values, np.float64).ravel()
    return flat[np.isfinite(flat)]


def per_tensor(asked: str, argument: str, tensor: Any) -> QuantizedTensor:
    """Require a tensor with one scale and zero point."""
    if not isinstance(tensor, QuantizedTensor) or tensor.axis is not None:
        raise QuantizerError(
            asked,
            argument=argument,
            expected="a tensor quantized per tensor",
            got=f"one quantized along axis {tensor.axis}"
            if isinstance(tensor, QuantizedTensor)
            else type(tensor).__name__,
            mend="make one with refquant.quantize_per_tensor()",
        )
    return tensor
