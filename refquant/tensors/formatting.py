"""Printing of tensors as PyTorch prints them: one width and one notation for all elements.

Floats have four decimals, ``[0.2500, 2.0000]``; only a decimal point if all are whole,
``[1., 2.]``; an exponent if their magnitudes are far apart, very large or very small. What follows
the elements, such as the dtype, begins a new line where it does not fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from refquant import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from refquant.tensors.plain import Tensor
    from refquant.tensors.quantized import QuantizedTensor

__all__ = ["plain", "quantized", "set_printoptions"]

PREFIX = "tensor("


@dataclass(frozen=True)
class _Options:
    precision: int = 4  # decimals
    threshold: float = 1000  # more elements than this are summarized by the ends of each axis
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None  # None: where magnitudes ask for an exponent


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}
_options = _PROFILES["default"]


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed, for the whole process; None leaves a setting as it is.

    Parameters
    ----------
    precision : int, optional
        Decimals of floats, 4 at first.
    threshold : float, optional
        More elements than this are summarized, 1000 at first.
    edgeitems : int, optional
        How many elements at each end of a dimension a summary shows, 3 at first.
    linewidth : int, optional
        Characters in a line, 80 at first.
    profile : {'default', 'short', 'full'}, optional
        Settings to start from: the first ones; 2 decimals and 2 elements at the ends; no summaries.
    sci_mode : bool, optional
        Whether floats have an exponent. None: where the magnitudes of a tensor ask for it.

    Raises
    ------
    ArgumentError
        If there is no such profile, or a setting is negative.

    Examples
    --------
    >>> import refquant
    >>> refquant.set_printoptions(precision=2, sci_mode=False)
    >>> refquant.tensor([0.125, 20000.0])
    tensor([    0.12, 20000.00])
    >>> refquant.set_printoptions(profile="default")
    """
    global _options
    changes: dict[str, Any] = {}
    if profile is not None:
        profile = arguments.choice("profile", profile, tuple(_PROFILES))
    for name, value in (
        ("precision", precision),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    ):
        if value is not None:
            changes[name] = arguments.integer(name, value, 0)
    if threshold is not None:
        changes["threshold"] = arguments.number("threshold", threshold)
    changes["sci_mode"] = None if sci_mode is None else arguments.switch("sci_mode", sci_mode)
    _options = replace(_PROFILES[profile] if profile else _options, **changes)


def _ends(array: np.ndarray) -> np.ndarray:
    """Return the elements that a summary shows."""
    ends = _options.edgeitems
    for axis, length in enumerate(array.shape):
        if length > 2 * ends:
            array = np.take(array, [*range(ends), *range(length - ends, length)], axis)
    return array


def _notation(shown: np.ndarray) -> Callable[[float], str]:
    """Return how numbers are written when these are the ones that are shown."""
    if shown.dtype.kind != "f":
        return str
    magnitudes = np.abs(shown[np.isfinite(shown) & (shown != 0)]).astype(np.float64)
    if magnitudes.size:
        largest, smallest = magnitudes.max(), magnitudes.min()
        exponents = _options.sci_mode
        if exponents is None:
            exponents = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4
        if exponents:
            return f"{{:.{_options.precision}e}}".format
        if (magnitudes != np.ceil(magnitudes)).any():
            return f"{{:.{_options.precision}f}}".format
    return lambda number: f"{number:.0f}" + ("." if math.isfinite(number) else "")


def _width(shown: np.ndarray, written: Callable[[float], str]) -> int:
    """Return the width of a column. Of floats, zeros, infinities and NaN do not widen it."""
    if shown.dtype.kind == "f":
        shown = shown[np.isfinite(shown) & (shown != 0)]
    return max((len(written(number)) for number in shown.ravel().tolist()), default=1)


def _elements(array: np.ndarray) -> str:
    if array.size == 0:
        return "[]"
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    summary = array.size > _options.threshold
    shown = _ends(array) if summary else array
    written = _notation(shown)
    width = _width(shown, written)
    ends = _options.edgeitems

    def row(values: np.ndarray, indent: int) -> str:
        texts = [written(number).rjust(width) for number in values.tolist()]
        if summary and values.size > 2 * ends:
            texts = [*texts[:ends], " ...", *texts[values.size - ends :]]
        count = max(1, (_options.linewidth - indent) // (width + 2))
        lines = [", ".join(texts[i : i + count]) for i in range(0, len(texts), count)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

    def block(values: np.ndarray, indent: int) -> str:
        if values.ndim == 0:
            return written(values.item()).rjust(width)
        if values.ndim == 1:
            return row(values, indent)
        indices: Sequence[int] = range(len(values))
        cut = summary and len(values) > 2 * ends
        if cut:
            indices = [*indices[:ends], *indices[len(values) - ends :]]
        blocks = [block(values[index], indent + 1) for index in indices]
        if cut:
            blocks.insert(ends, "...")
        return "[" + ("," + "\n" * (values.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"

    return block(array, len(PREFIX))


def _with_suffixes(elements: str, suffixes: list[str]) -> str:
    """Append what follows the elements, each on the last line if it fits."""
    text = PREFIX + elements
    # The prefix does not count in PyTorch, but a comma and a parenthesis do.
    length = len(elements) - elements.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * len(PREFIX) + suffix
            length = len(PREFIX) + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text + ")"


def plain(tensor: Tensor) -> str:
    """Format a plain tensor: elements, size if there are none, dtype unless a usual one, gradient.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    str
    """
    array = tensor.array
    suffixes = []
    if array.size == 0 and array.ndim != 1:
        suffixes.append(f"size={array.shape}")
    usual = (np.float32,) if array.size == 0 else (np.float32, np.int64, np.bool_)
    if array.dtype not in usual:
        suffixes.append(f"dtype={tensor.dtype}")
    if tensor.requires_grad:
        suffixes.append("requires_grad=True" if tensor.node is None else "grad_fn=<recorded>")
    return _with_suffixes(_elements(array), suffixes)


def quantized(tensor: QuantizedTensor) -> str:
    """Format a quantized tensor: real values, then size, dtype and quantization parameters.

    Parameters
    ----------
    tensor : QuantizedTensor

    Returns
    -------
    str
    """
    suffixes = [
        f"size={tuple(tensor.array.shape)}",
        f"dtype={tensor.dtype}",
        f"quantization_scheme={tensor.qscheme()}",
    ]
    if tensor.axis is None:
        suffixes += [f"scale={tensor.scale}", f"zero_point={tensor.zero_point}"]
    else:
        suffixes += [
            f"scale={tensor.q_per_channel_scales()!r}",
            f"zero_point={tensor.q_per_channel_zero_points()!r}",
            f"axis={tensor.axis}",
        ]
    return _with_suffixes(_elements(tensor.dequantize().array), suffixes)
