"""Tables of embeddings as bytes: rows of 8, 4 or 2 bits, each with its scale and bias."""

from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant.errors import ArgumentError, DtypeError, QuantizationParameterError, ShapeError
from refquant.ops import checks
from refquant.tensors import Tensor

__all__ = [
    "choose_qparams_optimized",
    "embedding_bag_2bit_prepack",
    "embedding_bag_2bit_prepack_with_rowwise_min_max",
    "embedding_bag_2bit_unpack",
    "embedding_bag_4bit_prepack",
    "embedding_bag_4bit_prepack_with_rowwise_min_max",
    "embedding_bag_4bit_unpack",
    "embedding_bag_byte_prepack",
    "embedding_bag_byte_prepack_with_rowwise_min_max",
    "embedding_bag_byte_unpack",
    "packed_table",
]

MOST_BINS = 2**24  # beyond, a float32 cannot count them
MOST_BITS = 16


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


def _ends(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the first of the smallest and of the largest numbers of each row, all finite."""
    places = np.arange(rows.shape[0])
    lower, upper = rows[places, rows.argmin(axis=1)], rows[places, rows.argmax(axis=1)]
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise ArgumentError(argument="weight", expected="finite numbers", got="NaN or infinities")
    return lower, upper


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
    _ends(rows)  # raises unless all numbers are finite
    if not (np.isfinite(ends).all() and (lower <= upper).all()):
        raise QuantizationParameterError(
            argument="rowwise_min_max",
            expected="finite ends, the smaller one first",
            got="another row",
        )
    return lower, upper


def _packed(weight: Any, bits: int, given: Any = None, search: Any = None) -> Tensor:
    array = _table(weight, bits)
    rows = array.reshape(-1, array.shape[-1])
    lower, upper = _ends(rows) if given is None else _given_ends(rows, given)
    if search is not None:
        optimized, nbins, ratio = search
        settings = _settings("nbins", nbins, ratio)
        if arguments.flag("optimized_qparams", optimized):
            lower, upper = _searched(rows, settings, bits)
    table = kernels.embedding_prepack(rows, lower, upper, bits)
    return Tensor(table.reshape(*array.shape[:-1], table.shape[1]))


def _settings(argument: str, n_bins: Any, ratio: Any) -> tuple[int, float]:
    return (
        arguments.integer(argument, n_bins, 1, MOST_BINS),
        arguments.real("ratio", ratio, 0, 1),
    )


def _searched(
    rows: np.ndarray, settings: tuple[int, float], bits: int
) -> tuple[np.ndarray, np.ndarray]:
    n_bins, ratio = settings
    ends = [
        kernels.choose_qparams_optimized(row, float(low), float(high), n_bins, ratio, bits)
        for row, low, high in zip(rows, *_ends(rows), strict=True)
    ]
    found = np.array(ends, np.float32).reshape(-1, 2)
    return found[:, 0].copy(), found[:, 1].copy()


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
    table = weight
    if bits == 8 and given.ndim != 2 and given.ndim:
        table = Tensor(np.ascontiguousarray(given).reshape(-1, given.shape[-1]))
    real = kernels.embedding_unpack(packed_table("weight", table, bits), bits)
    return Tensor(real if given.ndim == 2 else real.reshape(*given.shape[:-1], real.shape[1]))


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
    Numbers beyond the ends saturate. In PyTorch those of the last columns, which fill no block of
    32, wrap around.

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


def choose_qparams_optimized(
    input: Any, numel: int, n_bins: int, ratio: float, bit_width: int
) -> tuple[Tensor, Tensor]:
    """Search the range that makes the error of few bits small, narrowing it step by step.

    Each step moves the end that costs less by a bin; the range is narrowed by a share of `ratio`
    at most. See `refquant.reference.embedding.choose_qparams_optimized`.

    Parameters
    ----------
    input : Tensor of float32
        Real numbers, all finite.
    numel : int
        How many leading elements count.
    n_bins : int
        Steps of the range.
    ratio : float
        In 0..1.
    bit_width : int
        Bits of an integer, 1 to 16.

    Returns
    -------
    upper, lower : Tensor of float32, shape (1,)
        Ends of the range, the larger one first.

    Raises
    ------
    DtypeError
        If `input` is not float32.
    ArgumentError
        If another argument is outside its range.

    Notes
    -----
    Source: ATen ``choose_qparams_optimized``. PyTorch does not return if a bin is lost in rounding;
    here the search ends then.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([0.0, 0.5, 1.0, 1.5, 10.0])
    >>> refquant.choose_qparams_optimized(x, 5, 10, 0.5, 2)
    (tensor([10.]), tensor([1.]))
    """
    array = checks.float32_tensor("input", input).array
    count = arguments.integer("numel", numel, 1, max(array.size, 1))
    settings = _settings("n_bins", n_bins, ratio)
    bits = arguments.integer("bit_width", bit_width, 1, MOST_BITS)
    if not array.size:
        raise ShapeError(argument="input", expected="of at least one element", got="none")
    rows = np.ascontiguousarray(array).reshape(1, -1)[:, :count]
    if not np.isfinite(rows).all():
        raise ArgumentError(argument="input", expected="finite numbers", got="NaN or infinities")
    lower, upper = _searched(rows, settings, bits)
    return Tensor(upper), Tensor(lower)


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
nbins : int, default 200
    Steps of that search.
ratio : float, default 0.16
    The share of the range by which the search may narrow it.""",
    few_bits_between="""
Parameters
----------
weight : Tensor of float32 or float16, shape (rows, columns)
    Real numbers, all finite; rows fill whole bytes.
rowwise_min_max : Tensor of float32, shape (rows, 2)
    Lower and upper end for each row.
optimized_qparams : bool, default False
    Whether to search instead of taking the ends that are given, as in PyTorch.
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
