"""Quantization error as a function of the value: a sawtooth, and a slope where values clip."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.dtypes import dtype as Dtype
from refquant.ops import checks
from refquant.ops.from_data import from_numpy
from refquant.ops.quantized.affine import quantize_per_tensor
from refquant.plotting.style import COLORS, MOST_POINTS, axes

__all__ = ["error_sawtooth"]

_LIMIT = float(np.finfo(np.float32).max)


@documented()
def error_sawtooth(
    scale: float,
    zero_point: int,
    dtype: Dtype,
    *,
    low: float | None = None,
    high: float | None = None,
    points: int = 2001,
    ax: Any = None,
) -> Any:
    r"""Draw the error :math:`\hat x - x` of quantizing and dequantizing.

    Within the range the error is at most half a step; outside it grows with the distance.

    Parameters
    ----------
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that represents real zero.
    dtype : dtype
        quint8, qint8 or qint32.
    low, high : float, optional
        Where the drawing begins and ends; by default three steps below zero and three above.
    points : int, default 2001
        How many values are quantized.
    %(ax)s

    Examples
    --------
    >>> import refquant
    >>> ax = refquant.plotting.error_sawtooth(0.1, 10, refquant.quint8)
    >>> ax.get_ylabel()
    'error (real units)'
    """
    dtype = checks.quantized_dtype("dtype", dtype)
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    low, high = (
        default if given is None else arguments.real(name, given, -_LIMIT, _LIMIT)
        for name, given, default in (("low", low, -3 * scale), ("high", high, 3 * scale))
    )
    points = arguments.integer("points", points, 1, MOST_POINTS)
    x = np.linspace(low, high, points, dtype=np.float32)
    quantized = quantize_per_tensor(from_numpy(x), scale, zero_point, dtype)
    error = quantized.dequantize().array - x
    ax = axes(ax)
    for bound, label in ((-scale / 2, "half a step"), (scale / 2, "_other end")):
        ax.axhline(bound, color=COLORS[1], linestyle="--", linewidth=1.2, label=label)
    # Where the integer changes, the error jumps: no line is drawn.
    jumps = np.flatnonzero(np.diff(quantized.array.astype(np.int64))) + 1
    ax.plot(
        np.insert(x.astype(np.float64), jumps, np.nan),
        np.insert(error.astype(np.float64), jumps, np.nan),
        color=COLORS[0],
        linewidth=1.5,
        label="error",
    )
    ax.set_xlim(low, high)
    ax.set_xlabel("value (real units)")
    ax.set_ylabel("error (real units)")
    ax.margins(y=0.3)  # for the legend
    ax.legend(loc="upper right", ncols=2)
    return ax
