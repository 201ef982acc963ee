"""Comparisons, and what is done with their results."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import DtypeError
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.dispatch import dispatched, quantized_form
from refquant.ops.floating.operands import broadcast, compare, element, operand, pair
from refquant.ops.inplace import become
from refquant.tensors import QuantizedTensor, Tensor, differentiable

__all__ = [
    "allclose",
    "eq",
    "equal",
    "ge",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "masked_fill",
    "masked_fill_",
    "ne",
    "where",
]


def _compare(name: str, mirrored: str, formula: Callable, input: Any, other: Any) -> Tensor:
    if type(other) is QuantizedTensor and not isinstance(input, QuantizedTensor):
        # A plain tensor beside a quantized one: the same question from the other side.
        return quantized_form(mirrored, "other", other)(other, input)
    _, _, x, y = pair(name, input, other)
    return Tensor(compare(name, formula, x, y))


@dispatched
def eq(input: Any, other: Any) -> Tensor:
    """Tell, element by element, whether two operands are equal.

    Parameters
    ----------
    input, other : Tensor or number
        Plain or quantized; real values are compared. Shapes broadcast.

    Returns
    -------
    Tensor of bool

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([1.0, 2.0]) == 2
    tensor([False,  True])
    """
    return _compare("eq", "eq", np.equal, input, other)


@dispatched
def ne(input: Any, other: Any) -> Tensor:
    """Tell, element by element, whether two operands differ; see `eq`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.ne(refquant.tensor([1, 2, 3]), 2)
    tensor([ True, False,  True])
    """
    return _compare("ne", "ne", np.not_equal, input, other)


@dispatched
def lt(input: Any, other: Any) -> Tensor:
    """Tell, element by element, whether `input` is less than `other`; see `eq`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.lt(refquant.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    return _compare("lt", "gt", np.less, input, other)


@dispatched
def le(input: Any, other: Any) -> Tensor:
    """Tell, element by element, whether `input` is at most `other`; see `eq`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.le(refquant.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    return _compare("le", "ge", np.less_equal, input, other)


@dispatched
def gt(input: Any, other: Any) -> Tensor:
    """Tell, element by element, whether `input` is greater than `other`; see `eq`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.gt(refquant.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    return _compare("gt", "lt", np.greater, input, other)


@dispatched
def ge(input: Any, other: Any) -> Tensor:
    """Tell, element by element, whether `input` is at least `other`; see `eq`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.ge(refquant.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    return _compare("ge", "le", np.greater_equal, input, other)


@dispatched
def equal(input: Any, other: Any) -> bool:
    """Tell whether two tensors have the same shape and the same elements.

    Parameters
    ----------
    input, other : Tensor
        Both plain, or both quantized: then dtype and parameters must be the same too.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> refquant.equal(refquant.tensor([1, 2]), refquant.tensor([1, 2]))
    True
    """
    if isinstance(other, QuantizedTensor):
        return False
    a, b = operand("equal", "input", input), operand("equal", "other", other)
    return bool(np.array_equal(a.array, b.array))


def isclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    r"""Tell, element by element, whether :math:`|x - y| \le atol + rtol\,|y|`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.
    rtol : float, default 1e-05
        Relative and absolute tolerance.
    atol : float, default 1e-08
        Relative and absolute tolerance.
    equal_nan : bool, default False
        Whether NaN is close to NaN.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.isclose(refquant.tensor([1.0, 2.0]), refquant.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    _, _, x, y = pair("isclose", input, other)
    tolerances: dict[str, Any] = {
        "rtol": arguments.real("isclose", "rtol", rtol, 0),
        "atol": arguments.real("isclose", "atol", atol, 0),
        "equal_nan": arguments.flag("isclose", "equal_nan", equal_nan),
    }
    return Tensor(
        np.asarray(broadcast("isclose", lambda a, b: np.isclose(a, b, **tolerances), x, y))
    )


def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Tell whether all elements are close; see `isclose`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.
    rtol : float, default 1e-05
        Relative and absolute tolerance.
    atol : float, default 1e-08
        Relative and absolute tolerance.
    equal_nan : bool, default False
        Whether NaN is close to NaN.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> refquant.allclose(refquant.tensor([1.0]), refquant.tensor([1.000001]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


# -- kinds of numbers --------------------------------------------------------------------------


def isnan(input: Any) -> Tensor:
    """Tell which elements are not a number.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        bool, of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.isnan(refquant.tensor([1.0, float('inf'), float('nan')]))
    tensor([False, False,  True])
    """
    return Tensor(np.asarray(np.isnan(operand("isnan", "input", input).array)))


def isinf(input: Any) -> Tensor:
    """Tell which elements are infinite.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        bool, of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.isinf(refquant.tensor([1.0, float('inf'), float('nan')]))
    tensor([False,  True, False])
    """
    return Tensor(np.asarray(np.isinf(operand("isinf", "input", input).array)))


def isfinite(input: Any) -> Tensor:
    """Tell which elements are neither infinite nor NaN.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        bool, of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.isfinite(refquant.tensor([1.0, float('inf'), float('nan')]))
    tensor([ True, False, False])
    """
    return Tensor(np.asarray(np.isfinite(operand("isfinite", "input", input).array)))


# -- logic -------------------------------------------------------------------------------------


def _logical(asked: str, on_bools: Callable, input: Any, other: Any) -> Tensor:
    a, b = operand(asked, "input", input), operand(asked, "other", other)
    return Tensor(compare(asked, on_bools, a.array, b.array))


def logical_and(input: Any, other: Any) -> Tensor:
    """Tell where neither of two elements is 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.logical_and(refquant.tensor([0, 1, 2]), refquant.tensor([0, 0, 3]))
    tensor([False, False,  True])
    """
    return _logical("logical_and", np.logical_and, input, other)


def logical_or(input: Any, other: Any) -> Tensor:
    """Tell where one of two elements is not 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.logical_or(refquant.tensor([0, 1, 2]), refquant.tensor([0, 0, 3]))
    tensor([False,  True,  True])
    """
    return _logical("logical_or", np.logical_or, input, other)


def logical_xor(input: Any, other: Any) -> Tensor:
    """Tell where exactly one of two elements is not 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    other : Tensor or number
        The second operand; shapes broadcast.

    Returns
    -------
    Tensor
        bool, of the common shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.logical_xor(refquant.tensor([0, 1, 2]), refquant.tensor([0, 0, 3]))
    tensor([False,  True, False])
    """
    return _logical("logical_xor", np.logical_xor, input, other)


def logical_not(input: Any) -> Tensor:
    """Tell where elements are 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        bool, of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.logical_not(refquant.tensor([0, 2]))
    tensor([ True, False])
    """
    return Tensor(np.asarray(np.logical_not(operand("logical_not", "input", input).array)))


def _bitwise(name: str, formula: Callable) -> Callable:
    def method(self, other):
        _, _, x, y = pair(name, self, other)
        if x.dtype.kind == "f":
            raise DtypeError(
                name, argument="input", expected="bool or integer tensors", got=x.dtype
            )
        return Tensor(compare(name, formula, x, y))

    method.__doc__ = f"Combine bits, as Python's {name}."
    return method


def _invert(self) -> Tensor:
    """Turn every bit around; true becomes false."""
    x = operand("invert", "input", self).array
    if x.dtype.kind == "f":
        raise DtypeError(
            "invert", argument="input", expected="a bool or integer tensor", got=x.dtype
        )
    return Tensor(np.asarray(np.invert(x)))


def _rich(function: Callable) -> Callable:
    def method(self, other):
        if isinstance(other, Tensor | np.ndarray | int | float | np.number | np.bool_):
            return function(self, other)
        return NotImplemented

    method.__doc__ = function.__doc__
    return method


OPERATORS = {
    **{f"__{f.__name__}__": _rich(f) for f in (eq, ne, lt, le, gt, ge)},
    "__and__": _bitwise("and", np.bitwise_and),
    "__or__": _bitwise("or", np.bitwise_or),
    "__xor__": _bitwise("xor", np.bitwise_xor),
    "__invert__": _invert,
}


# -- choosing ----------------------------------------------------------------------------------


def where(condition: Any, input: Any = None, other: Any = None):
    """Choose, element by element, between two operands.

    Parameters
    ----------
    condition : Tensor of bool
        Where it is true, `input` is taken, else `other`.
    input, other : Tensor or number, optional
        What to choose from; shapes broadcast. If neither is given, the result is a tuple of the
        indices at which the condition is true.

    Returns
    -------
    Tensor, or tuple of Tensor

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([1.0, -2.0])
    >>> refquant.where(x > 0, x, 0.0)
    tensor([1., 0.])
    """
    c = operand("where", "condition", condition).array
    if input is None and other is None:
        return tuple(Tensor(i) for i in np.nonzero(c))
    if isinstance(input, Tensor | np.ndarray) or isinstance(other, Tensor | np.ndarray):
        a, b, x, y = pair("where", input, other)
    else:
        whole = not isinstance(input, float) and not isinstance(other, float)
        kind = np.dtype(np.int64 if whole else np.float32)
        x = element("where", "input", input, kind)
        y = element("where", "other", other, kind)
        a, b = Tensor(x), Tensor(y)
    c = c.astype(np.bool_, copy=False)
    return differentiable(
        broadcast("where", np.where, c, x, y),
        (a, b),
        lambda g: (
            unbroadcast(np.where(c, g, g.dtype.type(0)), x.shape),
            unbroadcast(np.where(c, g.dtype.type(0), g), y.shape),
        ),
    )


def masked_fill(input: Tensor, mask: Tensor, value: float) -> Tensor:
    """Replace elements where a mask is true by a number.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    mask : Tensor of bool
        Broadcasts to `input`.
    value : float
        The number.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.masked_fill(refquant.tensor([1.0, 2.0]), refquant.tensor([True, False]), 0.0)
    tensor([0., 2.])
    """
    x = operand("masked_fill", "input", input)
    return where(mask, Tensor(element("masked_fill", "value", value, x.array.dtype)), x)


def masked_fill_(input: Tensor, mask: Tensor, value: float) -> Tensor:
    """Replace elements where a mask is true by a number, in place."""
    return become("masked_fill_", input, masked_fill(input, mask, value))
