"""A map of a network's sensitivity: layers by numbers of bits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ShapeError
from refquant.plotting.style import axes

__all__ = ["sensitivity_map"]


@documented()
def sensitivity_map(
    layers: Sequence[str], bits: Sequence[int], decibels: Any, *, ax: Any = None
) -> Any:
    """Draw the SQNR of a network's output for each layer and number of bits, with its values.

    Parameters
    ----------
    layers : sequence of str
        Names of the layers, from top to bottom.
    bits : sequence of int
        Numbers of bits, from left to right.
    decibels : array_like, shape (layers, bits)
        As `refquant.reporting.Sensitivity.decibels`.
    %(ax)s

    Raises
    ------
    ShapeError
        If there is not one number for each layer and number of bits.

    Examples
    --------
    >>> from refquant.plotting import sensitivity_map
    >>> ax = sensitivity_map(["conv", "fc"], [8, 4], [[45.0, 21.0], [39.0, 15.5]])
    >>> ax.get_xlabel()
    'bits of the weight'
    """
    names = [
        arguments.text("layers", name)
        for name in arguments.sequence("layers", layers, "a sequence of names")
    ]
    columns = [
        str(arguments.integer("bits", b)) for b in arguments.sequence("bits", bits, "numbers")
    ]
    numbers = arguments.numbers("decibels", decibels, np.float64)
    if numbers.shape != (len(names), len(columns)):
        raise ShapeError(
            argument="decibels",
            expected=f"({len(names)}, {len(columns)}): a number for each layer and number of bits",
            got=numbers.shape,
        )
    ax = axes(ax)
    shown = np.ma.masked_invalid(numbers)
    if shown.size:
        ax.imshow(shown, cmap="cividis", aspect="auto")
    middle = float(shown.mean()) if shown.count() else 0.0
    for (row, column), value in np.ndenumerate(numbers):
        ax.text(
            column, row, f"{value:.1f}", ha="center", va="center",
            color="black" if value > middle else "white",
        )  # fmt: skip
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("bits of the weight")
    ax.set_ylabel("layer")
    ax.set_title("SQNR of the output (dB)")
    return ax
