"""Quantized embeddings: a packed table of rows, each with its own scale and float zero point."""

from __future__ import annotations

from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentError, ArgumentTypeError, DtypeError, QuantizerError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.embedding_bags import BAG, ignored, looked_up, summed
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "embedding_4bit",
    "embedding_bag_4bit",
    "embedding_bag_byte",
    "embedding_bag_prepack",
    "embedding_bag_unpack",
    "embedding_byte",
]

_TAIL = {8: 8, 4: 4}  # bytes of scale and bias


class PackedEmbedding:
    """A packed table of embeddings; it never changes.

    Parameters
    ----------
    table : ndarray of uint8, shape (rows, bytes)
        Integers, scale and bias of each row; see `refquant.reference.embedding`.
    dtype : dtype
        quint8 or quint4x2.
    scales, zero_points : ndarray of float32, shape (rows,)
        The quantizer of each row, as it was before packing. That of the table is rounded to
        float16 for quint4x2.
    """

    __slots__ = ("dtype", "scales", "table", "zero_points")

    def __init__(
        self, table: np.ndarray, dtype: dtypes.dtype, scales: np.ndarray, zero_points: np.ndarray
    ) -> None:
        self.table, self.dtype, self.scales, self.zero_points = table, dtype, scales, zero_points

    @classmethod
    def zeros(cls, rows: int, columns: int, dtype: dtypes.dtype) -> PackedEmbedding:
        """Make a table of integers 0 with scale 1 and zero point 0."""
        _check_columns(columns, dtype)
        ones, zeros = np.ones(rows, np.float32), np.zeros(rows, np.float32)
        ends = kernels.embedding_pack(np.zeros((rows, 0), np.uint8), ones, zeros, dtype.bits)
        table = np.zeros((rows, columns * dtype.bits // 8 + ends.shape[1]), np.uint8)
        table[:, -ends.shape[1] :] = ends
        return cls(table, dtype, ones, zeros)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        bits = self.dtype.bits
        return self.table.shape[0], (self.table.shape[1] - _TAIL[bits]) * 8 // bits

    def unpack(self) -> QuantizedTensor:
        """Copy the weight out."""
        rows, columns = self.shape
        width = columns * self.dtype.bits // 8
        packed = np.ascontiguousarray(self.table[:, :width]).reshape(-1)
        q = kernels.unpack_bits(packed, self.dtype.bits, rows * columns).reshape(rows, columns)
        quantizer = self.scales.copy(), self.zero_points.copy()
        return QuantizedTensor._unchecked(q, self.dtype, *quantizer, 0)

    def __deepcopy__(self, memo: dict[int, Any]) -> PackedEmbedding:
        return self


def _check_columns(columns: int, dtype: dtypes.dtype) -> None:
    count = 8 // dtype.bits
    if columns == 0 or columns % count:
        raise ShapeError(
            argument="weight",
            expected=f"columns in a multiple of {count}, so that rows fill whole bytes",
            got=f"{columns} columns",
        )


def embedding_bag_prepack(weight: Any) -> PackedEmbedding:
    r"""Pack a quantized weight for embeddings and bags.

    Bias and scale of a row are :math:`b = -z s` and s in float32; for quint4x2 both are rounded to
    float16.

    Parameters
    ----------
    weight : QuantizedTensor, shape (rows, columns)
        quint8 or quint4x2, quantized along axis 0 with float zero points; copied.

    Returns
    -------
    PackedEmbedding
        For `embedding_byte` and `embedding_bag_byte`, or `embedding_4bit` and `embedding_bag_4bit`.

    Raises
    ------
    DtypeError, ShapeError, QuantizerError
        If the weight is not such a tensor, or its rows do not fill whole bytes.

    Examples
    --------
    >>> import refquant
    >>> w = refquant.quantize_per_channel(
    ...     refquant.tensor([[1.0, 2.0]]), refquant.tensor([0.5]), refquant.tensor([0.25]), 0,
    ...     refquant.quint8)
    >>> packed = refquant.ops.quantized.embedding_bag_prepack(w)
    >>> refquant.equal(refquant.ops.quantized.embedding_bag_unpack(packed), w)
    True
    """
    w = checks.quantized_tensor("weight", weight)
    if w.dtype not in (dtypes.quint8, dtypes.quint4x2):
        raise DtypeError(
            argument="weight", expected="a quint8 or quint4x2 tensor", got=f"a {w.dtype} tensor"
        )
    if w.qscheme() is not dtypes.per_channel_affine_float_qparams or w.axis != 0:
        raise QuantizerError(
            argument="weight",
            expected="quantized along axis 0 with float zero points",
            got=w.qscheme() if w.axis in (0, None) else f"axis {w.axis}",
            hint="call quantize_per_channel(..., axis=0) with float32 zero points",
        )
    if w.array.ndim != 2:
        raise ShapeError(
            argument="weight", expected="of 2 dimensions", got=f"shape {w.array.shape}"
        )
    _check_columns(w.array.shape[1], w.dtype)
    scales, zero_points = w.scale.copy(), w.zero_point.copy()
    with np.errstate(over="ignore"):
        biases = -zero_points * scales
    q = np.ascontiguousarray(w.array)
    table = kernels.embedding_pack(q, scales, biases, w.dtype.bits)
    return PackedEmbedding(table, w.dtype, scales, zero_points)


def _packed(argument: str, value: Any, dtype: dtypes.dtype | None = None) -> PackedEmbedding:
    if not isinstance(value, PackedEmbedding):
        raise ArgumentTypeError(
            argument=argument,
            expected="a packed weight",
            got=type(value).__name__,
            hint="make it with refquant.ops.quantized.embedding_bag_prepack(weight)",
        )
    if dtype is not None and value.dtype is not dtype:
        raise ArgumentError(
            argument=argument,
            expected=f"a packed weight of {dtype}",
            got=f"one of {value.dtype}",
            hint="embedding_byte() and embedding_bag_byte() are for quint8, embedding_4bit() and "
            "embedding_bag_4bit() for quint4x2",
        )
    return value


def embedding_bag_unpack(W_prepack: PackedEmbedding) -> QuantizedTensor:
    """Copy the weight out of a packed one.

    Parameters
    ----------
    W_prepack : PackedEmbedding
        As `embedding_bag_prepack` returns it.

    Returns
    -------
    QuantizedTensor, shape (rows, columns)
        With the scales and zero points that were packed.

    Raises
    ------
    ArgumentTypeError
        If it is no packed weight.

    Examples
    --------
    >>> import refquant
    >>> layer = refquant.nn.quantized.EmbeddingBag(3, 4)
    >>> packed = refquant.ops.quantized.embedding_bag_prepack(layer.weight())
    >>> refquant.ops.quantized.embedding_bag_unpack(packed).shape
    refquant.Size([3, 4])
    """
    return _packed("W_prepack", W_prepack).unpack()


def embedding_bag_byte(
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
    r"""Add rows of a packed quint8 weight.

    %(packed_parameters)s
    %(bag)s

    Examples
    --------
    >>> import refquant
    >>> w = refquant.quantize_per_channel(
    ...     refquant.tensor([[1.0, 2.0]]), refquant.tensor([0.5]), refquant.tensor([0.0]), 0,
    ...     refquant.quint8)
    >>> packed = refquant.ops.quantized.embedding_bag_prepack(w)
    >>> refquant.ops.quantized.embedding_bag_byte(packed, refquant.tensor([[0, 0]]))
    tensor([[2., 4.]])
    """
    ignored(scale_grad_by_freq, mode)
    packed = _packed("weight", weight, dtypes.quint8)
    return summed(
        packed.table, 8, indices, offsets, pruned_weights, per_sample_weights,
        compressed_indices_mapping, include_last_offset,
    )  # fmt: skip


def embedding_bag_4bit(
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
    r"""Add rows of a packed quint4x2 weight.

    %(packed_parameters)s
    %(bag)s

    Examples
    --------
    >>> import refquant
    >>> w = refquant.quantize_per_channel(
    ...     refquant.tensor([[1.0, 2.0]]), refquant.tensor([0.5]), refquant.tensor([0.0]), 0,
    ...     refquant.quint4x2)
    >>> packed = refquant.ops.quantized.embedding_bag_prepack(w)
    >>> refquant.ops.quantized.embedding_bag_4bit(packed, refquant.tensor([[0, 0]]))
    tensor([[2., 4.]])
    """
    ignored(scale_grad_by_freq, mode)
    packed = _packed("weight", weight, dtypes.quint4x2)
    return summed(
        packed.table, 4, indices, offsets, pruned_weights, per_sample_weights,
        compressed_indices_mapping, include_last_offset,
    )  # fmt: skip


def _embedded(weight: Any, indices: Any, pruned_weights: Any, dtype: dtypes.dtype) -> Tensor:
    packed = _packed("weight", weight, dtype)
    if pruned_weights is not False:
        raise ArgumentError(
            argument="pruned_weights",
            expected="False: there is no mapping for rows that were left out",
            got=pruned_weights,
            hint="use the bag, which takes compressed_indices_mapping",
        )
    return looked_up(packed.table, dtype.bits, indices)


def embedding_byte(weight: Any, indices: Any, pruned_weights: bool = False) -> Tensor:
    """Look up rows of a packed quint8 weight, as real numbers.

    %(packed_parameters)s
    %(places)s

    %(rows)s

    Examples
    --------
    >>> import refquant
    >>> w = refquant.quantize_per_channel(
    ...     refquant.tensor([[1.0, 2.0]]), refquant.tensor([0.5]), refquant.tensor([0.0]), 0,
    ...     refquant.quint8)
    >>> packed = refquant.ops.quantized.embedding_bag_prepack(w)
    >>> refquant.ops.quantized.embedding_byte(packed, refquant.tensor([0]))
    tensor([[1., 2.]])
    """
    return _embedded(weight, indices, pruned_weights, dtypes.quint8)


def embedding_4bit(weight: Any, indices: Any, pruned_weights: bool = False) -> Tensor:
    """Look up rows of a packed quint4x2 weight, as real numbers.

    %(packed_parameters)s
    %(places)s

    %(rows)s

    Examples
    --------
    >>> import refquant
    >>> w = refquant.quantize_per_channel(
    ...     refquant.tensor([[1.0, 2.0]]), refquant.tensor([0.5]), refquant.tensor([0.0]), 0,
    ...     refquant.quint4x2)
    >>> packed = refquant.ops.quantized.embedding_bag_prepack(w)
    >>> refquant.ops.quantized.embedding_4bit(packed, refquant.tensor([0]))
    tensor([[1., 2.]])
    """
    return _embedded(weight, indices, pruned_weights, dtypes.quint4x2)


document(
    __name__,
    bag=BAG,
    packed_parameters="""
Parameters
----------
weight : PackedEmbedding
    As `embedding_bag_prepack` returns it.""",
    places="""
indices : Tensor of int32 or int64, shape (n,) or (m, n)
    Rows of the weight.
pruned_weights : bool, default False
    Only False.""",
    rows="""
Returns
-------
Tensor of float32, shape (..., columns)
    Always row-major.

Raises
------
ArgumentTypeError, ArgumentError, DtypeError, ShapeError
    If an argument has another type or shape, or the weight is of another dtype.
IndexRangeError
    If an index is no row of the weight.""",
)
enclose(__name__)
