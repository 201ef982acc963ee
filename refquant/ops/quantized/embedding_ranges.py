"""Ranges of the rows of tables of embeddings, and the search for better ones."""

from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant.errors import ArgumentError, ShapeError
from refquant.ops import checks
from refquant.tensors import Tensor

__all__ = ["choose_qparams_optimized", "row_ends", "search_settings", "searched_ends"]

MOST_BINS = 2**24  # beyond, a float32 cannot count them
MOST_BITS = 16


def row_ends(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the first of the smallest and of the largest numbers of each row, all finite."""
    places = np.arange(rows.shape[0])
    lower, upper = rows[places, rows.argmin(axis=1)], rows[places, rows.argmax(axis=1)]
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise ArgumentError(argument="weight", expected="finite numbers", got="NaN or infinities")
    return lower, upper


def search_settings(argument: str, n_bins: Any, ratio: Any) -> tuple[int, float]:
    """Return the settings of a search, or raise."""
    return (
        arguments.integer(argument, n_bins, 1, MOST_BINS),
        arguments.real("ratio", ratio, 0, 1),
    )


def searched_ends(
    rows: np.ndarray, settings: tuple[int, float], bits: int
) -> tuple[np.ndarray, np.ndarray]:
    """Search for the range of each row."""
    n_bins, ratio = settings
    ends = [
        kernels.choose_qparams_optimized(row, float(low), float(high), n_bins, ratio, bits)
        for row, low, high in zip(rows, *row_ends(rows), strict=True)
    ]
    found = np.array(ends, np.float32).reshape(-1, 2)
    return found[:, 0].copy(), found[:, 1].copy()


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
    settings = search_settings("n_bins", n_bins, ratio)
    bits = arguments.integer("bit_width", bit_width, 1, MOST_BITS)
    if not array.size:
        raise ShapeError(argument="input", expected="of at least one element", got="none")
    rows = np.ascontiguousarray(array).reshape(1, -1)[:, :count]
    if not np.isfinite(rows).all():
        raise ArgumentError(argument="input", expected="finite numbers", got="NaN or infinities")
    lower, upper = searched_ends(rows, settings, bits)
    return Tensor(upper), Tensor(lower)
