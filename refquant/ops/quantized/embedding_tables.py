"""Tables of embeddings as bytes: rows of 8, 4 or 2 bits, each with its scale and bias."""

import math
from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import DtypeError, QuantizationParameterError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.embedding_ranges import check_finite, search_settings, searched_ends
from refquant.tensors import Tensor

__all__ = [
    "embedding_bag_2bit_prepack",
    "embedding_bag_2bit_prepack_with_rowwise_min_max",
    "embedding_bag_2bit_unpack",
    "embedding_bag_4bit_prepack",
    "embedding_bag_4bit_prepack_with_rowwise_min_max",
    "embedding_bag_4bit_unpack",
    "embedding_bag_byte_prepack",
    "embedding_bag_byte_prepack_with_rowwise_min_max",
    "embedding_bag_byte_unpack",
]


def _table(weight: Any, bits: int) -> np.ndarray:
    """Return real rows that can be packed, or raise."""
    array = checks.plain_tensor("weight", weight).array
    if array.dtype not in (np.float32, np.float16):
        raise DtypeError(
            argument="weight",
            expected="a float32 or float16 tensor",
            got=array.dtype,
            hint="convert it with .to(refquant.float32)",
        )
    if array.ndim != 2 and (bits < 8 or array.ndim == 0):
        raise ShapeError(argument="weight", expected="of 2 dimensions", got=f"shape {array.shape}")
    _check_columns("weight", array.shape[-1], bits)
    return np.ascontiguousarray(array, np.float32)


def _check_columns(argument: str, columns: int, bits: int) -> None:
    multiple = 8 // bits
    if columns == 0 or columns % multiple:
        raise ShapeError(
            argument=argument,
            expected=f"columns in a multiple of {multiple}, so that rows fill whole bytes",
            got=f"{columns} columns",
        )


def _given_ends(rows: np.ndarray, given: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends that were given for each row, or raise."""
    ends = checks.float32_tensor("rowwise_min_max", given).array
    if ends.shape != (rows.shape[0], 2):
        raise ShapeError(
            argument="rowwise_min_max",
            expected=f"of shape ({rows.shape[0]}, 2), smallest and largest number of each row",
            got=f"shape {ends.shape}",
        )
    lower, upper = np.ascontiguousarray(ends[:, 0]), np.ascontiguousarray(ends[:, 1])
    check_finite(kernels.row_ends(rows))
    if not (np.isfinite(ends).all() and (lower <= upper).all()):
        expected = "finite ends, the smaller one first"
        raise QuantizationParameterError(
            argument="rowwise_min_max", expected=expected, got="another row"
        )
    return lower, upper


def _packed(weight: Any, bits: int, given: Any = None, search: Any = None) -> Tensor:
    array = _table(weight, bits)
    rows = array.reshape(math.prod(array.shape[:-1]), array.shape[-1])
    ends = None if given is None else _given_ends(rows, given)
    if search is not None:
        optimized, nbins, ratio = search
        settings = search_settings("nbins", nbins, ratio)
        if arguments.flag("optimized_qparams", optimized):
            if given is None:
                check_finite(kernels.row_ends(rows))
            ends = searched_ends(rows, settings, bits)
    if ends is None:
        table, own = kernels.embedding_prepack_rows(rows, bits)
        check_finite(own)
    else:
        table = kernels.embedding_prepack(rows, *ends, bits)
    return Tensor(table.reshape(*array.shape[:-1], table.shape[1]))


def packed_table(argument: str, value: Any, bits: int) -> np.ndarray:
    """Return the bytes of a packed table of 2 dimensions, or raise."""
    array = checks.plain_tensor(argument, value).array
    if array.dtype != np.uint8:
        raise DtypeError(
            argument=argument,
            expected="a uint8 tensor",
            got=array.dtype,
            hint="pack the table with embedding_bag_byte_prepack() or its siblings",
        )
    tail = 8 if bits == 8 else 4
    if array.ndim != 2 or array.shape[1] <= tail:
        raise ShapeError(
            argument=argument,
            expected=f"of 2 dimensions and more than {tail} columns, the last ones being scale "
            "and bias",
            got=f"shape {array.shape}",
        )
    return np.ascontiguousarray(array)


def _unpacked(weight: Any, bits: int) -> Tensor:
    given = checks.plain_tensor("weight", weight).array
    if bits < 8 or given.ndim in (0, 2):
        return Tensor(kernels.embedding_unpack(packed_table("weight", weight, bits), bits))
    rows = given.reshape(math.prod(given.shape[:-1]), given.shape[-1])
    real = kernels.embedding_unpack(packed_table("weight", Tensor(rows), bits), bits)
    return Tensor(real.reshape(*given.shape[:-1], real.shape[1]))


def embedding_bag_byte_prepack(weight: Any) -> Tensor:
    r"""Pack the rows of a table in 8 bits: integers, then scale and bias in float32.

    .. math:: q = \mathrm{round}\left(\frac{255\,(x - l)}{u - l + 10^{-8}}\right),\quad
        s = \frac{u - l}{255},\quad b = l

    with the ends l and u of the row; all operations are float32.

    Parameters
    ----------
    weight : Tensor of float32 or float16, shape (..., columns)
        Real numbers, all finite.

    Returns
    -------
    Tensor of uint8, shape (..., columns + 8)

    %(unless_table)s

    Examples
    --------
    >>> import refquant
    >>> table = refquant.tensor([[0.0, 0.5, 1.0]])
    >>> refquant.ops.quantized.embedding_bag_byte_prepack(table)[0, :3]
    tensor([  0, 128, 255], dtype=refquant.uint8)
    """
    return _packed(weight, 8)


def embedding_bag_byte_prepack_with_rowwise_min_max(weight: Any, rowwise_min_max: Any) -> Tensor:
    """Pack the rows of a table in 8 bits, each between ends that are given.

    Parameters
    ----------
    weight : Tensor of float32 or float16, shape (rows, columns)
        Real numbers, all finite.
    %(ends)s

    Returns
    -------
    Tensor of uint8, shape (rows, columns + 8)

    %(unless_table)s

    Notes
    -----
    Numbers beyond the ends saturate; in PyTorch those of the last columns wrap around.

    Examples
    --------
    >>> import refquant
    >>> table, ends = refquant.tensor([[0.0, 0.5, 1.0]]), refquant.tensor([[0.0, 0.51]])
    >>> quantized = refquant.ops.quantized
    >>> quantized.embedding_bag_byte_prepack_with_rowwise_min_max(table, ends)[0, :3]
    tensor([  0, 250, 255], dtype=refquant.uint8)
    """
    return _packed(weight, 8, rowwise_min_max)


def embedding_bag_4bit_prepack(
    weight: Any, optimized_qparams: bool = False, nbins: int = 200, ratio: float = 0.16
) -> Tensor:
    """Pack the rows of a table in 4 bits: two integers a byte, then scale and bias in float16.

    %(few_bits)s

    Returns
    -------
    Tensor of uint8, shape (rows, columns / 2 + 4)

    %(unless_table)s

    Examples
    --------
    >>> import refquant
    >>> table = refquant.tensor([[0.0, 0.5, 1.0, 1.0]])
    >>> refquant.ops.quantized.embedding_bag_4bit_prepack(table)[0, :2]
    tensor([128, 255], dtype=refquant.uint8)
    """
    return _packed(weight, 4, search=(optimized_qparams, nbins, ratio))


def embedding_bag_4bit_prepack_with_rowwise_min_max(
    weight: Any,
    rowwise_min_max: Any,
    optimized_qparams: bool = False,
    nbins: int = 200,
    ratio: float = 0.16,
) -> Tensor:
    """Pack the rows of a table in 4 bits, each between ends that are given.

    %(few_bits_between)s

    Returns
    -------
    Tensor of uint8, shape (rows, columns / 2 + 4)

    %(unless_table)s

    Examples
    --------
    >>> import refquant
    >>> table, ends = refquant.tensor([[0.0, 14.0, 15.0, 99.0]]), refquant.tensor([[0.0, 15.0]])
    >>> quantized = refquant.ops.quantized
    >>> packed = quantized.embedding_bag_4bit_prepack_with_rowwise_min_max(table, ends)
    >>> packed[0, :2].tolist()
    [224, 255]
    """
    return _packed(weight, 4, rowwise_min_max, (optimized_qparams, nbins, ratio))


def embedding_bag_2bit_prepack(
    weight: Any, optimized_qparams: bool = False, nbins: int = 200, ratio: float = 0.16
) -> Tensor:
    """Pack the rows of a table in 2 bits: four integers a byte, then scale and bias in float16.

    %(few_bits)s

    Returns
    -------
    Tensor of uint8, shape (rows, columns / 4 + 4)

    %(unless_table)s

    Examples
    --------
    >>> import refquant
    >>> table = refquant.tensor([[0.0, 1.0, 2.0, 3.0]])
    >>> refquant.ops.quantized.embedding_bag_2bit_prepack(table)[0, :1]
    tensor([228], dtype=refquant.uint8)
    """
    return _packed(weight, 2, search=(optimized_qparams, nbins, ratio))


def embedding_bag_2bit_prepack_with_rowwise_min_max(
    weight: Any,
    rowwise_min_max: Any,
    optimized_qparams: bool = False,
    nbins: int = 200,
    ratio: float = 0.16,
) -> Tensor:
    """Pack the rows of a table in 2 bits, each between ends that are given.

    %(few_bits_between)s

    Returns
    -------
    Tensor of uint8, shape (rows, columns / 4 + 4)

    %(unless_table)s

    Examples
    --------
    >>> import refquant
    >>> table, ends = refquant.tensor([[0.0, 2.0, 3.0, 9.0]]), refquant.tensor([[0.0, 3.0]])
    >>> quantized = refquant.ops.quantized
    >>> packed = quantized.embedding_bag_2bit_prepack_with_rowwise_min_max(table, ends)
    >>> packed[0, :1].tolist()
    [248]
    """
    return _packed(weight, 2, rowwise_min_max, (optimized_qparams, nbins, ratio))


def embedding_bag_byte_unpack(weight: Any) -> Tensor:
    """Turn a table that was packed in 8 bits into real numbers.

    Parameters
    ----------
    weight : Tensor of uint8, shape (..., columns + 8)
        As `embedding_bag_byte_prepack` returns it.

    Returns
    -------
    Tensor of float32, shape (..., columns)

    Raises
    ------
    %(unless_packed)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> packed = quantized.embedding_bag_byte_prepack(refquant.tensor([[0.0, 25.0, 51.0]]))
    >>> quantized.embedding_bag_byte_unpack(packed)
    tensor([[ 0., 25., 51.]])
    """
    return _unpacked(weight, 8)


def embedding_bag_4bit_unpack(weight: Any) -> Tensor:
    """Turn a table that was packed in 4 bits into real numbers.

    Parameters
    ----------
    weight : Tensor of uint8, shape (rows, columns / 2 + 4)
        As `embedding_bag_4bit_prepack` returns it.

    Returns
    -------
    Tensor of float32, shape (rows, columns)

    Raises
    ------
    %(unless_packed)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> packed = quantized.embedding_bag_4bit_prepack(refquant.tensor([[0.0, 15.0]]))
    >>> quantized.embedding_bag_4bit_unpack(packed)
    tensor([[ 0., 15.]])
    """
    return _unpacked(weight, 4)


def embedding_bag_2bit_unpack(weight: Any) -> Tensor:
    """Turn a table that was packed in 2 bits into real numbers.

    Parameters
    ----------
    weight : Tensor of uint8, shape (rows, columns / 4 + 4)
        As `embedding_bag_2bit_prepack` returns it.

    Returns
    -------
    Tensor of float32, shape (rows, columns)

    Raises
    ------
    %(unless_packed)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> packed = quantized.embedding_bag_2bit_prepack(refquant.tensor([[0.0, 3.0, 2.0, 1.0]]))
    >>> quantized.embedding_bag_2bit_unpack(packed)
    tensor([[0., 3., 2., 1.]])
    """
    return _unpacked(weight, 2)


document(
    __name__,
    ends="""
rowwise_min_max : Tensor of float32, shape (rows, 2)
    Lower and upper end for each row.""",
    few_bits="""
Parameters
----------
weight : Tensor of float32 or float16, shape (rows, columns)
    Real numbers, all finite; rows fill whole bytes.
optimized_qparams : bool, default False
    Whether to search for the range of each row, see `refquant.choose_qparams_optimized`.
%(of_search)s""",
    few_bits_between="""
Parameters
----------
weight : Tensor of float32 or float16, shape (rows, columns)
    Real numbers, all finite; rows fill whole bytes.
%(ends)s
optimized_qparams : bool, default False
    Whether to search instead of taking the ends that are given, as in PyTorch.
%(of_search)s""",
    of_search="""
nbins : int, default 200
    Steps of that search.
ratio : float, default 0.16
    The share of the range by which the search may narrow it.""",
    unless_table="""
Raises
------
DtypeError, ShapeError
    If the table has another type, other dimensions, or rows that do not fill whole bytes.
ArgumentError
    If a number is not finite, or another argument is outside its range.
QuantizationParameterError
    If ends that are given are not finite, or the larger one comes first.""",
    unless_packed="""
DtypeError, ShapeError
    If it is no packed table.""",
)
enclose(__name__)
