"""Arithmetic in place."""

from typing import Any

from refquant.ops.floating.arithmetic import add, div, mul, sub
from refquant.ops.inplace import assign
from refquant.tensors import Tensor

__all__ = ["add_", "addcdiv_", "addcmul_", "div_", "mul_", "sub_"]


def add_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """Add in place; see `add`."""
    return assign(input, add(input, other, alpha=alpha))


def sub_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """Subtract in place; see `sub`."""
    return assign(input, sub(input, other, alpha=alpha))


def mul_(input: Tensor, other: Any) -> Tensor:
    """Multiply in place; see `mul`."""
    return assign(input, mul(input, other))


def div_(input: Tensor, other: Any) -> Tensor:
    """Divide in place; see `div`."""
    return assign(input, div(input, other))


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

    Returns
    -------
    Tensor
        `input`.

    Examples
    --------
    >>> import refquant
    >>> x, y = refquant.tensor([1.0, 2.0]), refquant.tensor([3.0, 4.0])
    >>> x.addcmul_(y, y, value=0.5)
    tensor([ 5.5, 10. ])
    """
    return assign(input, add(input, mul(tensor1, tensor2), alpha=value))


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

    Returns
    -------
    Tensor
        `input`.

    Examples
    --------
    >>> import refquant
    >>> x, y = refquant.tensor([1.0, 2.0]), refquant.tensor([4.0, 8.0])
    >>> x.addcdiv_(y, refquant.tensor([2.0, 4.0]), value=0.5)
    tensor([2., 3.])
    """
    return assign(input, add(input, div(tensor1, tensor2), alpha=value))
