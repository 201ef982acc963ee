"""Ranges of the rows of tables of embeddings, and the search for better ones."""

from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant.errors import ArgumentError

MOST_BINS = 2**24  # beyond, a float32 cannot count them


def check_finite(ends: np.ndarray) -> None:
    """Raise if the ends of the rows of a table tell of numbers that are not finite."""
    if not np.isfinite(ends).all():
        raise ArgumentError(argument="weight", expected="finite numbers", got="NaN or infinities")


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
    cut, levels = 1.0 - float(np.float32(ratio)), float(2**bits - 1)
    ends = [kernels.range_of_least_loss(row, n_bins, cut, levels) for row in rows]
    found = np.array(ends, np.float32).reshape(-1, 2)
    return found[:, 0].copy(), found[:, 1].copy()
