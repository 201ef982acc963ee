"""Rows of a table, and sums, means or maxima of several of them."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._turns import Turn
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError
from refquant.ops.bags import bag_bounds, rows_below, whole_numbers
from refquant.ops.floating.operands import float_operand
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable

_PARTS: dict[str, Any] = {
    "weight": "The table, shape (rows, columns).",
    "max_norm": "Rows that are used and have a larger norm are scaled down to it, in the table.",
    "norm_type": "Which norm that is.",
    "scale_grad_by_freq": "Whether to divide gradients by how often a row is used.",
    "sparse": "Without effect: gradients are dense.",
    "padding_idx": "A row without gradient, in a bag also without effect.",
}

# Of all tables: modules and views can share one.
_SCALING = Turn()


def _table(weight: Any) -> Tensor:
    w = float_operand("weight", weight)
    if w.array.ndim != 2:
        raise ShapeError(
            argument="weight", expected="of 2 dimensions", got=f"shape {w.array.shape}"
        )
    return w


def padding_row(padding_idx: Any, count: int) -> int:
    """Return a row to leave out, counted from the end if negative; -1 for none."""
    if padding_idx is None:
        return -1
    index = arguments.integer("padding_idx", padding_idx, -count, count - 1)
    return index % count


def _read(w: Tensor, rows: np.ndarray, max_norm: Any, norm_type: Any) -> np.ndarray:
    """Scale rows of a larger norm down in the table; return what holds the rows that are used."""
    if max_norm is None:
        return w.array
    most = arguments.real("max_norm", max_norm, 0)
    order = arguments.real("norm_type", norm_type)
    used = np.unique(rows)
    # Another thread could scale a row for the second time, or read it half scaled.
    with _SCALING, np.errstate(over="ignore"):  # what is allowed may be more than the dtype holds
        norms = np.linalg.norm(w.array[used], order, axis=1).astype(w.array.dtype)
        large = norms > most
        factors = (most / (norms[large] + 1e-7)).astype(w.array.dtype)
        w.array[used[large]] *= factors[:, None]
        table = np.empty_like(w.array)
        table[used] = w.array[used]
    return table


def _scattered(w: Tensor, rows: np.ndarray, g: np.ndarray, padding: int, by_frequency: bool):
    """Add gradients to the rows of the table that they belong to."""
    kept = rows != padding
    if by_frequency:
        g = g / np.bincount(rows, minlength=1)[rows][:, None].astype(g.dtype)
    gradient = np.zeros_like(w.array)
    np.add.at(gradient, rows[kept], g[kept])
    return gradient


@row(
    "nn.functional",
    returns="A row for each index: the shape of `input` and a dimension of columns.",
    **_PARTS,
)
def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Look up rows of a table.

    Parameters
    ----------
    input : Tensor of int32 or int64
        Rows, of any shape.

    Raises
    ------
    IndexRangeError
        If an index is no row.

    >>> F.embedding(refquant.tensor([1, 0]), refquant.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    indices, w = whole_numbers("input", input), _table(weight)
    rows = rows_below(indices, w.array.shape[0], "input")
    padding = padding_row(padding_idx, w.array.shape[0])
    by_frequency = arguments.flag("scale_grad_by_freq", scale_grad_by_freq)
    arguments.flag("sparse", sparse)
    table = _read(w, rows, max_norm, norm_type)
    columns = table.shape[1]

    def backward(g):
        return (_scattered(w, rows, g.reshape(-1, columns), padding, by_frequency),)

    return differentiable(table[rows].reshape(*indices.shape, columns), (w,), backward)


def _factors(value: Any, indices: np.ndarray, mode: str, w: Tensor) -> Tensor | None:
    if value is None:
        return None
    factors = float_operand("per_sample_weights", value)
    if mode != "sum":
        raise ArgumentError(
            argument="per_sample_weights",
            expected="None unless mode is 'sum'",
            got=f"mode={mode!r}",
        )
    if factors.array.shape != indices.shape or factors.array.dtype != w.array.dtype:
        raise ShapeError(
            argument="per_sample_weights",
            expected=f"of shape {indices.shape} and dtype {w.dtype}",
            got=f"shape {factors.array.shape} and dtype {factors.dtype}",
        )
    return factors


@row("nn.functional", returns="Of shape (bags, columns); a bag without rows is 0.", **_PARTS)
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Add rows of a table, or take their mean or largest elements.

    Parameters
    ----------
    input : Tensor of int32 or int64, shape (n,) or (bags, n)
        Rows. With 2 dimensions, each row of it is a bag.
    offsets : Tensor of int32 or int64, shape (bags,), optional
        Where each bag begins in an `input` of 1 dimension.
    mode : {'sum', 'mean', 'max'}
        What becomes of the rows of a bag.
    per_sample_weights : Tensor, of the shape of `input`, optional
        A factor for each row, for 'sum' alone.
    include_last_offset : bool, default False
        Whether the last offset is the end of the last bag.

    Raises
    ------
    IndexRangeError
        If an index is no row, or offsets fall or lie beyond the indices.

    >>> table = refquant.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> F.embedding_bag(refquant.tensor([[0, 1]]), table, mode="sum")
    tensor([[4., 6.]])
    """
    indices, w = whole_numbers("input", input), _table(weight)
    if indices.ndim not in (1, 2):
        raise ShapeError(
            argument="input", expected="of 1 or 2 dimensions", got=f"shape {indices.shape}"
        )
    mode = arguments.choice("mode", mode, ("sum", "mean", "max"))
    last = arguments.flag("include_last_offset", include_last_offset)
    bounds = bag_bounds(indices, offsets, last, "input")
    if bounds.size and bounds[0] != 0:
        raise ArgumentTypeError(
            argument="offsets[0]", expected="0, where the first bag begins", got=int(bounds[0])
        )
    factors = _factors(per_sample_weights, indices, mode, w)
    rows = rows_below(indices, w.array.shape[0], "input")[: bounds[-1]]
    padding = padding_row(padding_idx, w.array.shape[0])
    by_frequency = arguments.flag("scale_grad_by_freq", scale_grad_by_freq)
    arguments.flag("sparse", sparse)
    table = _read(w, rows, max_norm, norm_type)
    bags = np.repeat(np.arange(bounds.size - 1), np.diff(bounds))
    kept = np.flatnonzero(rows != padding)
    rows, bags = rows[kept], bags[kept]
    if mode == "max":
        return _largest(w, table, rows, bags, bounds.size - 1, padding, by_frequency)
    counts = np.maximum(np.bincount(bags, minlength=bounds.size - 1), 1).astype(w.array.dtype)
    taken = table[rows]
    scale = np.ones(rows.size, w.array.dtype)
    if factors is not None:
        scale = factors.array.reshape(-1)[kept]
    y = np.zeros((bounds.size - 1, w.array.shape[1]), w.array.dtype)
    np.add.at(y, bags, taken * scale[:, None])
    if mode == "mean":
        y, scale = y / counts[:, None], scale / counts[bags]

    def backward(g):
        of_weight = _scattered(w, rows, g[bags] * scale[:, None], padding, by_frequency)
        if factors is None:
            return (of_weight,)
        of_factors = np.zeros(factors.array.size, w.array.dtype)
        of_factors[kept] = (g[bags] * taken).sum(axis=1)
        return of_weight, of_factors.reshape(factors.array.shape)

    return differentiable(y, (w,) if factors is None else (w, factors), backward)


def _largest(w, table, rows, bags, count: int, padding: int, by_frequency: bool) -> Tensor:
    """Take the largest elements of the rows of each bag; the first of equals has the gradient."""
    y = np.zeros((count, w.array.shape[1]), w.array.dtype)
    winners = np.zeros(y.shape, np.int64)
    for bag in np.unique(bags):
        own = rows[bags == bag]
        winners[bag] = own[table[own].argmax(axis=0)]
        y[bag] = np.take_along_axis(table, winners[bag][None], axis=0)[0]
    filled = np.unique(bags)

    def backward(g):
        gradient = np.zeros_like(w.array)
        columns = np.broadcast_to(np.arange(y.shape[1]), winners[filled].shape)
        shares = g[filled]
        if by_frequency:
            shares = shares / np.bincount(rows)[winners[filled]]
        np.add.at(gradient, (winners[filled], columns), shares)
        return (gradient,)

    return differentiable(y, (w,), backward)
