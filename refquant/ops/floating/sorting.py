"""Sorting, the largest few, and the reverse order."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import OperationError
from refquant.ops import checks
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.extremes import ValuesAndIndices, taken
from refquant.ops.floating.operands import operand
from refquant.ops.floating.selecting import chosen, descending_order
from refquant.ops.rows import row
from refquant.tensors import Tensor


@row(
    input="Plain or quantized.",
    dim="Along which to sort.",
    descending="From the largest down. NaN counts as largest.",
    stable="Accepted; the order is always stable.",
)
@dispatched
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False):
    """Sort along a dimension; equals keep their order.

    Returns
    -------
    ValuesAndIndices
        The sorted elements, and where each was (int64).

    >>> values, indices = refquant.sort(refquant.tensor([3, 1, 2]))
    >>> values, indices
    (tensor([1, 2, 3]), tensor([1, 2, 0]))
    """
    t = operand("input", input)
    dim = checks.dimension("dim", dim, t.array.ndim)
    descending = arguments.flag("descending", descending)
    if t.array.ndim == 0:
        return ValuesAndIndices(t.clone(), Tensor(np.zeros((), np.int64)))
    if descending:
        where = descending_order(t.array, dim)
    else:
        where = np.argsort(t.array, axis=dim, kind="stable")
    return taken(t, where, dim, keepdim=True)


@row(
    returns="int64, of the shape of `input`.",
    descending="Whether the largest comes first.",
    stable="Whether equals keep their order.",
)
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Find the indices that sort along a dimension; see `sort`.

    >>> refquant.argsort(refquant.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """
    return sort(input, dim, descending).indices


@row(
    input="Plain or quantized.",
    k="How many.",
    dim="Along which to look.",
    largest="Whether the largest or the smallest are wanted.",
    sorted="Accepted; the result is always sorted.",
)
@dispatched
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True):
    """Find the `k` largest elements along a dimension, or the smallest.

    Of equal elements those are found that PyTorch finds, in the same order.

    Returns
    -------
    ValuesAndIndices

    Raises
    ------
    IndexRangeError
        If there are fewer than `k`.

    >>> refquant.topk(refquant.tensor([3.0, 1.0, 2.0]), 2).values
    tensor([3., 2.])
    """
    t = operand("input", input)
    dim = checks.dimension("dim", dim, t.array.ndim)
    extent = t.array.shape[dim] if t.array.ndim else 1
    k, largest = arguments.integer("k", k), arguments.flag("largest", largest)
    if not 0 <= k <= extent:
        raise OperationError(argument="k", expected=f"in 0..{extent}", got=k)
    if t.array.ndim == 0:
        return ValuesAndIndices(t.clone(), Tensor(np.zeros((), np.int64)))
    return taken(t, chosen(t.array, k, dim, largest), dim, keepdim=True)


@row(
    returns="The different elements in ascending order; with the flags a tuple with what they ask.",
    sorted="Accepted; the order is always ascending.",
    return_inverse="Whether to return where each element of `input` is among the results, too.",
    return_counts="Whether to return how often each is there, too.",
)
def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    """Find the different elements.

    >>> refquant.unique(refquant.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    x = operand("input", input).array
    arguments.flag("sorted", sorted)
    inverse = arguments.flag("return_inverse", return_inverse)
    counts = arguments.flag("return_counts", return_counts)
    values, places, times = np.unique(x, return_inverse=True, return_counts=True, equal_nan=False)
    found = [Tensor(values)]
    found += [Tensor(places.reshape(x.shape).astype(np.int64))] if inverse else []
    found += [Tensor(times.astype(np.int64))] if counts else []
    return tuple(found) if len(found) > 1 else found[0]
