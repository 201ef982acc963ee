"""Comparisons of two tensors, and tests for NaN and infinity."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.ops.dispatch import dispatched, quantized_form
from refquant.ops.floating.operands import broadcast, compare, operand, pair
from refquant.ops.rows import row
from refquant.tensors import QuantizedTensor, Tensor


def _compare(name: str, mirrored: str, formula: Callable, input: Any, other: Any) -> Tensor:
    if type(other) is QuantizedTensor and not isinstance(input, QuantizedTensor):
        # A plain tensor beside a quantized one: the same question from the other side.
        return quantized_form(mirrored, "other", other)(other, input)
    _, _, x, y = pair(input, other)
    return Tensor(compare(formula, x, y))


@row()
@dispatched
def eq(input: Any, other: Any) -> Tensor:
    """Test element by element whether two operands are equal.

    Parameters
    ----------
    input, other : Tensor or number
        Plain, or quantized: real values are compared. Shapes broadcast.

    Returns
    -------
    Tensor of bool

    >>> refquant.tensor([1.0, 2.0]) == 2
    tensor([False,  True])
    """
    return _compare("eq", "eq", np.equal, input, other)


@row(returns="bool, of the common shape.")
@dispatched
def ne(input: Any, other: Any) -> Tensor:
    """Test element by element whether two operands differ; see `eq`.

    >>> refquant.ne(refquant.tensor([1, 2, 3]), 2)
    tensor([ True, False,  True])
    """
    return _compare("ne", "ne", np.not_equal, input, other)


@row(returns="bool, of the common shape.")
@dispatched
def lt(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is less than `other`; see `eq`.

    >>> refquant.lt(refquant.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    return _compare("lt", "gt", np.less, input, other)


@row(returns="bool, of the common shape.")
@dispatched
def le(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is at most `other`; see `eq`.

    >>> refquant.le(refquant.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    return _compare("le", "ge", np.less_equal, input, other)


@row(returns="bool, of the common shape.")
@dispatched
def gt(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is greater than `other`; see `eq`.

    >>> refquant.gt(refquant.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    return _compare("gt", "lt", np.greater, input, other)


@row(returns="bool, of the common shape.")
@dispatched
def ge(input: Any, other: Any) -> Tensor:
    """Test element by element whether `input` is at least `other`; see `eq`.

    >>> refquant.ge(refquant.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    return _compare("ge", "le", np.greater_equal, input, other)


@row()
@dispatched
def equal(input: Any, other: Any) -> bool:
    """Test whether two tensors have the same shape and the same elements.

    Parameters
    ----------
    input, other : Tensor
        Both plain, or both quantized: then dtype and parameters must be the same too.

    Returns
    -------
    bool

    >>> refquant.equal(refquant.tensor([1, 2]), refquant.tensor([1, 2]))
    True
    """
    if isinstance(other, QuantizedTensor):
        return False
    a, b = operand("input", input), operand("other", other)
    return bool(np.array_equal(a.array, b.array))


@row(returns="bool, of the common shape.")
def isclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    r"""Test element by element whether :math:`|x - y| \le atol + rtol\,|y|`.

    >>> refquant.isclose(refquant.tensor([1.0, 2.0]), refquant.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    _, _, x, y = pair(input, other)
    tolerances: dict[str, Any] = {
        "rtol": arguments.real("rtol", rtol, 0),
        "atol": arguments.real("atol", atol, 0),
        "equal_nan": arguments.flag("equal_nan", equal_nan),
    }
    return Tensor(np.asarray(broadcast(lambda a, b: np.isclose(a, b, **tolerances), x, y)))


@row()
def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Test whether all elements are close; see `isclose`.

    Returns
    -------
    bool

    >>> refquant.allclose(refquant.tensor([1.0]), refquant.tensor([1.000001]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


# -- kinds of numbers --------------------------------------------------------------------------


@row(returns="bool, of the shape of `input`.")
def isnan(input: Any) -> Tensor:
    """Test which elements are NaN.

    >>> refquant.isnan(refquant.tensor([1.0, float('inf'), float('nan')]))
    tensor([False, False,  True])
    """
    return Tensor(np.asarray(np.isnan(operand("input", input).array)))


@row(returns="bool, of the shape of `input`.")
def isinf(input: Any) -> Tensor:
    """Test which elements are infinite.

    >>> refquant.isinf(refquant.tensor([1.0, float('inf'), float('nan')]))
    tensor([False,  True, False])
    """
    return Tensor(np.asarray(np.isinf(operand("input", input).array)))


@row(returns="bool, of the shape of `input`.")
def isfinite(input: Any) -> Tensor:
    """Test which elements are finite: neither infinite nor NaN.

    >>> refquant.isfinite(refquant.tensor([1.0, float('inf'), float('nan')]))
    tensor([ True, False, False])
    """
    return Tensor(np.asarray(np.isfinite(operand("input", input).array)))
