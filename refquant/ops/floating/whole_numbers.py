"""Sign and rounding of every element; integers stay integers, and gradients are those of steps."""

from typing import Any

import numpy as np

from refquant.ops.floating.formulas import exactly
from refquant.tensors import Tensor

__all__ = [
    "abs",
    "ceil",
    "floor",
    "round",
    "sign",
    "trunc",
]


def abs(input: Any) -> Tensor:
    """Absolute value; the gradient at 0 is 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.abs(refquant.tensor([-1.5, 2.0]))
    tensor([1.5, 2. ])
    """
    return exactly("abs", input, np.abs, np.sign)


def sign(input: Any) -> Tensor:
    """-1, 0 or 1.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.sign(refquant.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return exactly(
        "sign", input, lambda x: x.copy() if x.dtype == np.bool_ else np.sign(x), np.zeros_like
    )


def floor(input: Any) -> Tensor:
    """Round down; the gradient is 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.floor(refquant.tensor([-1.5, 1.2]))
    tensor([-2.,  1.])
    """
    return exactly("floor", input, np.floor, np.zeros_like)


def ceil(input: Any) -> Tensor:
    """Round up; the gradient is 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.ceil(refquant.tensor([-1.5, 1.2]))
    tensor([-1.,  2.])
    """
    return exactly("ceil", input, np.ceil, np.zeros_like)


def trunc(input: Any) -> Tensor:
    """Round towards 0; the gradient is 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.trunc(refquant.tensor([-1.5, 1.7]))
    tensor([-1.,  1.])
    """
    return exactly("trunc", input, np.trunc, np.zeros_like)


def round(input: Any) -> Tensor:
    """Round to the nearest integer, ties to the even one; the gradient is 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.round(refquant.tensor([0.5, 1.5, 2.6]))
    tensor([0., 2., 3.])
    """
    return exactly("round", input, np.rint, np.zeros_like)
