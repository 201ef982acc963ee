"""Printing of tensors as PyTorch prints them: one width and one notation for all elements.

Floats have four decimals, ``[0.2500, 2.0000]``; only a decimal point if all are whole,
``[1., 2.]``; an exponent if their magnitudes are far apart, very large or very small. What follows
the elements, such as the dtype, begins a new line where it does not fit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from refquant.tensors.plain import Tensor
    from refquant.tensors.quantized import QuantizedTensor

__all__ = ["plain", "quantized"]

PRECISION = 4
LINE = 80  # characters in a line
SUMMARIZED = 1000  # more elements than this are summarized by the first and last of each axis
ENDS = 3
PREFIX = "tensor("


def _ends(array: np.ndarray) -> np.ndarray:
    """Return the elements that a summary shows."""
    for axis, length in enumerate(array.shape):
        if length > 2 * ENDS:
            array = np.take(array, [*range(ENDS), *range(length - ENDS, length)], axis)
    return array


def _notation(shown: np.ndarray) -> Callable[[float], str]:
    """Return how numbers are written when these are the ones that are shown."""
    if shown.dtype.kind != "f":
        return str
    magnitudes = np.abs(shown[np.isfinite(shown) & (shown != 0)]).astype(np.float64)
    if magnitudes.size:
        largest, smallest = magnitudes.max(), magnitudes.min()
        if largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4:
            return f"{{:.{PRECISION}e}}".format
        if (magnitudes != np.ceil(magnitudes)).any():
            return f"{{:.{PRECISION}f}}".format
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
    summary = array.size > SUMMARIZED
    shown = _ends(array) if summary else array
    written = _notation(shown)
    width = _width(shown, written)

    def row(values: np.ndarray, indent: int) -> str:
        texts = [written(number).rjust(width) for number in values.tolist()]
        if summary and values.size > 2 * ENDS:
            texts = [*texts[:ENDS], " ...", *texts[-ENDS:]]
        count = max(1, (LINE - indent) // (width + 2))
        lines = [", ".join(texts[i : i + count]) for i in range(0, len(texts), count)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

    def block(values: np.ndarray, indent: int) -> str:
        if values.ndim == 0:
            return written(values.item()).rjust(width)
        if values.ndim == 1:
            return row(values, indent)
        indices: Sequence[int] = range(len(values))
        cut = summary and len(values) > 2 * ENDS
        if cut:
            indices = [*indices[:ENDS], *indices[-ENDS:]]
        blocks = [block(values[index], indent + 1) for index in indices]
        if cut:
            blocks.insert(ENDS, "...")
        return "[" + ("," + "\n" * (values.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"

    return block(array, len(PREFIX))


def _with_suffixes(elements: str, suffixes: list[str]) -> str:
    """Append what follows the elements, each on the last line if it fits."""
    text = PREFIX + elements
    # The prefix does not count in PyTorch, but a comma and a parenthesis do.
    length = len(elements) - elements.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > LINE:
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
