"""What operations share that only copy elements to other places: the quantizer stays."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.ops import checks
from refquant.tensors import QuantizedTensor, Tensor, differentiable

__all__ = ["movable", "moved", "scattered"]


def movable(argument: str, value: Any) -> Tensor:
    """Return a tensor, plain or quantized per tensor, or raise."""
    if isinstance(value, QuantizedTensor):
        return checks.quantized_per_tensor(argument, value)
    return checks.any_tensor(argument, value)


def moved(x: Tensor, array: np.ndarray, backward: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Make a tensor of elements of another: with its quantizer, or with a gradient.

    Parameters
    ----------
    x : Tensor
        Where the elements are from.
    array : ndarray
        The elements.
    backward : callable
        Takes the gradient of `array` and returns that of the elements of `x`.
    """
    if isinstance(x, QuantizedTensor):
        return x.like(array)
    return differentiable(array, (x,), lambda g: (backward(g),))


def scattered(g: np.ndarray, index: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Add up entries along an axis at the places they were taken from."""
    result = np.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype)
    places: Any = (slice(None),) * axis + (index,)
    np.add.at(result, places, g)
    return result
