"""Sums of rows of packed tables of embeddings."""

from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant.errors import ArgumentTypeError, DtypeError, IndexRangeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.embedding_tables import packed_table
from refquant.tensors import Tensor

__all__ = [
    "embedding_bag_2bit_rowwise_offsets",
    "embedding_bag_4bit_rowwise_offsets",
    "embedding_bag_byte_rowwise_offsets",
    "looked_up",
    "summed",
]


def _whole_numbers(argument: str, value: Any) -> np.ndarray:
    """Return indices or offsets as they are, or raise."""
    array = checks.plain_tensor(argument, value).array
    if array.dtype not in (np.int32, np.int64):
        raise DtypeError(
            argument=argument,
            expected="an int32 or int64 tensor",
            got=array.dtype,
            hint="convert it with .to(refquant.int64)",
        )
    return array


def _indices(value: Any) -> np.ndarray:
    array = _whole_numbers("indices", value)
    if array.ndim not in (1, 2):
        raise ShapeError(
            argument="indices", expected="of 1 or 2 dimensions", got=f"shape {array.shape}"
        )
    return array


def _rows(indices: np.ndarray, count: int, argument: str = "indices") -> np.ndarray:
    """Return indices as contiguous int64, each below `count`, or raise."""
    rows = np.ascontiguousarray(indices.reshape(-1), np.int64)
    outside = (rows < 0) | (rows >= count)
    if outside.any():
        place = int(outside.argmax())
        raise IndexRangeError(
            argument=f"{argument}[{place}]",
            expected=f"in 0..{count - 1}, a row of the table" if count else "a table with rows",
            got=int(rows[place]),
        )
    return rows


def _bounds(indices: np.ndarray, offsets: Any, include_last: bool) -> np.ndarray:
    """Return where each bag begins, and where the last one ends, or raise."""
    if indices.ndim == 2:
        if offsets is not None:
            raise ArgumentTypeError(
                argument="offsets",
                expected="None for indices of 2 dimensions, whose rows are the bags",
                got=arguments.describe(offsets),
            )
        return np.arange(indices.shape[0] + 1, dtype=np.int64) * indices.shape[1]
    if offsets is None:
        raise ArgumentTypeError(
            argument="offsets",
            expected="a tensor, as indices have 1 dimension",
            got=None,
            hint="pass where each bag begins, or indices of 2 dimensions, a bag in each row",
        )
    array = _whole_numbers("offsets", offsets)
    if array.ndim != 1 or (include_last and not array.size):
        raise ShapeError(
            argument="offsets",
            expected="of 1 dimension" + ", not empty" * include_last,
            got=f"shape {array.shape}",
        )
    end = np.array([] if include_last else [indices.size], np.int64)
    bounds = np.concatenate([array.astype(np.int64), end])
    steps = np.diff(bounds, prepend=0, append=indices.size)
    if (steps < 0).any():
        raise IndexRangeError(
            argument=f"offsets[{min(int((steps < 0).argmax()), array.size - 1)}]",
            expected=f"offsets that do not fall, in 0..{indices.size}",
            got=np.array2string(array, threshold=10),
        )
    return bounds


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
        return _rows(indices, count)
    rows = array[_rows(indices, array.size)].astype(np.int64)
    _rows(rows[rows != -1], count, "compressed_indices_mapping")
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
    bounds = _bounds(places, offsets, arguments.flag("include_last_offset", include_last_offset))
    weights = _weights(per_sample_weights, places, bits < 8)
    if arguments.flag("pruned_weights", pruned_weights):
        rows = _through_mapping(places, compressed_indices_mapping, table.shape[0])
    else:
        rows = _rows(places, table.shape[0])
    return Tensor(kernels.embedding_bag(table, rows, bounds, weights, bits))


def looked_up(table: np.ndarray, bits: int, indices: Any) -> Tensor:
    """Return the real numbers of rows of a packed table, in the shape of the indices."""
    places = _indices(indices)
    rows = _rows(places, table.shape[0])
    bounds = np.arange(rows.size + 1, dtype=np.int64)
    y = kernels.embedding_bag(table, rows, bounds, None, bits)
    return Tensor(y.reshape(*places.shape, y.shape[1]))


def _ignored(scale_grad_by_freq: Any, mode: Any) -> None:
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
    _ignored(scale_grad_by_freq, mode)
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
    _ignored(scale_grad_by_freq, mode)
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
    _ignored(scale_grad_by_freq, mode)
    return summed(
        packed_table("weight", weight, 2), 2, indices, offsets, pruned_weights,
        per_sample_weights, compressed_indices_mapping, include_last_offset,
    )  # fmt: skip


document(
    __name__,
    table_parameters="""
Parameters
----------
weight : Tensor of uint8, shape (rows, bytes)
    The packed table, integers and then scale and bias in each row.""",
)
