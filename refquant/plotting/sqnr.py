"""Signal-to-quantization-noise ratios of layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ShapeError
from refquant.plotting.style import COLORS, axes

__all__ = ["sqnr_bars"]


@documented()
def sqnr_bars(
    layers: Sequence[str], values: Mapping[str, Sequence[float]], *, ax: Any = None
) -> Any:
    """Draw the signal-to-quantization-noise ratio of layers as bars, the first layer on top.

    Parameters
    ----------
    layers : sequence of str
        Names of the layers.
    values : mapping of str to sequence of float
        For each model, one number in dB for each layer; NaN and infinities have no bar.
    %(ax)s

    Raises
    ------
    ShapeError
        If a model does not have one number for each layer.

    Examples
    --------
    >>> from refquant.plotting import sqnr_bars
    >>> ax = sqnr_bars(["conv", "fc"], {"per tensor": [38.0, 31.0], "per channel": [41.0, 36.0]})
    >>> ax.get_xlabel()
    'SQNR of the output (dB)'
    """
    layers = [
        arguments.text("layers", name)
        for name in arguments.sequence("layers", layers, "a sequence of names")
    ]
    given = arguments.mapping("values", values, "a mapping of names to numbers")
    lengths = {
        name: arguments.numbers(f"values[{name!r}]", numbers, np.float64)
        for name, numbers in given.items()
    }
    for name, numbers in lengths.items():
        if numbers.shape != (len(layers),):
            raise ShapeError(
                argument=f"values[{name!r}]",
                expected=f"{len(layers)} numbers, one for each layer",
                got=f"shape {numbers.shape}",
            )
    ax = axes(ax)
    positions = np.arange(len(layers))
    height = 0.8 / max(1, len(lengths))
    for index, (name, numbers) in enumerate(lengths.items()):
        bars = ax.barh(
            positions + (index - (len(lengths) - 1) / 2) * height,
            np.where(np.isfinite(numbers), numbers, 0.0),
            height=0.9 * height,
            color=COLORS[index % len(COLORS)],
            label=name,
        )
        ax.bar_label(bars, [_text(number) for number in numbers], padding=2, fontsize="small")
    ax.margins(x=0.12)  # for the numbers
    ax.set_yticks(positions, layers)
    ax.invert_yaxis()
    ax.set_xlabel("SQNR of the output (dB)")
    ax.set_ylabel("layer")
    if len(lengths) > 1:
        # Outside, because bars fill the axes.
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lengths), frameon=False)
    return ax


def _text(decibels: float) -> str:
    return f"{decibels:.1f}" if np.isfinite(decibels) else ""
