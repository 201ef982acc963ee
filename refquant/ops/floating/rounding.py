"""Sign and rounding of every element; integers stay integers, and gradients are those of steps."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.ops.floating.operands import operand
from refquant.ops.floating.unary import unary
from refquant.ops.rows import in_place, row
from refquant.tensors import Tensor, differentiable


def _steps(input: Any, formula: Callable) -> Tensor:
    """Apply a formula whose slope is 0 everywhere that it has one, whatever the gradient."""
    t = operand("input", input)
    with np.errstate(all="ignore"):
        y = formula(t.array)
    return differentiable(y, (t,), lambda g: (np.zeros_like(g),))


@row(domain=(-2, 2))
def abs(input: Any) -> Tensor:
    """Absolute value; the gradient at 0 is 0.

    >>> refquant.abs(refquant.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])
    """
    return unary(input, np.abs, np.sign)


@row(domain=(-2, 2))
def sign(input: Any) -> Tensor:
    """-1, 0 or 1.

    >>> refquant.sign(refquant.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return _steps(input, lambda x: x.copy() if x.dtype == np.bool_ else np.sign(x))


@row(domain=(-2, 2))
def floor(input: Any) -> Tensor:
    """Round down; the gradient is 0.

    >>> refquant.floor(refquant.tensor([-1.5, 1.2]))
    tensor([-2.,  1.])
    """
    return _steps(input, np.floor)


@row(domain=(-2, 2))
def ceil(input: Any) -> Tensor:
    """Round up; the gradient is 0.

    >>> refquant.ceil(refquant.tensor([-1.5, 1.2]))
    tensor([-1.,  2.])
    """
    return _steps(input, np.ceil)


@row(domain=(-2, 2))
def trunc(input: Any) -> Tensor:
    """Round towards 0; the gradient is 0.

    >>> refquant.trunc(refquant.tensor([-1.5, 1.7]))
    tensor([-1.,  1.])
    """
    return _steps(input, np.trunc)


@row(domain=(-2, 2))
def round(input: Any) -> Tensor:
    """Round to the nearest integer, ties to the even one; the gradient is 0.

    >>> refquant.round(refquant.tensor([0.5, 1.5, 2.6]))
    tensor([0., 2., 3.])
    """
    return _steps(input, lambda x: np.rint(x) if x.dtype.kind == "f" else x.copy())


round_ = in_place(round)
