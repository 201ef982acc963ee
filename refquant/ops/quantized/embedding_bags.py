"""Sums of rows of packed tables of embeddings."""

from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentTypeError, DtypeError, ShapeError
from refquant.ops import checks
from refquant.ops.bags import bag_bounds, rows_below, whole_numbers
from refquant.ops.quantized.embedding_tables import packed_table
from refquant.tensors import Tensor

__all__ = [
    "embedding_bag_2bit_rowwise_offsets",
    "embedding_bag_4bit_rowwise_offsets",
    "embedding_bag_byte_rowwise_offsets",
]


def _indices(value: Any) -> np.ndarray:
    array = whole_numbers("indices", value)
    if array.ndim not in (1, 2):
        raise ShapeError(
            argument="indices", expected="of 1 or 2 dimensions", got=f"shape {array.shape}"
        )
    return array


def _weights(value: Any, indices: np.ndarray, half: bool) -> np.ndarray | None:
    if value is None:
        return None
    array = checks.plain_tensor("per_sample_weights", value).array
    if array.dtype != np.float32 and not (half and array.dtype == np.float16):
        raise DtypeError(
            argument="per_sample_weights",
            expected="a float32 tensor" + " or a float16 one" * half,
            got=array.dtype,
            hint="convert it with .to(refquant.float32)",
        )
    if array.size != indices.size:
        raise ShapeError(
            argument="per_sample_weights",
            expected=f"of shape {indices.shape}, a factor for each index",
            got=f"shape {array.shape}",
        )
    return np.ascontiguousarray(array.reshape(-1), np.float32)


def _through_mapping(indices: np.ndarray, mapping: Any, count: int) -> np.ndarray:
    """Return the rows of a table from which rows were pruned; -1 for those."""
    if mapping is None:
        raise ArgumentTypeError(
            argument="compressed_indices_mapping",
            expected="a tensor, as pruned_weights is True",
            got=None,
        )
    array = checks.plain_tensor("compressed_indices_mapping", mapping).array
    if array.dtype != np.int32 or array.ndim != 1:
        raise DtypeError(
            argument="compressed_indices_mapping",
            expected="an int32 tensor of 1 dimension",
            got=f"{array.dtype} of shape {array.shape}",
        )
    if array.size == 1 and array[0] == 0:  # nothing was pruned
        return rows_below(indices, count)
    rows = array[rows_below(indices, array.size)].astype(np.int64)
    rows_below(rows[rows != -1], count, "compressed_indices_mapping")
    return rows


def summed(
    table: np.ndarray,
    bits: int,
    indices: Any,
    offsets: Any,
    pruned_weights: bool,
    per_sample_weights: Any,
    compressed_indices_mapping: Any,
    include_last_offset: bool,
) -> Tensor:
    """Check the other arguments of a bag, and add rows of a packed table."""
    places = _indices(indices)
    bounds = bag_bounds(places, offsets, arguments.flag("include_last_offset", include_last_offset))
    weights = _weights(per_sample_weights, places, bits < 8)
    if arguments.flag("pruned_weights", pruned_weights):
        rows = _through_mapping(places, compressed_indices_mapping, table.shape[0])
    else:
        rows = rows_below(places, table.shape[0])
    return Tensor(kernels.embedding_bag(table, rows, bounds, weights, bits))


def looked_up(table: np.ndarray, bits: int, indices: Any) -> Tensor:
    """Return the real numbers of rows of a packed table, in the shape of the indices."""
    places = _indices(indices)
    rows = rows_below(places, table.shape[0])
    bounds = np.arange(rows.size + 1, dtype=np.int64)
    y = kernels.embedding_bag(table, rows, bounds, None, bits)
    return Tensor(y.reshape(*places.shape, y.shape[1]))


def ignored(scale_grad_by_freq: Any, mode: Any) -> None:
    """Check arguments that have no effect."""
    arguments.flag("scale_grad_by_freq", scale_grad_by_freq)
    arguments.integer("mode", mode, 0)


def embedding_bag_byte_rowwise_offsets(
    weight: Any,
    indices: Any,
    offsets: Any = None,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    pruned_weights: bool = False,
    per_sample_weights: Any = None,
    compressed_indices_mapping: Any = None,
    include_last_offset: bool = False,
) -> Tensor:
    r"""Add rows of a table that was packed in 8 bits.

    .. math:: y \leftarrow fma(w s, q, y + w b)

    %(table_parameters)s
    %(bag)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> table = quantized.embedding_bag_byte_prepack(refquant.tensor([[0.0, 255.0], [255.0, 0.0]]))
    >>> indices, offsets = refquant.tensor([1, 0, 0]), refquant.tensor([0, 1])
    >>> quantized.embedding_bag_byte_rowwise_offsets(table, indices, offsets)
    tensor([[255.,   0.],
            [  0., 510.]])
    """
    ignored(scale_grad_by_freq, mode)
    return summed(
        packed_table("weight", weight, 8), 8, indices, offsets, pruned_weights,
        per_sample_weights, compressed_indices_mapping, include_last_offset,
    )  # fmt: skip


def embedding_bag_4bit_rowwise_offsets(
    weight: Any,
    indices: Any,
    offsets: Any = None,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    pruned_weights: bool = False,
    per_sample_weights: Any = None,
    compressed_indices_mapping: Any = None,
    include_last_offset: bool = False,
) -> Tensor:
    """Add rows of a table that was packed in 4 bits.

    %(table_parameters)s
    %(bag)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> table = quantized.embedding_bag_4bit_prepack(refquant.tensor([[0.0, 15.0]]))
    >>> quantized.embedding_bag_4bit_rowwise_offsets(table, refquant.tensor([[0, 0]]))
    tensor([[ 0., 30.]])
    """
    ignored(scale_grad_by_freq, mode)
    return summed(
        packed_table("weight", weight, 4), 4, indices, offsets, pruned_weights,
        per_sample_weights, compressed_indices_mapping, include_last_offset,
    )  # fmt: skip


def embedding_bag_2bit_rowwise_offsets(
    weight: Any,
    indices: Any,
    offsets: Any = None,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    pruned_weights: bool = False,
    per_sample_weights: Any = None,
    compressed_indices_mapping: Any = None,
    include_last_offset: bool = False,
) -> Tensor:
    """Add rows of a table that was packed in 2 bits.

    %(table_parameters)s
    %(bag)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> table = quantized.embedding_bag_2bit_prepack(refquant.tensor([[0.0, 3.0, 1.0, 2.0]]))
    >>> quantized.embedding_bag_2bit_rowwise_offsets(table, refquant.tensor([[0, 0]]))
    tensor([[0., 6., 2., 4.]])
    """
    ignored(scale_grad_by_freq, mode)
    return summed(
        packed_table("weight", weight, 2), 2, indices, offsets, pruned_weights,
        per_sample_weights, compressed_indices_mapping, include_last_offset,
    )  # fmt: skip


# The rest of the arguments of a bag, in other modules, too.
BAG = """
indices : Tensor of int32 or int64, shape (n,) or (bags, n)
    Rows of the table. With 2 dimensions, each row of them is a bag.
offsets : Tensor of int32 or int64, shape (bags,), optional
    Where each bag begins in `indices` of 1 dimension, not falling.
scale_grad_by_freq : bool, default False
    Without effect: there is no gradient.
mode : int, default 0
    Without effect, as in PyTorch: rows are always added.
pruned_weights : bool, default False
    Whether rows were left out of the table.
per_sample_weights : Tensor of float32, of the shape of `indices`, optional
    Factors of scale and bias of the rows. A table of fewer than 8 bits takes float16, too.
compressed_indices_mapping : Tensor of int32, optional
    For `pruned_weights`: the row of the table for each index, -1 for one that was left out; a
    single 0 if none was.
include_last_offset : bool, default False
    Whether the last offset is the end of the last bag.

Returns
-------
Tensor of float32, shape (bags, columns)
    Always row-major.

Raises
------
DtypeError, ShapeError, ArgumentTypeError
    If an argument has another type or shape, or `offsets` does not go with `indices`.
IndexRangeError
    If an index is no row of the table, or offsets fall or lie beyond the indices.

Notes
-----
The rows of a bag are added in their order, in float32; scale and bias are multiplied by the factor
first. Source: FBGEMM ``EmbeddingSpMDM`` and its form for few bits."""
document(
    __name__,
    bag=BAG,
    table_parameters="""
Parameters
----------
weight : Tensor of uint8, shape (rows, bytes)
    The packed table, integers and then scale and bias in each row.""",
)
enclose(__name__)
