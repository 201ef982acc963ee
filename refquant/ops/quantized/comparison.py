"""Comparisons of quantized tensors: of the real numbers that the integers stand for."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentTypeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.affine import dequantize
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["eq", "equal", "ge", "gt", "le", "lt", "ne"]


def _real(value: Any) -> np.ndarray:
    """Return a tensor, quantized or float32, or a number as float32, or raise."""
    if isinstance(value, QuantizedTensor):
        return dequantize(value).array
    if isinstance(value, bool | int | float | np.integer | np.floating):
        number = arguments.real("other", value)
        return arguments.numbers("other", number, np.float32)
    if isinstance(value, Tensor | np.ndarray):
        return checks.float32_tensor("other", value).array
    raise ArgumentTypeError(
        argument="other",
        expected="a quantized tensor, a float32 tensor or a number",
        got=type(value).__name__,
    )


def _compare(formula: Callable, input: Any, other: Any) -> Tensor:
    x = dequantize(checks.quantized_tensor("input", input)).array
    y = _real(other)
    try:
        return Tensor(np.asarray(formula(x, y)))
    except ValueError:
        raise ShapeError(
            argument="other",
            expected=f"of a shape that broadcasts against {x.shape}",
            got=f"shape {y.shape}",
        ) from None


def eq(input: Any, other: Any) -> Tensor:
    """Test element by element whether the real numbers are equal, :math:`x = y`.

    Parameters
    ----------
    input : QuantizedTensor
        Of any scheme; it is dequantized for the comparison.
    other : QuantizedTensor, Tensor of float32 or number
        A number is rounded to float32. Shapes broadcast; parameters may differ.

    Returns
    -------
    Tensor of bool

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.

    Notes
    -----
    Source: ATen's quantized comparators, PyTorch 1.4 and 2.13.

    %(one_to_two)s
    >>> refquant.eq(x, 2.0)
    tensor([False,  True])
    """
    return _compare(np.equal, input, other)


def ne(input: Any, other: Any) -> Tensor:
    """Test element by element whether the real numbers differ; see `eq`."""
    return _compare(np.not_equal, input, other)


def lt(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is less than `other`; see `eq`."""
    return _compare(np.less, input, other)


def le(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is at most `other`; see `eq`."""
    return _compare(np.less_equal, input, other)


def gt(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is greater than `other`; see `eq`."""
    return _compare(np.greater, input, other)


def ge(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is at least `other`; see `eq`."""
    return _compare(np.greater_equal, input, other)


def equal(input: Any, other: Any) -> bool:
    """Test whether two quantized tensors are the same.

    Parameters
    ----------
    input, other : QuantizedTensor
        What differs in kind is not equal, and no error.

    Returns
    -------
    bool
        Whether scheme, parameters, dtype, shape and integers are the same.

    %(one_to_two)s
    >>> refquant.equal(x, x.clone())
    True
    """
    a = checks.quantized_tensor("input", input)
    if not isinstance(other, QuantizedTensor):
        return False
    same_kind = a.dtype is other.dtype and a.axis == other.axis
    return (
        same_kind
        and np.array_equal(a.scale, other.scale)
        and np.array_equal(a.zero_point, other.zero_point)
        and np.array_equal(a.array, other.array)
    )


document(__name__)
enclose(__name__)
