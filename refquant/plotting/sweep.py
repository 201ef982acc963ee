"""The error of quantization against the point where values are clipped, with observers' choices."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError
from refquant.ops import checks
from refquant.ops.quantized.fake_quantization import fake_quantize_per_tensor_affine
from refquant.plotting.style import COLORS, axes, values_of
from refquant.tensors import Tensor

__all__ = ["range_sweep"]

MARKERS = "osD^vP"


@documented()
def range_sweep(
    values: Any,
    choices: Mapping[str, float] | None = None,
    *,
    bits: int = 8,
    points: int = 100,
    ax: Any = None,
) -> Any:
    r"""Draw the mean squared error against the clipping point, and mark choices of it.

    Values are quantized symmetrically, with :math:`s = c / (2^{b-1} - 1)` for a clipping point c,
    for as many c as `points`, at equal ratios from a hundredth of the largest magnitude to that.

    Parameters
    ----------
    values : Tensor or ndarray
        Real values, not all zero; NaN and infinities are left out.
    choices : mapping of str to float, optional
        Clipping points to mark, such as the ends of the ranges that observers chose; above 0.
    bits : int, default 8
        From 2 to 8.
    points : int, default 100
        From 2 to 10000.
    %(ax)s

    Raises
    ------
    ArgumentError
        If there is no value but zero.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.randn(1000)
    >>> ax = refquant.plotting.range_sweep(x, {"all": x.abs().max().item()}, bits=4)
    >>> ax.get_xlabel()
    'clipping point (real units)'
    """
    kept = values_of(values)
    largest = float(np.abs(kept).max()) if kept.size else 0.0
    if not 1e-30 <= largest <= 1e30:
        raise ArgumentError(
            argument="values", expected="numbers of 1e-30 to 1e30, some not zero", got=largest
        )
    x = Tensor(kept.astype(np.float32))
    bits = arguments.integer("bits", bits, 2, 8)
    count = arguments.integer("points", points, 2, 10_000)
    given = {} if choices is None else arguments.mapping("choices", choices)
    marked = {
        arguments.text("choices", name): checks.scale_value(f"choices[{name!r}]", choice)
        for name, choice in given.items()
    }
    last = 2 ** (bits - 1) - 1

    def error(clip: float) -> float:
        y = fake_quantize_per_tensor_affine(x, clip / last, 0, -last, last)
        return float(np.mean((y.array - x.array).astype(np.float64) ** 2))

    clips = np.geomspace(largest / 100, largest, count)
    ax = axes(ax)
    ax.plot(clips, [error(float(c)) for c in clips], color=COLORS[0], label=f"{bits} bits")
    for i, (name, clip) in enumerate(marked.items()):
        color = COLORS[1 + i % (len(COLORS) - 1)]
        marker = MARKERS[i % len(MARKERS)]
        ax.plot([clip], [error(clip)], marker, color=color, markersize=8, label=name)
    ax.set_yscale("log")
    ax.set_xlabel("clipping point (real units)")
    ax.set_ylabel("mean squared error")
    ax.legend()
    return ax
