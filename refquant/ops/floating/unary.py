"""Functions of one tensor, applied element by element, with their derivatives."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.ops.floating.operands import operand
from refquant.tensors import Tensor, differentiable

__all__ = ["floats", "unary", "unary_float"]


def floats(array: np.ndarray) -> np.ndarray:
    """Turn integers into float32."""
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def unary_float(input: Any, formula: Callable, slope: Callable) -> Tensor:
    """Apply a formula to a tensor.

    `formula` takes the elements x and gives y, `slope` takes x and y and gives dy/dx. What is
    infinite or undefined becomes inf or NaN, silently.
    """
    t = operand("input", input)
    x = floats(t.array)
    with np.errstate(all="ignore"):
        y = formula(x)
    return differentiable(y, (t,), lambda g: (g * slope(x, y),))


def unary(input: Any, formula: Callable, slope: Callable) -> Tensor:
    """Apply a formula as `unary_float` does, but leave integers what they are; `slope` takes x."""
    t = operand("input", input)
    x = t.array
    with np.errstate(all="ignore"):
        y = formula(x)
    return differentiable(y, (t,), lambda g: (g * slope(x),))
