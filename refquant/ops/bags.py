"""Bags of rows: indices, and where each bag of them begins."""

from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant.errors import ArgumentTypeError, DtypeError, IndexRangeError, ShapeError
from refquant.ops import checks

__all__ = ["bag_bounds", "rows_below", "whole_numbers"]

_WHOLE = np.dtype(np.int32), np.dtype(np.int64)


def whole_numbers(argument: str, value: Any) -> np.ndarray:
    """Return indices or offsets as they are, or raise."""
    array = checks.plain_tensor(argument, value).array
    if array.dtype not in _WHOLE:
        raise DtypeError(
            argument=argument,
            expected="an int32 or int64 tensor",
            got=array.dtype,
            hint="convert it with .to(refquant.int64)",
        )
    return array


def rows_below(indices: np.ndarray, count: int, argument: str = "indices") -> np.ndarray:
    """Return indices as contiguous int64 of 1 dimension, each below `count`, or raise."""
    rows = np.ascontiguousarray(indices.reshape(-1), np.int64)
    if not kernels.all_below(rows, count):
        place = int(((rows < 0) | (rows >= count)).argmax())
        raise IndexRangeError(
            argument=f"{argument}[{place}]",
            expected=f"in 0..{count - 1}, a row of the table" if count else "a table with rows",
            got=int(rows[place]),
        )
    return rows


def bag_bounds(
    indices: np.ndarray, offsets: Any, include_last: bool, argument: str = "indices"
) -> np.ndarray:
    """Return where each bag begins, and where the last one ends, or raise."""
    if indices.ndim == 2:
        if offsets is not None:
            raise ArgumentTypeError(
                argument="offsets",
                expected=f"None for `{argument}` of 2 dimensions, whose rows are the bags",
                got=arguments.describe(offsets),
            )
        return np.arange(indices.shape[0] + 1, dtype=np.int64) * indices.shape[1]
    if offsets is None:
        raise ArgumentTypeError(
            argument="offsets",
            expected=f"a tensor, as `{argument}` has 1 dimension",
            got=None,
            hint="pass where each bag begins, or indices of 2 dimensions, a bag in each row",
        )
    array = whole_numbers("offsets", offsets)
    if array.ndim != 1 or (include_last and not array.size):
        raise ShapeError(
            argument="offsets",
            expected="of 1 dimension" + ", not empty" * include_last,
            got=f"shape {array.shape}",
        )
    begins = np.ascontiguousarray(array, np.int64)
    bounds = kernels.bounds_of_bags(begins, indices.size, include_last)
    if bounds is None:
        ends = [0, *begins.tolist(), indices.size]
        place = next(k for k, end in enumerate(ends[1:]) if end < ends[k])
        raise IndexRangeError(
            argument=f"offsets[{min(place, array.size - 1)}]",
            expected=f"offsets that do not fall, in 0..{indices.size}",
            got=np.array2string(array, threshold=10),
        )
    return bounds
