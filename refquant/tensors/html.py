"""How a quantized tensor looks in a notebook."""

from typing import TYPE_CHECKING, Any

import numpy as np

from refquant.html import histogram, labeled, table

if TYPE_CHECKING:
    from refquant.tensors.quantized import QuantizedTensor

__all__ = ["quantized_tensor"]

_SIDE = 8  # rows and columns of a table of elements


def _numbers(values: Any) -> str:
    """Write a number, or how far several reach."""
    if np.ndim(values) == 0:
        return f"{values:.6g}"
    if not np.size(values):
        return "none"
    return f"{np.min(values):.6g} .. {np.max(values):.6g} ({np.size(values)} channels)"


def _chosen(size: int) -> list[int | None]:
    """Which rows or columns to show; None stands for those left out."""
    if size <= _SIDE:
        return list(range(size))
    half = _SIDE // 2
    return [*range(half), None, *range(size - half, size)]


def _elements(array: np.ndarray) -> str:
    """Write the first matrix of an array as a table of at most 8 by 8."""
    if not array.size:
        return ""
    matrix = array[(0,) * (array.ndim - 2)] if array.ndim > 2 else np.atleast_2d(array)
    columns = _chosen(matrix.shape[1])
    rows = [
        ["…" if row is None or column is None else matrix[row, column] for column in columns]
        for row in _chosen(matrix.shape[0])
    ]
    title = f"[{', '.join(['0'] * (array.ndim - 2) + [':', ':'])}]" if array.ndim > 2 else ""
    return table((), rows, title)


def quantized_tensor(tensor: "QuantizedTensor") -> str:
    """Write a quantized tensor: its quantizer, some integers and how often each occurs.

    Parameters
    ----------
    tensor : QuantizedTensor

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> import refquant
    >>> from refquant.tensors.html import quantized_tensor
    >>> q = refquant.quantize_per_tensor(refquant.tensor([0.5, 1.0]), 0.1, 0, refquant.quint8)
    >>> "<svg" in quantized_tensor(q)
    True
    """
    array, dtype = tensor.array, tensor.dtype
    facts: list[tuple[str, Any]] = [
        ("scheme", tensor.qscheme().name),
        ("scale", _numbers(tensor.scale)),
        ("zero point", _numbers(tensor.zero_point)),
    ]
    if tensor.axis is not None:
        facts.append(("axis", tensor.axis))
    title = f"{dtype.name} tensor of shape {tuple(array.shape)}"
    if not array.size:
        return labeled(facts, title)
    low, high = dtype.quant_min, dtype.quant_max
    if high - low > 255:
        low, high = int(array.min()), int(array.max())
    drawn = histogram(array, low, high, f"how often integers from {low} to {high} occur")
    return labeled(facts, title) + _elements(array) + drawn
