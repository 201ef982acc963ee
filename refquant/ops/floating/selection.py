"""Selecting elements: by a condition, a mask or indices."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentTypeError, DtypeError, IndexRangeError, ShapeError
from refquant.ops import checks
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import broadcast, element, operand, pair
from refquant.ops.rows import in_place, row
from refquant.tensors import Tensor, differentiable

# -- by a condition ----------------------------------------------------------------------------


@row("refquant")
def where(condition: Any, input: Any = None, other: Any = None):
    """Select, element by element, from two operands.

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

    >>> x = refquant.tensor([1.0, -2.0])
    >>> refquant.where(x > 0, x, 0.0)
    tensor([1., 0.])
    """
    c = operand("condition", condition).array
    if input is None and other is None:
        return tuple(Tensor(i) for i in np.nonzero(c))
    if isinstance(input, Tensor | np.ndarray) or isinstance(other, Tensor | np.ndarray):
        a, b, x, y = pair(input, other)
    else:
        integral = not isinstance(input, float) and not isinstance(other, float)
        kind = np.dtype(np.int64 if integral else np.float32)
        x = element("input", input, kind)
        y = element("other", other, kind)
        a, b = Tensor(x), Tensor(y)
    c = c.astype(np.bool_, copy=False)
    return differentiable(
        broadcast(np.where, c, x, y),
        (a, b),
        lambda g: (
            unbroadcast(np.where(c, g, g.dtype.type(0)), x.shape),
            unbroadcast(np.where(c, g.dtype.type(0), g), y.shape),
        ),
    )


@row(input="Plain, or quantized per tensor.", value="The number.")
@dispatched
def masked_fill(input: Tensor, mask: Tensor, value: float) -> Tensor:
    """Replace elements where a mask is true by a number.

    >>> refquant.masked_fill(refquant.tensor([1.0, 2.0]), refquant.tensor([True, False]), 0.0)
    tensor([0., 2.])
    """
    x = operand("input", input)
    return where(mask, Tensor(element("value", value, x.array.dtype)), x)


masked_fill_ = in_place(masked_fill)


# -- by indices --------------------------------------------------------------------------------


@row(returns="Of the shape of `index`.")
def gather(input: Any, dim: int, index: Tensor) -> Tensor:
    """Gather elements along a dimension; `index` has the shape of the result.

    >>> x = refquant.tensor([[1, 2], [3, 4]])
    >>> x.gather(1, refquant.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    t, where = operand("input", input), operand("index", index).array
    x = t.array
    dim = checks.dimension("dim", dim, x.ndim)
    if where.dtype.kind not in "iu":
        raise DtypeError(
            argument="index",
            expected="an integer tensor",
            got=f"a {where.dtype} tensor",
            hint="convert it with .long()",
        )
    if where.ndim != x.ndim or any(
        n > m for d, (n, m) in enumerate(zip(where.shape, x.shape, strict=True)) if d != dim
    ):
        raise ShapeError(
            argument="index",
            expected=f"of {x.ndim} dimensions, none but {dim} larger than in {x.shape}",
            got=f"shape {where.shape}",
        )
    if x.ndim == 0:
        return t.clone()
    if where.size and not (where.min() >= 0 and where.max() < x.shape[dim]):
        raise IndexRangeError(
            argument="index",
            expected=f"in 0..{x.shape[dim] - 1}",
            got=f"{where.min()}..{where.max()}",
        )
    places: list[np.ndarray] = list(np.indices(where.shape, sparse=True))
    places[dim] = where
    index_tuple = tuple(places)

    def backward(g):
        gradient = np.zeros(x.shape, g.dtype)
        np.add.at(gradient, index_tuple, g)
        return (gradient,)

    return differentiable(x[index_tuple], (t,), backward)


@row(returns="As many slices as `index` has entries.")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Select slices along a dimension.

    Parameters
    ----------
    index : Tensor of int64, shape (n,)
        Which slices.

    >>> refquant.index_select(refquant.tensor([10, 20, 30]), 0, refquant.tensor([2, 0]))
    tensor([30, 10])
    """
    x = checks.any_tensor("input", input)
    dim = checks.dimension("dim", dim, x.array.ndim)
    where = operand("index", index)
    if where.array.dtype.kind not in "iu" or where.array.ndim > 1:
        raise ArgumentTypeError(
            argument="index",
            expected="integers in one dimension",
            got=arguments.describe(index),
        )
    places = Tensor(where.array.astype(np.int64, copy=False).reshape(-1))
    if x.array.ndim == 0:
        return x.unsqueeze(0)[(places,)].reshape(())
    taken = x[(slice(None),) * dim + (places,)]
    return taken.contiguous() if x.is_quantized else taken  # row-major, as PyTorch has it


@row(returns="One dimension.", mask="Shapes broadcast.")
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Select the elements where a mask is true, in row-major order.

    >>> refquant.masked_select(refquant.tensor([1, 2, 3]), refquant.tensor([True, False, True]))
    tensor([1, 3])
    """
    x = checks.any_tensor("input", input)
    kept = operand("mask", mask)
    if kept.array.dtype not in (np.bool_, np.uint8):  # uint8 is the old type of masks
        raise DtypeError(
            argument="mask",
            expected="a bool tensor",
            got=f"a {kept.dtype} tensor",
            hint="compare it, as in mask != 0",
        )
    try:
        shape = np.broadcast_shapes(x.array.shape, kept.array.shape)
    except ValueError:
        raise ShapeError(
            argument="mask",
            expected=f"of a shape that broadcasts with {x.array.shape}",
            got=f"shape {kept.array.shape}",
        ) from None
    return x.expand(shape)[Tensor(kept.array.astype(np.bool_)).expand(shape)].reshape(-1)


@row(returns="int64, shape (count, dimensions).")
def nonzero(input: Any) -> Tensor:
    """Find the indices of nonzero elements, one row for each.

    >>> refquant.nonzero(refquant.tensor([[0, 5], [7, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return Tensor(np.argwhere(operand("input", input).array))
