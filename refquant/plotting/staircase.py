"""The error of every value against the value: a saw, and slopes where values clip."""

from typing import Any

import numpy as np

from refquant._documentation import documented
from refquant.errors import ShapeError
from refquant.plotting.style import COLORS, axes, real_values

__all__ = ["before_after"]

_MOST = 20_000  # marks; more of them hide each other


@documented()
def before_after(before: Any, after: Any, *, ax: Any = None) -> Any:
    r"""Draw what quantization adds to every value, :math:`\hat x - x`, against the value.

    Without error all marks lie on the dashed line. Rounding makes a saw of half a step; clipping
    makes a slope at either end.

    Parameters
    ----------
    before : Tensor or ndarray
        The real values; of more than 20000, evenly spaced ones are drawn. NaN and infinities are
        left out.
    after : Tensor, QuantizedTensor or ndarray
        The same values with quantization, of the same shape; a quantized tensor is dequantized.
    %(ax)s

    Raises
    ------
    ShapeError
        If the shapes differ.

    See Also
    --------
    weight_histogram : How often values occur before and after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.plotting import before_after
    >>> x = refquant.linspace(-2, 2, 101)
    >>> ax = before_after(x, refquant.quantize_per_tensor(x, 0.25, 4, refquant.quint8))
    >>> ax.get_ylabel()
    'error (real units)'
    """
    x = real_values(before, "before").astype(np.float64)
    y = real_values(after, "after").astype(np.float64)
    if x.shape != y.shape:
        raise ShapeError(
            argument="after", expected=f"of shape {x.shape}, that of `before`", got=y.shape
        )
    x, y = x.ravel(), y.ravel()
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    kept = kept[:: -(-len(kept) // _MOST) or 1]
    ax = axes(ax)
    ax.axhline(0, color=COLORS[1], linestyle="--", linewidth=1.2, label="equal")
    ax.plot(
        x[kept],
        (y - x)[kept],
        linestyle="none",
        marker="o",
        markersize=3,
        markeredgewidth=0,
        color=COLORS[0],
        alpha=0.6,
        rasterized=True,
        label="values",
    )
    ax.set_xlabel("value before quantization (real units)")
    ax.set_ylabel("error (real units)")
    return ax
