"""Differences between the answers of a backend and an engine, and their classes."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentTypeError
from refquant.plotting.style import COLORS, axes

__all__ = ["mismatch_bars"]


@documented()
def mismatch_bars(mismatch: Any, *, ax: Any = None) -> Any:
    """Draw the number of elements by their difference in steps, with a color for each class.

    Parameters
    ----------
    mismatch : refquant.oracle.Mismatch
        As `refquant.oracle.compare` returns it.
    %(ax)s

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.5])
    >>> found = oracle.compare(np.array([3, 9]), "quantize_per_tensor", x, 0.1, 0, refquant.quint8)
    >>> refquant.plotting.mismatch_bars(found).get_xlabel()
    'difference from the engine (steps)'
    """
    if not all(hasattr(mismatch, name) for name in ("histogram", "counts", "classes")):
        raise ArgumentTypeError(
            argument="mismatch",
            expected="a Mismatch, as refquant.oracle.compare returns it",
            got=arguments.describe(mismatch),
        )
    ax = axes(ax)
    steps = list(mismatch.histogram)
    base = np.zeros(len(steps))
    off = mismatch.actual - mismatch.expected
    hatches = ("", "//", "..", "xx", "--", "++")
    for index, name in enumerate(mismatch.counts):
        chosen = off[mismatch.classes == name]
        heights = np.array([(chosen == step).sum() for step in steps], np.float64)
        ax.bar(
            np.arange(len(steps)),
            heights,
            bottom=base,
            color=COLORS[index % len(COLORS)],
            hatch=hatches[index % len(hatches)],
            label=name,
        )
        base += heights
    ax.set_xticks(np.arange(len(steps)), [f"{step:+g}" for step in steps])
    ax.set_xlabel("difference from the engine (steps)")
    ax.set_ylabel("elements")
    ax.set_title(f"{mismatch.operation}: {mismatch.count:,} of {mismatch.size:,} elements differ")
    if mismatch.count:
        ax.legend(frameon=False)
    return ax
