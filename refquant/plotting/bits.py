"""Signal-to-quantization-noise ratio against the number of bits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError, ShapeError
from refquant.plotting.style import COLORS, axes

__all__ = ["sqnr_curves"]

MARKERS = "osD^vP"
OF_A_BIT = 20 * np.log10(2)


@documented()
def sqnr_curves(
    bits: Sequence[int], values: Mapping[str, Sequence[float]], *, ax: Any = None
) -> Any:
    r"""Draw SQNR against the number of bits, a curve for each way, with the slope of a bit.

    Each bit halves the step: that is :math:`20 \log_{10} 2 = 6.02` dB, the dashed line through the
    last point of the first curve. A curve that is flatter has other errors than rounding.

    Parameters
    ----------
    bits : sequence of int
        Numbers of bits, in ascending order.
    values : mapping of str to sequence of float
        For each curve, a number in dB for each number of bits; NaN and infinities have no point.
    %(ax)s

    Raises
    ------
    ArgumentError
        If the numbers of bits are not in ascending order, or there is no curve.
    ShapeError
        If a curve does not have a number for each number of bits.

    Examples
    --------
    >>> from refquant.plotting import sqnr_curves
    >>> ax = sqnr_curves([2, 4, 8], {"per tensor": [3, 16, 38], "per channel": [8, 20, 40]})
    >>> ax.get_ylabel()
    'SQNR (dB)'
    """
    places = [arguments.integer("bits", b, 1, 64) for b in arguments.sequence("bits", bits)]
    given = arguments.mapping("values", values, "a mapping of names to numbers")
    if not given or not places or sorted(set(places)) != places:
        raise ArgumentError(
            argument="bits, values",
            expected="numbers of bits in ascending order, and at least one curve",
            got=f"{places}, {len(given)} curves",
        )
    ax = axes(ax)
    for index, (name, numbers) in enumerate(given.items()):
        curve = arguments.numbers(f"values[{name!r}]", numbers, np.float64)
        if curve.shape != (len(places),):
            raise ShapeError(
                argument=f"values[{name!r}]",
                expected=f"{len(places)} numbers, one for each number of bits",
                got=f"shape {curve.shape}",
            )
        shown = np.where(np.isfinite(curve), curve, np.nan)
        color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
        ax.plot(places, shown, marker=marker, color=color, label=name)
        if index == 0:
            law = curve[-1] - OF_A_BIT * (places[-1] - np.array(places))
    ax.plot(places, law, "--", color="gray", linewidth=1.2, zorder=1, label="6.02 dB a bit")
    ax.set_xticks(places)
    ax.set_xlabel("bits")
    ax.set_ylabel("SQNR (dB)")
    ax.legend()
    return ax
