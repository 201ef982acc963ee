"""Confusion matrix of the integers of two computations."""

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
    """Draw how often each integer of one tensor coincides with each integer of another.

    Equal codes lie on the dashed diagonal. Marks next to it are ties that are rounded
    differently; a distant parallel is another zero point; a horizontal line is saturation.

    Parameters
    ----------
    expected, got : QuantizedTensor, or Tensor or ndarray of integers
        Two results of the same computation, such as those of a backend and of an engine.
        Their integers span at most 1024.
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
    ('expected integer', 'integer that was got')
    """
    rows, columns = _codes("got", got), _codes("expected", expected)
    if rows.shape != columns.shape:
        raise ShapeError(
            argument="got", expected=f"of shape {columns.shape}, that of `expected`", got=rows.shape
        )
    both = np.concatenate([rows.ravel(), columns.ravel()])
    first, last = (int(both.min()), int(both.max())) if both.size else (0, 0)
    count = last - first + 1
    if count > _MOST:
        raise ArgumentError(
            argument="expected, got",
            expected=f"at most {_MOST} integers in a row",
            got=f"{first}..{last}",
        )
    pairs = (rows.ravel() - first) * count + (columns.ravel() - first)
    counts = np.bincount(pairs, minlength=count * count).reshape(count, count)
    colors = require_extra("matplotlib.colors", package="matplotlib", extra="plot")
    ax = axes(ax)
    image = ax.imshow(
        # Pairs that do not occur have no color.
        np.ma.masked_equal(counts, 0),
        origin="lower",
        extent=(first - 0.5, last + 0.5, first - 0.5, last + 0.5),
        interpolation="nearest",
        cmap="cividis",
        norm=colors.LogNorm(1, max(2, counts.max(initial=0))),
    )
    ax.plot([first, last], [first, last], color=COLORS[1], linestyle="--", linewidth=0.8)
    ax.figure.colorbar(image, ax=ax, label="elements")
    ax.set_xlabel("expected integer")
    ax.set_ylabel("integer that was got")
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
