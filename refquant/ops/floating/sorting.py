"""Sorting, and the largest few; picking elements by their indices."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import (
    ArgumentTypeError,
    DtypeError,
    IndexRangeError,
    OperationError,
    ShapeError,
)
from refquant.ops import checks
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import operand
from refquant.ops.floating.reductions import ValuesAndIndices, taken
from refquant.tensors import Tensor, differentiable

__all__ = ["argsort", "flip", "gather", "index_select", "masked_select", "nonzero", "sort", "topk"]


def descending_order(x: np.ndarray, dim: int) -> np.ndarray:
    """Find indices that sort from the largest down; equals keep their order, NaN comes first."""
    backwards = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(backwards, dim)


@dispatched
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False):
    """Sort along a dimension; equals keep their order.

    Parameters
    ----------
    input : Tensor
        Plain or quantized.
    dim : int
        Along which to sort.
    descending : bool
        From the largest down. NaN counts as largest.
    stable : bool
        Accepted; the order is always stable.

    Returns
    -------
    ValuesAndIndices
        The sorted elements, and where each was (int64).

    Examples
    --------
    >>> import refquant
    >>> values, indices = refquant.sort(refquant.tensor([3, 1, 2]))
    >>> values, indices
    (tensor([1, 2, 3]), tensor([1, 2, 0]))
    """
    t = operand("sort", "input", input)
    dim = checks.dimension("sort", "dim", dim, t.array.ndim)
    descending = arguments.flag("sort", "descending", descending)
    if t.array.ndim == 0:
        return ValuesAndIndices(t.clone(), Tensor(np.zeros((), np.int64)))
    if descending:
        where = descending_order(t.array, dim)
    else:
        where = np.argsort(t.array, axis=dim, kind="stable")
    return taken(t, where, dim, keepdim=True)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Tell where the elements are that `sort` puts in order.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, default -1
        The dimension.
    descending : bool, default False
        Whether the largest comes first.
    stable : bool, default False
        Whether equals keep their order.

    Returns
    -------
    Tensor
        int64, of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.argsort(refquant.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """
    return sort(input, dim, descending).indices


@dispatched
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True):
    """Find the `k` largest elements along a dimension, or the smallest.

    Parameters
    ----------
    input : Tensor
        Plain or quantized.
    k : int
        How many.
    dim : int
        Along which to look.
    largest : bool
        Whether the largest or the smallest are wanted.
    sorted : bool
        Accepted; the result is always sorted, of equals the first comes first.

    Returns
    -------
    ValuesAndIndices

    Raises
    ------
    IndexRangeError
        If there are fewer than `k`.

    Examples
    --------
    >>> import refquant
    >>> refquant.topk(refquant.tensor([3.0, 1.0, 2.0]), 2).values
    tensor([3., 2.])
    """
    t = operand("topk", "input", input)
    dim = checks.dimension("topk", "dim", dim, t.array.ndim)
    extent = t.array.shape[dim] if t.array.ndim else 1
    k, largest = arguments.integer("topk", "k", k), arguments.flag("topk", "largest", largest)
    if not 0 <= k <= extent:
        raise OperationError("topk", argument="k", expected=f"in 0..{extent}", got=k)
    if t.array.ndim == 0:
        return ValuesAndIndices(t.clone(), Tensor(np.zeros((), np.int64)))
    order = (
        descending_order(t.array, dim) if largest else np.argsort(t.array, axis=dim, kind="stable")
    )
    return taken(t, np.take(order, np.arange(k), axis=dim), dim, keepdim=True)


# -- elements by index -------------------------------------------------------------------------


def gather(input: Any, dim: int, index: Tensor) -> Tensor:
    """Pick elements along a dimension; `index` has the shape of the result.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int
        The dimension.
    index : Tensor of int64
        Positions along `dim`; its shape is that of the result.

    Returns
    -------
    Tensor
        Of the shape of `index`.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([[1, 2], [3, 4]])
    >>> x.gather(1, refquant.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    t, where = operand("gather", "input", input), operand("gather", "index", index).array
    x = t.array
    dim = checks.dimension("gather", "dim", dim, x.ndim)
    if where.dtype.kind not in "iu":
        raise DtypeError(
            "gather",
            argument="index",
            expected="an integer tensor",
            got=f"a {where.dtype} tensor",
            mend="convert it with .long()",
        )
    if where.ndim != x.ndim or any(
        n > m for d, (n, m) in enumerate(zip(where.shape, x.shape, strict=True)) if d != dim
    ):
        raise ShapeError(
            "gather",
            argument="index",
            expected=f"of {x.ndim} dimensions, none but {dim} larger than in {x.shape}",
            got=f"shape {where.shape}",
        )
    if x.ndim == 0:
        return t.clone()
    if where.size and not (where.min() >= 0 and where.max() < x.shape[dim]):
        raise IndexRangeError(
            "gather",
            argument="index",
            expected=f"in 0..{x.shape[dim] - 1}",
            got=f"{where.min()}..{where.max()}",
        )
    places: list[np.ndarray] = list(np.indices(where.shape, sparse=True))
    places[dim] = where
    index_tuple = tuple(places)

    def backward(g):
        whole = np.zeros(x.shape, g.dtype)
        np.add.at(whole, index_tuple, g)
        return (whole,)

    return differentiable(x[index_tuple], (t,), backward)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Pick whole slices along a dimension.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int
        The dimension.
    index : Tensor of int64, shape (n,)
        Which slices.

    Returns
    -------
    Tensor
        As many slices as `index` has entries.

    Examples
    --------
    >>> import refquant
    >>> refquant.index_select(refquant.tensor([10, 20, 30]), 0, refquant.tensor([2, 0]))
    tensor([30, 10])
    """
    x = checks.any_tensor("index_select", "input", input)
    dim = checks.dimension("index_select", "dim", dim, x.array.ndim)
    where = operand("index_select", "index", index)
    if where.array.dtype.kind not in "iu" or where.array.ndim > 1:
        raise ArgumentTypeError(
            "index_select",
            argument="index",
            expected="integers in one dimension",
            got=arguments.describe(index),
        )
    places = Tensor(where.array.astype(np.int64, copy=False).reshape(-1))
    if x.array.ndim == 0:
        return x.unsqueeze(0)[(places,)].reshape(())
    return x[(slice(None),) * dim + (places,)]


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Pick the elements where a mask is true, in row-major order.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    mask : Tensor of bool
        Shapes broadcast.

    Returns
    -------
    Tensor
        One dimension.

    Examples
    --------
    >>> import refquant
    >>> refquant.masked_select(refquant.tensor([1, 2, 3]), refquant.tensor([True, False, True]))
    tensor([1, 3])
    """
    x = checks.any_tensor("masked_select", "input", input)
    kept = operand("masked_select", "mask", mask)
    if kept.array.dtype not in (np.bool_, np.uint8):  # uint8 is the old type of masks
        raise DtypeError(
            "masked_select",
            argument="mask",
            expected="a bool tensor",
            got=f"a {kept.dtype} tensor",
            mend="compare it, as in mask != 0",
        )
    try:
        shape = np.broadcast_shapes(x.array.shape, kept.array.shape)
    except ValueError:
        raise ShapeError(
            "masked_select",
            argument="mask",
            expected=f"of a shape that broadcasts with {x.array.shape}",
            got=f"shape {kept.array.shape}",
        ) from None
    return x.expand(shape)[Tensor(kept.array.astype(np.bool_)).expand(shape)].reshape(-1)


def nonzero(input: Any) -> Tensor:
    """Tell where elements are not 0: one row of indices for each.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        int64, shape (count, dimensions).

    Examples
    --------
    >>> import refquant
    >>> refquant.nonzero(refquant.tensor([[0, 5], [7, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return Tensor(np.argwhere(operand("nonzero", "input", input).array))


def flip(input: Any, *dims) -> Tensor:
    """Reverse the order along dimensions; a copy.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    *dims : int
        The dimensions.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.flip(refquant.tensor([1, 2, 3]), 0)
    tensor([3, 2, 1])
    """
    t = operand("flip", "input", input)
    named = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
    axes = checks.dimensions("flip", "dims", tuple(named), t.array.ndim)
    axes = axes if t.array.ndim else ()
    return differentiable(np.flip(t.array, axes).copy(), (t,), lambda g: (np.flip(g, axes),))
