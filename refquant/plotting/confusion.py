"""By how much the integers of two computations differ, against the expected ones."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError, ShapeError
from refquant.extras import require_extra
from refquant.plotting.style import COLORS, axes
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["code_confusion"]

_MOST = 1024  # integers on each side


@documented()
def code_confusion(expected: Any, got: Any, *, ax: Any = None) -> Any:
    """Draw how often each difference of integers occurs, against the integer that was expected.

    Equal codes lie on the dashed line. Marks at one above or below are ties that are rounded
    differently; a line elsewhere is another zero point; one that descends to an end is saturation.

    Parameters
    ----------
    expected, got : QuantizedTensor, or Tensor or ndarray of integers
        Two results of the same computation, such as those of a backend and of an engine.
        Their integers lie within 1024 of each other.
    %(ax)s
        Its title says how many codes differ.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArgumentError
        If the values are not integers, or too far apart to be drawn.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.linspace(0, 1, 100)
    >>> one = refquant.quantize_per_tensor(x, 0.01, 0, refquant.quint8)
    >>> two = refquant.quantize_per_tensor(x + 0.004, 0.01, 0, refquant.quint8)
    >>> ax = refquant.plotting.code_confusion(one, two)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('expected integer', 'got minus expected')
    """
    rows, columns = _codes("got", got), _codes("expected", expected)
    if rows.shape != columns.shape:
        raise ShapeError(
            argument="got", expected=f"of shape {columns.shape}, that of `expected`", got=rows.shape
        )
    difference, places = (rows - columns).ravel(), columns.ravel()
    first, last = (int(places.min()), int(places.max())) if places.size else (0, 0)
    # Between minus and plus one at least, so that no difference is a line of its own.
    low, high = (int(difference.min(initial=-1)), int(difference.max(initial=1)))
    height, width = high - low + 1, last - first + 1
    if max(height, width) > _MOST:
        raise ArgumentError(
            argument="expected, got",
            expected=f"integers within {_MOST} of each other",
            got=f"{first}..{last}, and differences of {low}..{high}",
        )
    cells = (difference - low) * width + (places - first)
    counts = np.bincount(cells, minlength=height * width).reshape(height, width)
    colors = require_extra("matplotlib.colors", package="matplotlib", extra="plot")
    ax = axes(ax)
    image = ax.imshow(
        # Pairs that do not occur have no color.
        np.ma.masked_equal(counts, 0),
        origin="lower",
        extent=(first - 0.5, last + 0.5, low - 0.5, high + 0.5),
        aspect="auto",
        interpolation="nearest",
        cmap="cividis",
        norm=colors.LogNorm(1, max(2, counts.max(initial=0))),
    )
    ax.axhline(0, color=COLORS[1], linestyle="--", linewidth=0.8)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True)
    ax.figure.colorbar(image, ax=ax, label="elements")
    ax.set_xlabel("expected integer")
    ax.set_ylabel("got minus expected")
    differ = int(np.count_nonzero(rows != columns))
    ax.set_title(f"{differ:,} of {rows.size:,} codes differ")
    return ax


def _codes(argument: str, values: Any) -> np.ndarray:
    """Return the integers of a tensor as int64."""
    raw = values.array if isinstance(values, Tensor | QuantizedTensor) else values
    array = arguments.numbers(argument, raw)
    if array.dtype.kind not in "iu":
        raise ArgumentError(
            argument=argument,
            expected="integers",
            got=f"values of dtype {array.dtype}",
            hint="pass a quantized tensor or its int_repr()",
        )
    return array.astype(np.int64)
