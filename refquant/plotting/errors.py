"""The error of quantization, as a histogram."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError, ShapeError
from refquant.ops import checks
from refquant.plotting.style import COLORS, MOST_POINTS, axes, bin_edges, real_values

__all__ = ["error_histogram"]


@documented()
def error_histogram(
    before: Any,
    after: Any,
    *,
    step: float | None = None,
    bins: int = 60,
    ax: Any = None,
) -> Any:
    r"""Draw a histogram of the error :math:`\hat x - x`, with its mean and root mean square (RMS).

    Rounding alone gives a box between minus and plus half a step. What lies outside was clipped, or
    comes from sums of many errors; a mean that is not zero is a constant that a bias can take out.

    Parameters
    ----------
    before : Tensor or ndarray
        The exact values.
    after : Tensor, ndarray, or mapping of str to these
        What became of them, of the same shape; several with their names. A quantized tensor is
        dequantized; errors that are not finite are left out.
    step : float, optional
        Real units of one step. Given, minus and plus half of it are marked, and are edges of bars.
    bins : int, default 60
        About how many bars.
    %(ax)s

    Raises
    ------
    ShapeError
        If there is not one value after for each before.
    ArgumentError
        If there is nothing to draw.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.randn(1000)
    >>> q = refquant.quantize_per_tensor(x, 0.1, 128, refquant.quint8)
    >>> ax = refquant.plotting.error_histogram(x, q, step=0.1)
    >>> ax.get_xlabel()
    'error (real units)'
    """
    given = after if isinstance(after, Mapping) else {"error": after}
    exact = real_values(before, "before").astype(np.float64)
    bins = arguments.integer("bins", bins, 1, MOST_POINTS)
    half = None if step is None else checks.scale_value("step", step) / 2
    errors = {
        arguments.text("after", name): _error(exact, values) for name, values in given.items()
    }
    if not errors:
        raise ArgumentError(argument="after", expected="at least one", got="none")
    edges = _edges(np.concatenate(list(errors.values())), bins, half)
    counts = [np.histogram(error, edges)[0] for error in errors.values()]
    most = max(int(count.max()) for count in counts)
    ax = axes(ax)
    for index, (name, error) in enumerate(errors.items()):
        mean = error.mean() if error.size else np.nan
        root = np.sqrt(np.mean(error**2)) if error.size else np.nan
        ax.stairs(
            counts[index],
            edges,
            fill=index == 0,
            linewidth=1.8,
            color=COLORS[index % len(COLORS)],
            label=f"{name}: mean {mean:.2g}, RMS {root:.2g}",
        )
    if half is not None:
        for bound, label in ((-half, "half a step"), (half, "_other end")):
            ax.axvline(bound, color="gray", linestyle="--", linewidth=1.2, label=label)
    entries = len(errors) + (half is not None)
    ax.set_ylim(0, max(1, most) * (1.1 + 0.13 * entries))  # the legend stands above the bars
    ax.set_xlabel("error (real units)")
    ax.set_ylabel("elements")
    ax.legend(loc="upper left")
    return ax


def _error(exact: np.ndarray, values: Any) -> np.ndarray:
    made = real_values(values, "after")
    if made.shape != exact.shape:
        raise ShapeError(argument="after", expected=f"shape {exact.shape}", got=made.shape)
    error = (made - exact).ravel()
    return error[np.isfinite(error)]


def _edges(errors: np.ndarray, bins: int, half: float | None) -> np.ndarray:
    """Return edges of bars; with half a step, that is a whole number of bars."""
    edges = bin_edges(errors, bins)
    if half is None:
        return edges
    reach = max(half, float(np.abs(edges).max()))
    width = half / max(1, round(half * bins / (2 * reach)))
    count = int(np.ceil(reach / width - 1e-9))
    if 2 * count > MOST_POINTS:
        raise ArgumentError(
            argument="step", expected="one that is not tiny beside the errors", got=2 * half
        )
    return width * np.arange(-count, count + 1)
