"""Grid of the real values that integers represent."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.dtypes import dtype as Dtype
from refquant.errors import ArgumentError
from refquant.ops import checks
from refquant.plotting.style import COLORS, axes

__all__ = ["integer_grid"]

_MOST = 4096  # marks; more of them look like a solid bar


@documented()
def integer_grid(
    scale: float,
    zero_point: int,
    dtype: Dtype,
    *,
    quant_min: int | None = None,
    quant_max: int | None = None,
    ax: Any = None,
) -> Any:
    """Draw a mark at every real value that an integer represents.

    Parameters
    ----------
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that represents real zero; its mark has another color.
    dtype : dtype
        quint8, qint8 or qint32.
    quant_min, quant_max : int, optional
        The integers to draw, by default those of `dtype`.
    %(ax)s

    Raises
    ------
    ArgumentError
        If the integers are not in the range of `dtype`, or too many to distinguish.

    Examples
    --------
    >>> import refquant
    >>> ax = refquant.plotting.integer_grid(0.5, 2, refquant.quint8, quant_max=7)
    >>> ax.get_xlabel()
    'value (real units)'
    """
    dtype = checks.quantized_dtype("dtype", dtype)
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    first, last = (
        default if given is None else arguments.integer(name, given)
        for name, given, default in (
            ("quant_min", quant_min, dtype.quant_min),
            ("quant_max", quant_max, dtype.quant_max),
        )
    )
    if not dtype.quant_min <= first <= last <= dtype.quant_max or last - first >= _MOST:
        raise ArgumentError(
            argument="quant_min, quant_max",
            expected=f"at most {_MOST} integers in order, in {dtype.quant_min}..{dtype.quant_max}",
            got=f"{first}..{last}",
        )
    ax = axes(ax)
    integers = np.arange(first, last + 1)
    # Marks leave more than half of the space between them, or they become a block.
    points = 72 * ax.get_window_extent().width / ax.figure.dpi
    width = min(1.0, 0.4 * points / len(integers))
    ax.vlines((integers - zero_point) * scale, 0, 1, color=COLORS[0], linewidth=width)
    if first <= zero_point <= last:
        ax.vlines([0.0], 0, 1.25, color=COLORS[1], linewidth=2)
    ax.set_ylim(0, 1.6)
    ax.set_yticks([])
    margin = scale * max(1.0, 0.02 * (last - first))
    ax.set_xlim((first - zero_point) * scale - margin, (last - zero_point) * scale + margin)
    ax.set_xlabel("value (real units)")
    top = ax.secondary_xaxis(
        "top", functions=(lambda x: x / scale + zero_point, lambda q: (q - zero_point) * scale)
    )
    top.set_xlabel(f"integer ({dtype.name})")
    top.set_ticks(sorted({first, last, *([zero_point] if first <= zero_point <= last else [])}))
    return ax
