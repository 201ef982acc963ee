"""The ranges of several observers, above a histogram of what they saw."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError
from refquant.plotting.style import COLORS, MOST_POINTS, axes, bin_edges, values_of

__all__ = ["observer_ranges"]


@documented()
def observer_ranges(
    values: Any, ranges: Mapping[str, Any], *, bins: int = 100, ax: Any = None
) -> Any:
    r"""Draw a histogram of values, and above it the range that each observer chose.

    Parameters
    ----------
    values : Tensor or ndarray
        Real values; NaN and infinities are left out.
    ranges : mapping of str to observer or (float, float)
        Observers with one scale that saw values, or ends of ranges, by the names to show. The
        range of an observer is what its integers stand for, :math:`s (q_{min} - z)` to
        :math:`s (q_{max} - z)`.
    bins : int, default 100
        Bars between the smallest and the largest value.
    %(ax)s

    Raises
    ------
    ArgumentError
        If a range does not have two finite ends, the lower first.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> x = refquant.randn(1000)
    >>> observers = {
    ...     "all": quantization.MinMaxObserver(quant_min=0, quant_max=15),
    ...     "least error": quantization.MSEObserver(quant_min=0, quant_max=15),
    ... }
    >>> for observer in observers.values():
    ...     _ = observer(x)
    >>> ax = refquant.plotting.observer_ranges(x, observers)
    >>> [text.get_text().split(":")[0] for text in ax.texts]
    ['all', 'least error']
    """
    kept = values_of(values)
    given = arguments.mapping("ranges", ranges)
    ends = {arguments.text("ranges", name): _ends(name, made) for name, made in given.items()}
    edges = bin_edges(kept, arguments.integer("bins", bins, 1, MOST_POINTS))
    counts = np.histogram(kept, edges)[0]
    ax = axes(ax)
    ax.stairs(counts, edges, fill=True, color=COLORS[0])
    ax.set_yscale("symlog", linthresh=1)
    ax.yaxis.set_major_formatter(lambda count, position: f"{count:,.0f}")
    # On the logarithmic axis each range has a line of its own above the bars, named beside it.
    decades = np.log10(max(10, counts.max()))
    rows = 10 ** (decades * (1 + 0.12 * np.arange(1, len(ends) + 1)))
    for (name, (low, high)), row in zip(ends.items(), reversed(rows), strict=True):
        ax.plot([low, high], [row, row], "|-", color=COLORS[1], linewidth=3, markersize=9)
        ax.annotate(
            f"{name}: {low:.3g} to {high:.3g}",
            (1, row),
            xytext=(6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
        )
    ax.set_yticks([0, *(10.0**k for k in range(int(decades) + 1))])
    ax.minorticks_off()
    ax.set_ylim(0, 10 ** (decades * (1.1 + 0.12 * len(ends))))
    ax.set_xlabel("value (real units)")
    ax.set_ylabel("elements")
    return ax


def _ends(name: str, made: Any) -> tuple[float, float]:
    """Return the ends of a range, or of what the integers of an observer stand for."""
    if hasattr(made, "calculate_qparams"):
        found = made.calculate_qparams()
        if found[0].numel() != 1:
            raise ArgumentError(
                argument=f"ranges[{name!r}]",
                expected="an observer with one scale",
                got=f"{type(made).__name__} with {found[0].numel()}",
            )
        scale, zero_point = (value.item() for value in found[:2])
        first, last = made.target_range
        return scale * (first - zero_point), scale * (last - zero_point)
    pair = arguments.numbers(f"ranges[{name!r}]", made, np.float64)
    if pair.shape != (2,) or not np.isfinite(pair).all() or not pair[0] < pair[1]:
        raise ArgumentError(
            argument=f"ranges[{name!r}]",
            expected="an observer, or two finite ends, the lower first",
            got=arguments.describe(made),
        )
    return float(pair[0]), float(pair[1])
