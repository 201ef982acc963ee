"""Slices along one dimension: entries, ranges, equal parts."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import document
from refquant.errors import IndexRangeError, OperationError, RefquantError, ShapeError
from refquant.ops import checks
from refquant.ops.indexing import FULL_SLICE, basic_index
from refquant.tensors import Tensor

__all__ = ["chunk", "narrow", "select", "split", "unbind"]


def _along(ndim: int, dim: int, item) -> tuple:
    return (FULL_SLICE,) * dim + (item,) + (FULL_SLICE,) * (ndim - dim - 1)


def _extended(x: Tensor, dim: Any, error: type[RefquantError] = ShapeError) -> int:
    """Return a dimension to slice along, or raise; 0-dimensional tensors have none."""
    if x.array.ndim == 0:
        raise error(
            argument="input",
            expected="a tensor with dimensions",
            got="a 0-dimensional tensor",
            hint="give it one with unsqueeze(0)",
        )
    return checks.dimension("dim", dim, x.array.ndim)


def select(input: Any, dim: int, index: int) -> Tensor:
    """Select one entry along a dimension, and drop the dimension.

    %(plain_or_quantized)s
    dim, index : int
        The dimension, and the entry; negative ones count from the end.

    %(shares_storage)s

    Raises
    ------
    IndexRangeError
        If there is no such dimension or entry.
    QuantizerError
        If that would drop the channels of a per-channel tensor.

    %(example)s
    >>> refquant.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
    """
    x = checks.any_tensor("input", input)
    dim = _extended(x, dim, IndexRangeError)
    return basic_index(x, _along(x.array.ndim, dim, arguments.integer("index", index)))


def narrow(input: Any, dim: int, start: int, length: int) -> Tensor:
    """Select `length` entries along a dimension, from `start` on; shares storage.

    %(any_shape)s
    dim : int
        The dimension.
    start : int
        The first entry.
    length : int
        How many.

    %(shares_storage)s

    %(example)s
    >>> refquant.tensor([1, 2, 3, 4]).narrow(0, 1, 2)
    tensor([2, 3])
    """
    x = checks.any_tensor("input", input)
    dim = _extended(x, dim)
    extent = x.array.shape[dim]
    start = arguments.integer("start", start)
    length = arguments.integer("length", length)
    first = start + (extent if start < 0 else 0)
    if not (first >= 0 and length >= 0 and first + length <= extent):
        raise OperationError(
            argument="start",
            expected=f"such that start + length <= {extent}",
            got=f"start {start}, length {length}",
        )
    return basic_index(x, _along(x.array.ndim, dim, slice(first, first + length)))


def split(input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple:
    """Split along a dimension into parts of one size (the last may be smaller) or of given sizes.

    %(plain_or_quantized)s
    split_size_or_sections : int or sequence of int
        Size of each part, or their sizes one by one.
    dim : int
        Where to cut.

    Returns
    -------
    tuple of Tensor
        Views of `input`.

    Raises
    ------
    ArgumentError
        If the sizes do not add up.

    %(example)s
    >>> [part.tolist() for part in refquant.split(refquant.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    x = checks.any_tensor("input", input)
    dim = _extended(x, dim)
    extent = x.array.shape[dim]
    if isinstance(split_size_or_sections, tuple | list):
        sizes = [arguments.integer("split_size_or_sections", n) for n in split_size_or_sections]
    else:
        size = arguments.integer("split_size_or_sections", split_size_or_sections)
        if size <= 0 < extent or size < 0:
            raise OperationError(argument="split_size_or_sections", expected="positive", got=size)
        sizes = [min(size, extent - i) for i in range(0, extent, max(size, 1))] or [0]
    if sum(sizes) != extent or min(sizes, default=0) < 0:
        raise OperationError(
            argument="split_size_or_sections",
            expected=f"sizes that add up to {extent}, the extent of dimension {dim}",
            got=sizes,
        )
    starts = np.cumsum([0, *sizes]).tolist()
    return tuple(narrow(x, dim, s, n) for s, n in zip(starts, sizes, strict=False))


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple:
    """Split along a dimension into at most `chunks` parts of one size (the last may be smaller).

    %(any_shape)s
    chunks : int
        How many parts at most.
    dim : int, default 0
        The dimension.

    Returns
    -------
    tuple of Tensor
        They share storage with `input`.

    %(example)s
    >>> [part.tolist() for part in refquant.chunk(refquant.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    x = checks.any_tensor("input", input)
    chunks = arguments.integer("chunks", chunks, most=2**63 - 1)
    if chunks < 1:
        raise OperationError(argument="chunks", expected="at least 1", got=chunks)
    dim = _extended(x, dim)
    extent = x.array.shape[dim]
    return split(x, max(-(-extent // chunks), 1), dim) if extent else (x,) * chunks


def unbind(input: Any, dim: int = 0) -> tuple:
    """Split into the entries along a dimension; see `select`.

    %(any_shape)s
    dim : int, default 0
        The dimension.

    Returns
    -------
    tuple of Tensor
        They share storage with `input`.

    %(example)s
    >>> refquant.unbind(refquant.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    x = checks.any_tensor("input", input)
    dim = _extended(x, dim, IndexRangeError)
    return tuple(select(x, dim, i) for i in range(x.array.shape[dim]))


document(__name__)
