"""Sums, means, extremes and other reductions over dimensions."""

from typing import Any, NamedTuple

import numpy as np

from refquant.arguments import flag, real
from refquant.errors import OperationError
from refquant.ops import checks
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.arithmetic import maximum, minimum
from refquant.ops.floating.operands import cast, float_operand, operand
from refquant.ops.from_data import plain_dtype
from refquant.tensors import Tensor, differentiable

__all__ = [
    "ValuesAndIndices",
    "all",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumsum",
    "max",
    "mean",
    "median",
    "min",
    "norm",
    "prod",
    "std",
    "sum",
    "var",
]


class ValuesAndIndices(NamedTuple):
    """What was found along a dimension, and where."""

    values: Tensor
    indices: Tensor


def _axes(asked: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """Take the dimensions to reduce: one, several, or None (and none of several) for all."""
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    axes = checks.dimensions(asked, "dim", dim, ndim)
    return axes if ndim else ()


def _converted(asked: str, input: Any, dtype: Any) -> Tensor:
    """Take a plain tensor, in another dtype if one is given."""
    t = operand(asked, "input", input)
    return t if dtype is None else t.to(plain_dtype(asked, dtype))


def _spread(gradient: np.ndarray, axes: tuple[int, ...], keepdim: bool, shape) -> np.ndarray:
    """Repeat a gradient over the dimensions that were reduced."""
    if not keepdim and axes:
        gradient = np.expand_dims(gradient, axes)
    return np.broadcast_to(gradient, shape)


def _total(x: np.ndarray, axes: tuple[int, ...], keepdim: bool) -> np.ndarray:
    """Add up: float16 in float32, integers and bools in int64."""
    kind = {"e": np.float32, "f": np.float32, "d": np.float64}.get(x.dtype.char, np.int64)
    with np.errstate(all="ignore"):
        return np.asarray(x.sum(axis=axes, keepdims=keepdim, dtype=kind))


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    count = 1
    for axis in axes:
        count *= shape[axis]
    return count


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Add up, over all dimensions or some.

    Parameters
    ----------
    input : Tensor
        Plain; integers and bools add up to int64.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.
    keepdim : bool
        Whether they stay, with extent 1.
    dtype : dtype, optional
        Converts the input first.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([[1, 2], [3, 4]]).sum(dim=0)
    tensor([4, 6])
    """
    t, keepdim = _converted("sum", input, dtype), flag("sum", "keepdim", keepdim)
    x, axes = t.array, _axes("sum", dim, t.array.ndim)
    kind = x.dtype if x.dtype.kind == "f" else np.int64
    made = cast(_total(x, axes, keepdim), kind)
    shape = x.shape
    return differentiable(made, (t,), lambda g: (_spread(g, axes, keepdim, shape),))


@dispatched
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Average, over all dimensions or some; parameters as of `sum`, for floating point.

    Of a quantized tensor the mean has the parameters of the input.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.
    dtype : dtype, optional
        Element type of the result.

    Returns
    -------
    Tensor
        Without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([1.0, 2.0]).mean()
    tensor(1.5)
    """
    t = float_operand("mean", "input", _converted("mean", input, dtype))
    keepdim = flag("mean", "keepdim", keepdim)
    x, axes = t.array, _axes("mean", dim, t.array.ndim)
    count = _count(x.shape, axes)
    with np.errstate(all="ignore"):
        made = (_total(x, axes, keepdim) / count).astype(x.dtype, copy=False)
    shape, divisor = x.shape, x.dtype.type(count)
    return differentiable(made, (t,), lambda g: (_spread(g / divisor, axes, keepdim, shape),))


def prod(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Multiply, over all dimensions or one; integers give int64.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, optional
        The dimension to reduce; all if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        Without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.prod(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([2., 0.])
    """
    t, keepdim = operand("prod", "input", input), flag("prod", "keepdim", keepdim)
    x, axes = t.array, _axes("prod", dim, t.array.ndim)
    kind = x.dtype if x.dtype.kind == "f" else np.int64
    with np.errstate(all="ignore"):
        made = np.asarray(x.prod(axis=axes, keepdims=keepdim, dtype=kind))

    def backward(g):
        # The product of the others: also right where one factor is 0.
        zeros = (x == 0).sum(axis=axes, keepdims=True)
        others = np.where(x == 0, 1, x).prod(axis=axes, keepdims=True)
        with np.errstate(all="ignore"):
            slope = np.where(zeros == 0, others / x, np.where((zeros == 1) & (x == 0), others, 0))
        return (_spread(g, axes, keepdim, x.shape) * slope.astype(x.dtype),)

    return differentiable(made, (t,), backward)


def var(input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False) -> Tensor:
    """Mean square distance from the mean; `unbiased` divides by one less than the count.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.
    unbiased : bool, default True
        Whether to divide by one less than the count.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        Without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.var(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([0.5, 4.5])
    """
    t = float_operand("var", "input", input)
    unbiased = flag("var", "unbiased", unbiased)
    keepdim = flag("var", "keepdim", keepdim)
    x, axes = t.array, _axes("var", dim, t.array.ndim)
    divisor = _count(x.shape, axes) - unbiased
    with np.errstate(all="ignore"):
        # Not x.mean(), which warns where there is nothing to average.
        mean = _total(x, axes, True) / _count(x.shape, axes)
        distance = x - mean.astype(x.dtype, copy=False)
        made = np.divide(
            np.square(distance).sum(axis=axes, keepdims=keepdim), divisor, dtype=x.dtype
        )
    return differentiable(
        made, (t,), lambda g: (_spread(g, axes, keepdim, x.shape) * distance * (2 / divisor),)
    )


def std(input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False) -> Tensor:
    """Square root of `var`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.
    unbiased : bool, default True
        Whether to divide by one less than the count.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        Without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.std(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([0.7071, 2.1213])
    """
    return var(input, dim, unbiased, keepdim).sqrt()


def norm(input: Any, p: float = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    r"""Length of the vector of all elements, :math:`(\sum_i |x_i|^p)^{1/p}`; `p` may be inf.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    p : float, default 2
        The exponent; may be inf.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        Without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.norm(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([2.2361, 3.    ])
    """
    t = float_operand("norm", "input", input)
    p, keepdim = real("norm", "p", p), flag("norm", "keepdim", keepdim)
    x, axes = t.array, _axes("norm", dim, t.array.ndim)
    if np.isinf(p) and _count(x.shape, axes) == 0:
        raise _empty("norm", x)
    size = np.abs(x)
    with np.errstate(all="ignore"):
        if p == np.inf:
            kept = size.max(axis=axes, keepdims=True)
        elif p == -np.inf:
            kept = size.min(axis=axes, keepdims=True)
        elif p == 0:  # the number of those that are not 0
            kept = np.count_nonzero(size, axis=axes, keepdims=True)
        else:
            kept = (size**p).sum(axis=axes, keepdims=True) ** (1 / p)
        kept = kept.astype(x.dtype)

    def backward(g):
        with np.errstate(all="ignore"):
            if p == 0:
                return (np.zeros(x.shape, x.dtype),)
            if np.isinf(p):
                slope = np.sign(x) * (size == kept) / (size == kept).sum(axis=axes, keepdims=True)
            else:
                slope = np.sign(x) * (size / kept) ** (p - 1)
        slope = np.where(kept == 0, 0, slope).astype(x.dtype)
        return (_spread(g, axes, keepdim, x.shape) * slope,)

    return differentiable(kept if keepdim else kept.squeeze(axes), (t,), backward)


def cumsum(input: Any, dim: int) -> Tensor:
    """Add up along a dimension and keep every sum on the way.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int
        The dimension.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.cumsum(refquant.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    t = operand("cumsum", "input", input)
    dim = checks.dimension("cumsum", "dim", dim, t.array.ndim)
    kind = t.array.dtype if t.array.dtype.kind == "f" else np.int64
    with np.errstate(all="ignore"):
        made = np.cumsum(t.array, axis=dim, dtype=kind)
    return differentiable(
        made.reshape(t.array.shape),  # NumPy gives one without dimensions one
        (t,),
        lambda g: (np.flip(np.cumsum(np.flip(g, dim), axis=dim), dim),),
    )


# -- extremes ----------------------------------------------------------------------------------


def _not_empty(asked: str, x: np.ndarray) -> None:
    if x.size == 0:
        raise _empty(asked, x)


def _empty(asked: str, x: np.ndarray) -> OperationError:
    return OperationError(
        asked, argument="input", expected="a tensor with elements", got=f"shape {x.shape}"
    )


def _whole(asked: str, input: Any, find) -> Tensor:
    t = operand(asked, "input", input)
    x = t.array
    _not_empty(asked, x)
    made = find(x)

    def backward(g):
        equal = x == made if made == made else np.isnan(x)
        return ((g / equal.sum()).astype(x.dtype) * equal,)

    return differentiable(made, (t,), backward)


def taken(t: Tensor, where: np.ndarray, dim: int, keepdim: bool) -> ValuesAndIndices:
    """Take the elements at `where` along a dimension, differentiably."""
    x = t.array

    def backward(g):
        whole = np.zeros(x.shape, g.dtype)
        np.put_along_axis(whole, where, g if keepdim else np.expand_dims(g, dim), dim)
        return (whole,)

    values = np.take_along_axis(x, where, dim)
    if not keepdim:
        values, where_shown = values.squeeze(dim), where.squeeze(dim)
    else:
        where_shown = where
    return ValuesAndIndices(
        differentiable(values, (t,), backward), Tensor(where_shown.astype(np.int64, copy=False))
    )


def _along(asked: str, input: Any, dim: int, keepdim: bool, find) -> ValuesAndIndices:
    t, keepdim = operand(asked, "input", input), flag(asked, "keepdim", keepdim)
    dim = checks.dimension(asked, "dim", dim, t.array.ndim)
    if t.array.ndim == 0:
        return ValuesAndIndices(t.clone(), Tensor(np.zeros((), np.int64)))
    _not_empty(asked, t.array)
    return taken(t, np.expand_dims(find(t.array, axis=dim), dim), dim, keepdim)


@dispatched
def max(input: Any, dim: Any = None, keepdim: bool = False):
    """Find the largest element, of all or along a dimension; or the larger of two tensors.

    Parameters
    ----------
    input : Tensor
        Plain or quantized; a quantized result has the parameters of the input.
    dim : int or Tensor, optional
        A dimension; or another tensor to compare with, as in `maximum`.
    keepdim : bool
        Whether the dimension stays, with extent 1.

    Returns
    -------
    Tensor, or ValuesAndIndices if a dimension is given
        NaN counts as largest. Of equals the first along the dimension is found.

    Raises
    ------
    OperationError
        If there are no elements.

    Examples
    --------
    >>> import refquant
    >>> values, indices = refquant.tensor([[1, 5], [7, 2]]).max(dim=1)
    >>> values, indices
    (tensor([5, 7]), tensor([1, 0]))
    """
    if dim is None:
        return _whole("max", input, np.max)
    if isinstance(dim, Tensor | np.ndarray):
        return maximum(input, dim)
    return _along("max", input, dim, keepdim, np.argmax)


@dispatched
def min(input: Any, dim: Any = None, keepdim: bool = False):
    """Find the smallest element; see `max`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, optional
        The dimension to search; all elements if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor, or (values, indices)
        One number without `dim`; with it, the smallest elements and where they are.

    Examples
    --------
    >>> import refquant
    >>> refquant.min(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]))
    tensor(0.)
    >>> refquant.min(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1).indices
    tensor([0, 1])
    """
    if dim is None:
        return _whole("min", input, np.min)
    if isinstance(dim, Tensor | np.ndarray):
        return minimum(input, dim)
    return _along("min", input, dim, keepdim, np.argmin)


def _position(asked: str, input: Any, dim: int | None, keepdim: bool, find) -> Tensor:
    t, keepdim = operand(asked, "input", input), flag(asked, "keepdim", keepdim)
    x = t.array
    _not_empty(asked, x)
    if dim is None:
        found = np.asarray(find(x))
        return Tensor(found.reshape((1,) * x.ndim) if keepdim else found)
    dim = checks.dimension(asked, "dim", dim, x.ndim)
    return Tensor(np.asarray(find(x, axis=dim, keepdims=keepdim) if x.ndim else np.int64(0)))


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Tell where the largest element is, of all (counted in row-major order) or along a dimension.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, optional
        The dimension to search; all elements if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        int64, without the dimension, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([[1, 5], [7, 2]]).argmax(1)
    tensor([1, 0])
    """
    return _position("argmax", input, dim, keepdim, np.argmax)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Tell where the smallest element is; see `argmax`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, optional
        The dimension to search; all elements if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        int64, without the dimension, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.argmin(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([0, 1])
    """
    return _position("argmin", input, dim, keepdim, np.argmin)


def median(input: Any) -> Tensor:
    """Find the middle of all elements, the lower one of two; NaN if there is one.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        One number.

    Examples
    --------
    >>> import refquant
    >>> refquant.median(refquant.tensor([3.0, 1.0, 2.0]))
    tensor(2.)
    """
    t = operand("median", "input", input)
    x = t.array
    _not_empty("median", x)
    if x.dtype.kind == "f" and np.isnan(x).any():
        return Tensor(np.asarray(x.dtype.type(np.nan)))
    return Tensor(np.asarray(np.partition(x, (x.size - 1) // 2, axis=None)[(x.size - 1) // 2]))


# -- truth -------------------------------------------------------------------------------------


def _truth(asked: str, input: Any, dim: Any, keepdim: bool, find) -> Tensor:
    x, keepdim = operand(asked, "input", input).array, flag(asked, "keepdim", keepdim)
    return Tensor(np.asarray(find(x, axis=_axes(asked, dim, x.ndim), keepdims=keepdim)))


def all(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Tell whether no element is 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        bool, without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.all(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([ True, False])
    """
    return _truth("all", input, dim, keepdim, np.all)


def any(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Tell whether some element is not 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.
    keepdim : bool, default False
        Whether the reduced dimension stays, with extent 1.

    Returns
    -------
    Tensor
        bool, without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.any(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([ True,  True])
    """
    return _truth("any", input, dim, keepdim, np.any)


def count_nonzero(input: Any, dim: Any = None) -> Tensor:
    """Count the elements that are not 0.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int or sequence of int, optional
        Dimensions to reduce; all if not given.

    Returns
    -------
    Tensor
        Without the reduced dimensions, unless `keepdim`.

    Examples
    --------
    >>> import refquant
    >>> refquant.count_nonzero(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([2, 1])
    """
    x = operand("count_nonzero", "input", input).array
    return Tensor(np.asarray(np.count_nonzero(x, axis=_axes("count_nonzero", dim, x.ndim))))
