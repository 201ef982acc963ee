"""Maximum, minimum and median: of two tensors, of all elements, or along a dimension."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refquant.arguments import flag
from refquant.ops import checks
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import broadcast, operand, pair
from refquant.ops.floating.reductions import no_elements, reduced_axes
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


def _larger(formula: Callable, wins: Callable, input: Any, other: Any) -> Tensor:
    a, b, x, y = pair(input, other)

    def backward(g):
        first = np.where(x == y, 0.5, wins(x, y)).astype(g.dtype)
        return unbroadcast(g * first, x.shape), unbroadcast(g * (1 - first), y.shape)

    return differentiable(broadcast(formula, x, y), (a, b), backward)


@row(domain=(-2, 2))
def maximum(input: Any, other: Any) -> Tensor:
    """Compute the maximum element by element; ties share the gradient.

    >>> refquant.maximum(refquant.tensor([1.0, 5.0]), refquant.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    return _larger(np.maximum, np.greater, input, other)


@row(domain=(-2, 2))
def minimum(input: Any, other: Any) -> Tensor:
    """Compute the minimum element by element; ties share the gradient.

    >>> refquant.minimum(refquant.tensor([1.0, 5.0]), refquant.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return _larger(np.minimum, np.less, input, other)


class ValuesAndIndices(NamedTuple):
    """Values along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


# -- of all elements, or along a dimension -----------------------------------------------------


def _not_empty(x: np.ndarray) -> None:
    if x.size == 0:
        raise no_elements(x)


def _extreme(input: Any, find) -> Tensor:
    t = operand("input", input)
    x = t.array
    _not_empty(x)
    extreme = find(x)

    def backward(g):
        equal = x == extreme if extreme == extreme else np.isnan(x)
        return ((g / equal.sum()).astype(x.dtype) * equal,)

    return differentiable(extreme, (t,), backward)


def taken(t: Tensor, where: np.ndarray, dim: int, keepdim: bool) -> ValuesAndIndices:
    """Return the elements at indices along a dimension, differentiably."""
    x = t.array

    def backward(g):
        gradient = np.zeros(x.shape, g.dtype)
        np.put_along_axis(gradient, where, g if keepdim else np.expand_dims(g, dim), dim)
        return (gradient,)

    values = np.take_along_axis(x, where, dim)
    if not keepdim:
        values, where_shown = values.squeeze(dim), where.squeeze(dim)
    else:
        where_shown = where
    return ValuesAndIndices(
        differentiable(values, (t,), backward), Tensor(where_shown.astype(np.int64, copy=False))
    )


def _extreme_along(input: Any, dim: int, keepdim: bool, find) -> ValuesAndIndices:
    t, keepdim = operand("input", input), flag("keepdim", keepdim)
    dim = checks.dimension("dim", dim, t.array.ndim)
    if t.array.ndim == 0:
        return ValuesAndIndices(t.clone(), Tensor(np.zeros((), np.int64)))
    _not_empty(t.array)
    return taken(t, np.expand_dims(find(t.array, axis=dim), dim), dim, keepdim)


@row(domain=(-2, 2))
@dispatched
def max(input: Any, dim: Any = None, keepdim: bool = False):
    """Find the largest element, of all or along a dimension; or the larger of two tensors.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized: a quantized result has the parameters of the input.
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

    >>> values, indices = refquant.tensor([[1, 5], [7, 2]]).max(dim=1)
    >>> values, indices
    (tensor([5, 7]), tensor([1, 0]))
    """
    if dim is None:
        return _extreme(input, np.max)
    if isinstance(dim, Tensor | np.ndarray):
        return maximum(input, dim)
    return _extreme_along(input, dim, keepdim, np.argmax)


@row(domain=(-2, 2))
@dispatched
def min(input: Any, dim: Any = None, keepdim: bool = False):
    """Find the smallest element; see `max`.

    Parameters
    ----------
    dim : int or Tensor, optional
        A dimension; or another tensor to compare with, as in `minimum`.

    Returns
    -------
    Tensor, or (values, indices)
        One number without `dim`; with it, the smallest elements and where they are.

    >>> refquant.min(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]))
    tensor(0.)
    >>> refquant.min(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1).indices
    tensor([0, 1])
    """
    if dim is None:
        return _extreme(input, np.min)
    if isinstance(dim, Tensor | np.ndarray):
        return minimum(input, dim)
    return _extreme_along(input, dim, keepdim, np.argmin)


@row(domain=(-2, 2), options=({}, {"dim": 1}, {"dim": (0, 1), "keepdim": True}))
def amax(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Find the largest element over dimensions; equal ones share the gradient.

    >>> refquant.amax(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([2., 3.])
    """
    return _extreme_over(input, dim, keepdim, np.max)


@row(domain=(-2, 2), options=({}, {"dim": 1}, {"dim": (0, 1), "keepdim": True}))
def amin(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Find the smallest element over dimensions; equal ones share the gradient.

    >>> refquant.amin(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([1., 0.])
    """
    return _extreme_over(input, dim, keepdim, np.min)


def _extreme_over(input: Any, dim: Any, keepdim: Any, find: Any) -> Tensor:
    t, keepdim = operand("input", input), flag("keepdim", keepdim)
    x, axes = t.array, reduced_axes(dim, t.array.ndim)
    if 0 in [x.shape[axis] for axis in axes]:
        raise no_elements(x)
    found = find(x, axis=axes, keepdims=True)

    def backward(g):
        equal = x == found
        with np.errstate(all="ignore"):  # beside NaN nothing is equal
            share = equal / equal.sum(axis=axes, keepdims=True, dtype=x.dtype)
        return ((g if keepdim else np.expand_dims(g, axes)) * share,)

    return differentiable(found if keepdim else found.squeeze(axes), (t,), backward)


def _position(input: Any, dim: int | None, keepdim: bool, find) -> Tensor:
    t, keepdim = operand("input", input), flag("keepdim", keepdim)
    x = t.array
    _not_empty(x)
    if dim is None:
        index = np.asarray(find(x))
        return Tensor(index.reshape((1,) * x.ndim) if keepdim else index)
    dim = checks.dimension("dim", dim, x.ndim)
    return Tensor(np.asarray(find(x, axis=dim, keepdims=keepdim) if x.ndim else np.int64(0)))


@row(
    returns="int64, without the dimension, unless `keepdim`.",
    dim="The dimension to search; all elements if not given.",
)
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Find the index of the largest element, of all (in row-major order) or along a dimension.

    >>> refquant.tensor([[1, 5], [7, 2]]).argmax(1)
    tensor([1, 0])
    """
    return _position(input, dim, keepdim, np.argmax)


@row(
    returns="int64, without the dimension, unless `keepdim`.",
    dim="The dimension to search; all elements if not given.",
)
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Find the index of the smallest element; see `argmax`.

    >>> refquant.argmin(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([0, 1])
    """
    return _position(input, dim, keepdim, np.argmin)


@row(returns="One number.")
def median(input: Any) -> Tensor:
    """Find the median of all elements, the lower one of two; NaN if there is one.

    >>> refquant.median(refquant.tensor([3.0, 1.0, 2.0]))
    tensor(2.)
    """
    t = operand("input", input)
    x = t.array
    _not_empty(x)
    if x.dtype.kind == "f" and np.isnan(x).any():
        return Tensor(np.asarray(x.dtype.type(np.nan)))
    return Tensor(np.asarray(np.partition(x, (x.size - 1) // 2, axis=None)[(x.size - 1) // 2]))
