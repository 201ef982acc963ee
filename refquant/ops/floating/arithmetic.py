"""Arithmetic of plain tensors with broadcasting."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.floating.given_out import written
from refquant.ops.floating.operands import broadcast, operand, pair, reject_quantized, scalar
from refquant.ops.inplace import assign
from refquant.ops.rows import in_place, row
from refquant.tensors import Tensor, differentiable


def _times(other: Any, alpha: Any) -> Any:
    alpha = scalar("alpha", alpha)
    if isinstance(other, Tensor):
        return other if alpha == 1 else _scaled(other, alpha)
    if isinstance(other, np.ndarray):
        return mul(other, alpha)
    other = scalar("other", other)
    if isinstance(other, int | np.integer) and isinstance(alpha, int | np.integer):
        return int(other) * int(alpha)
    return arguments.real("other", other) * arguments.real("alpha", alpha)


@row(returns="Of the common dtype and shape.", domain=(-2, 2), options=({}, {"alpha": -0.5}))
def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    r"""Add, :math:`x + \alpha y`, with broadcasting.

    Parameters
    ----------
    input, other : Tensor or number
        At least one of them a plain tensor.
    alpha : number
        Multiplies `other`.

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.
    QuantizerError
        If an operand is quantized.

    >>> refquant.tensor([1.0, 2.0]) + 1
    tensor([2., 3.])
    """
    if type(alpha) is not int or alpha != 1:
        other = _times(other, alpha)
    a, b, x, y = pair(input, other)
    first, second = x.shape, y.shape
    return differentiable(
        broadcast(np.logical_or if x.dtype == np.bool_ else np.add, x, y),
        (a, b),
        lambda g: (unbroadcast(g, first), unbroadcast(g, second)),
    )


def _scaled(x: Tensor, alpha: float) -> Tensor:
    """Multiply by a number, which is all that the gradient needs."""
    return differentiable(mul(x.detach(), alpha).array, (x,), lambda g: (g * alpha,))


@row(domain=(-2, 2), alpha="Factor of `other`.")
def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    r"""Subtract, :math:`x - \alpha y`, with broadcasting; see `add`.

    >>> refquant.sub(refquant.tensor([5.0, 7.0]), refquant.tensor([1.0, 2.0]), alpha=2)
    tensor([3., 3.])
    """
    if type(alpha) is not int or alpha != 1:
        other = _times(other, alpha)
    a, b, x, y = pair(input, other)
    first, second = x.shape, y.shape
    return differentiable(
        broadcast(np.subtract, x, y),
        (a, b),
        lambda g: (unbroadcast(g, first), unbroadcast(-g, second)),
    )


@row(domain=(-2, 2))
def mul(input: Any, other: Any, *, out: Any = None) -> Tensor:
    """Multiply element by element, with broadcasting; see `add`.

    >>> refquant.mul(refquant.tensor([2.0, 3.0]), 4)
    tensor([ 8., 12.])
    """
    a, b, x, y = pair(input, other)
    product = differentiable(
        broadcast(np.multiply, x, y),
        (a, b),
        lambda g: (
            unbroadcast(g * y, x.shape) if a.requires_grad else None,
            unbroadcast(g * x, y.shape) if b.requires_grad else None,
        ),
    )
    return product if out is None else written(out, product)


@row(domain=(0.3, 2))
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Divide element by element, with broadcasting; integers give float32. See `add`.

    Parameters
    ----------
    input, other : Tensor or number
        At least one of them a plain tensor.
    rounding_mode : {None, 'floor', 'trunc'}
        Whether, and in which direction, the quotient is rounded.

    >>> refquant.div(refquant.tensor([3, 5]), 2)
    tensor([1.5000, 2.5000])
    """
    a, b, x, y = pair(input, other)
    if rounding_mode is not None:
        arguments.choice("rounding_mode", rounding_mode, ("floor", "trunc"))
        return Tensor(_rounded_quotient(x, y, rounding_mode))
    if x.dtype.kind != "f":
        x, y = x.astype(np.float32), y.astype(np.float32)
    return differentiable(
        broadcast(np.divide, x, y),
        (a, b),
        lambda g: (
            unbroadcast(g / y, x.shape) if a.requires_grad else None,
            unbroadcast(-g * x / (y * y), y.shape) if b.requires_grad else None,
        ),
    )


def _rounded_quotient(x: np.ndarray, y: np.ndarray, mode: str) -> np.ndarray:
    if mode == "floor" or x.dtype.kind != "f":
        quotient = broadcast(np.floor_divide, x, y)
        if mode == "trunc":
            inexact = broadcast(np.remainder, x, y) != 0
            quotient = quotient + (inexact & ((x < 0) != (y < 0))).astype(quotient.dtype)
        return np.asarray(quotient)
    return np.asarray(np.trunc(broadcast(np.divide, x, y)))


@row()
def floor_divide(input: Any, other: Any) -> Tensor:
    """Divide and round down; not differentiable.

    >>> refquant.floor_divide(refquant.tensor([-3, 5]), 2)
    tensor([-2,  2])
    """
    return div(input, other, rounding_mode="floor")


@row(domain=(0.3, 2))
def remainder(input: Any, other: Any) -> Tensor:
    """Compute the remainder of the division that rounds down; it has the sign of `other`.

    >>> refquant.remainder(refquant.tensor([-3, 5]), 2)
    tensor([1, 1])
    """
    return _rest(input, other, np.remainder, np.floor_divide)


@row(domain=(0.3, 2))
def fmod(input: Any, other: Any) -> Tensor:
    """Compute the remainder of the division that cuts off; it has the sign of `input`.

    >>> refquant.fmod(refquant.tensor([-3, 5]), 2)
    tensor([-1,  1])
    """
    return _rest(input, other, np.fmod, lambda x, y: np.trunc(x / y))


def _rest(input: Any, other: Any, formula: Callable, quotient: Callable) -> Tensor:
    """Compute what a division leaves."""
    a, b, x, y = pair(input, other)
    first, second = x.shape, y.shape
    result = broadcast(formula, x, y)
    if not b.requires_grad:
        return differentiable(result, (a, b), lambda g: (unbroadcast(g, first), None))
    return differentiable(
        result,
        (a, b),
        lambda g: (unbroadcast(g, first), unbroadcast(-g * quotient(x, y), second)),
    )


@row(returns="Of the common shape.", domain=(0.3, 2))
def pow(input: Any, exponent: Any) -> Tensor:
    """Raise to a power, element by element, with broadcasting.

    >>> refquant.tensor([1.0, 3.0]) ** 2
    tensor([1., 9.])
    """
    a, b, x, y = pair(input, exponent, "exponent")
    result = broadcast(np.power, x, y)

    def backward(g):
        # 0 to the power 0 is constant in its base, and 0 to any power in its exponent.
        slope = np.where(y == 0, 0, y * np.power(x, y - 1)) if a.requires_grad else None
        log = np.where((x == 0) & (y >= 0), 0, result * np.log(x)) if b.requires_grad else None
        return (
            None if slope is None else unbroadcast(g * slope, x.shape),
            None if log is None else unbroadcast(g * log, y.shape),
        )

    return differentiable(result, (a, b), backward)


@row(domain=(-2, 2))
def neg(input: Any) -> Tensor:
    """Change the sign.

    >>> refquant.neg(refquant.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    reject_quantized(input)
    x = operand("input", input)
    return differentiable(broadcast(np.negative, x.array), (x,), lambda g: (-g,))


@row(returns="Of the common shape.", domain=(-2, 2))
def lerp(input: Any, end: Any, weight: Any) -> Tensor:
    """Interpolate linearly between two tensors, :math:`x + w (y - x)`.

    Parameters
    ----------
    end : Tensor
        Where the weight 1 leads, of the shape of `input`.
    weight : Tensor or number
        How far to go, from 0 to 1.

    >>> refquant.lerp(refquant.tensor([0.0, 10.0]), refquant.tensor([4.0, 20.0]), 0.25)
    tensor([ 1.0000, 12.5000])
    """
    input = operand("input", input)
    return add(input, mul(sub(end, input), weight))


# -- in place ----------------------------------------------------------------------------------

add_ = in_place(add)
sub_ = in_place(sub)
mul_ = in_place(mul)
div_ = in_place(div)


@row("Tensor", returns="`input`.")
def addcmul_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """Add ``value * tensor1 * tensor2`` in place.

    Parameters
    ----------
    input : Tensor
        Changes.
    tensor1, tensor2 : Tensor
        What is multiplied; shapes broadcast to that of `input`.
    value : float, default 1
        Factor of the product.

    >>> x, y = refquant.tensor([1.0, 2.0]), refquant.tensor([3.0, 4.0])
    >>> x.addcmul_(y, y, value=0.5)
    tensor([ 5.5000, 10.0000])
    """
    return assign(input, add(input, mul(tensor1, tensor2), alpha=value))


@row("Tensor", returns="`input`.")
def addcdiv_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """Add ``value * tensor1 / tensor2`` in place.

    Parameters
    ----------
    input : Tensor
        Changes.
    tensor1, tensor2 : Tensor
        What is divided, and by what; shapes broadcast to that of `input`.
    value : float, default 1
        Factor of the quotient.

    >>> x, y = refquant.tensor([1.0, 2.0]), refquant.tensor([4.0, 8.0])
    >>> x.addcdiv_(y, refquant.tensor([2.0, 4.0]), value=0.5)
    tensor([2., 3.])
    """
    return assign(input, add(input, div(tensor1, tensor2), alpha=value))
