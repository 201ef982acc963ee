"""Limits on memory and time of a case, checked before it is computed."""

import math
from typing import Any

import numpy as np

from refquant.tensors import Tensor

__all__ = ["check_limits"]

MAX_ELEMENTS = 1 << 24  # of an output
MAX_PRODUCTS = 1 << 32  # of a linear layer or a convolution


def _each(value: Any, count: int) -> list[Any]:
    """Expand a number to a list of one for each dimension."""
    return list(value) if isinstance(value, list | tuple) else [value] * count


def _padded(a: dict[str, Any], extents: tuple[int, ...]) -> int:
    """Count the pixels of an image with its border."""
    paddings = _each(a.get("padding", 0), len(extents))
    return math.prod(n + 2 * max(p, 0) for n, p in zip(extents, paddings, strict=True))


def _elements(name: str, a: dict[str, Any]) -> int:
    """Bound the number of elements of the output."""
    if name in ("add", "mul"):
        return math.prod(np.broadcast_shapes(a["qa"].shape, a["qb"].shape))
    if name == "cat":
        return sum(part.array.size for part in a["qx"])
    shape = next(value for value in a.values() if isinstance(value, Tensor)).shape
    if name == "linear":
        return math.prod(shape[:-1]) * a["weight"].shape[0]
    if name.startswith("conv"):
        return shape[0] * a["weight"].shape[0] * _padded(a, shape[2:])
    if name in ("max_pool2d", "avg_pool2d"):
        return math.prod(shape[:2]) * _padded(a, shape[2:])
    if name in ("interpolate", "adaptive_avg_pool2d"):
        size, factor = a.get("size", a.get("output_size")), a.get("scale_factor")
        if size is None:
            factors = _each(factor, len(shape) - 2)
            size = [n * f for n, f in zip(shape[2:], factors, strict=True)]
        return math.ceil(math.prod(shape[:2]) * math.prod(_each(size, len(shape) - 2)))
    return math.prod(shape)


def _border(padding: Any) -> int:
    """Add up what a border may add to a dimension, however it is written."""
    if isinstance(padding, list | tuple):
        return sum(map(_border, padding))
    return 2 * max(padding, 0)


def _neutral_elements(name: str, a: dict[str, Any]) -> int:
    """Bound the number of elements of the output of neutral operands, or of what it is made of."""
    if name in ("add", "sub", "mul"):
        return math.prod(np.broadcast_shapes(a["a"].shape, a["b"].shape))
    if name == "cat":
        return sum(piece.array.size for piece in a["x"])
    matrices = name.startswith("matmul")
    shape = a["a" if matrices else "x"].shape
    border = _border(a.get("padding", 0))
    if name.startswith("conv"):
        batch, *middle, last = shape
        behind = a.get("layout") == "NHWC"
        space, channels = (middle, last) if behind else ([*middle[1:], last], middle[0])
        widest, spread = max(a["weight"].shape), 1
        if name == "conv_transpose2d":  # pixels lie apart, and windows reach beyond them
            spread, border = max(_each(a["stride"], 1)), border + widest
        pixels = math.prod(n * spread + border for n in space)
        return batch * pixels * max(widest, channels)
    padded = math.prod(n + border for n in shape)
    if name == "linear" or matrices:
        return padded * max(a["b" if matrices else "weight"].shape)
    if "kernel" in a:
        return padded * math.prod(_each(a["kernel"], 2))
    return padded * math.prod(_each(a.get("size", 1), 2))


def check_limits(operation: str, arguments: dict[str, Any], neutral: bool = False) -> None:
    """Raise a ValueError if a case needs more memory or time than test vectors do.

    Parameters
    ----------
    operation : str
        The operation.
    arguments : dict
        Its operands, not checked yet: those of wrong types may raise a TypeError, KeyError,
        AttributeError, IndexError or StopIteration.
    neutral : bool, default False
        Whether they are `Codes` and `Output`.
    """
    name = operation.removesuffix("_relu")
    elements = (_neutral_elements if neutral else _elements)(name, arguments)
    if elements > MAX_ELEMENTS:
        raise ValueError(f"an output of more than {MAX_ELEMENTS:,} elements")
    multiplies = name == "linear" or name.startswith("conv")
    if multiplies and elements * math.prod(arguments["weight"].shape[1:]) > MAX_PRODUCTS:
        raise ValueError(f"more than {MAX_PRODUCTS:,} products")
