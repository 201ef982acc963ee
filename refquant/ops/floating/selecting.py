"""Which of equal elements come first among the largest few: as in PyTorch, on a processor.

PyTorch selects with ``std::nth_element`` and ``std::sort``, of long rows with
``std::partial_sort``, all of GNU's C++ library. Quantized numbers are often equal, and then the
steps of these decide.
"""

from typing import Any

import numpy as np

# Rows at least so many times as long as what is wanted are sorted in part.
_LONG = 64
# Shorter runs are left to one insertion sort at the end.
_SHORT = 16


def descending_order(x: np.ndarray, dim: int) -> np.ndarray:
    """Find indices that sort from the largest down; equals keep their order, NaN comes first."""
    backwards = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(backwards, dim)


def chosen(x: np.ndarray, k: int, dim: int, largest: bool) -> np.ndarray:
    """Find the indices of the `k` largest elements along a dimension, or of the smallest."""
    rows = np.moveaxis(x, dim, -1)
    order = descending_order(rows, -1) if largest else np.argsort(rows, axis=-1, kind="stable")
    where = order[..., :k].copy()
    near = np.take_along_axis(rows, order[..., : k + 1], -1)
    before, after = near[..., :-1], near[..., 1:]
    equal = (before == after) | ((before != before) & (after != after))
    for place in map(tuple, np.argwhere(equal.any(-1))):
        line = np.take(rows[place], order[place])
        steps = (line[1:] != line[:-1]) & ((line[1:] == line[1:]) | (line[:-1] == line[:-1]))
        ranks = np.empty(len(line), np.int64)
        ranks[order[place]] = np.concatenate([[0], np.cumsum(steps)])
        where[place] = leading(ranks, k)
    return np.ascontiguousarray(np.moveaxis(where, -1, dim))


def leading(ranks: np.ndarray, k: int) -> np.ndarray:
    """Find the positions of the `k` least of a row of integers, in PyTorch's order.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.ops.floating.selecting import leading
    >>> leading(np.array([1, 0, 0, 0, 1, 0]), 2)
    array([3, 5])
    """
    row = list(zip(ranks.tolist(), range(len(ranks)), strict=True))
    if k * _LONG <= len(row):
        _sort_heap(row, 0, k, len(row))
    else:
        _partition(row, k - 1)
        _sort(row, 0, k - 1)
    return np.array([place for _, place in row[:k]], np.int64)


def _insert(row: list, first: int, last: int) -> None:
    """Sort a run; equals keep their order."""
    row[first:last] = sorted(row[first:last], key=_rank)


def _rank(element: tuple[int, int]) -> int:
    return element[0]


def _cut(row: list, first: int, last: int) -> int:
    """Part a run at the median of three of its elements; returns where the second part begins."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    low = sorted((row[a][0], row[b][0], row[c][0]))[1]
    # The first of the three that is the median by comparisons with less-than alone.
    if row[a][0] < row[b][0]:
        middle = b if row[b][0] < row[c][0] else c if row[a][0] < row[c][0] else a
    else:
        middle = a if row[a][0] < row[c][0] else c if row[b][0] < row[c][0] else b
    row[first], row[middle] = row[middle], row[first]
    left, right = first + 1, last
    while True:
        while row[left][0] < low:
            left += 1
        right -= 1
        while low < row[right][0]:
            right -= 1
        if left >= right:
            return left
        row[left], row[right] = row[right], row[left]
        left += 1


def _partition(row: list, nth: int) -> None:
    """Bring the element of rank `nth` to its place, lesser ones before it."""
    first, last = 0, len(row)
    if nth < 0 or nth >= last:
        return
    depth = 2 * (last.bit_length() - 1)
    while last - first > 3:
        if depth == 0:
            _select_heap(row, first, nth + 1, last)
            row[first], row[nth] = row[nth], row[first]
            return
        depth -= 1
        cut = _cut(row, first, last)
        first, last = (cut, last) if cut <= nth else (first, cut)
    _insert(row, first, last)


def _sort(row: list, first: int, last: int) -> None:
    """Sort by parting, with a heap where parting goes too deep."""
    if last - first > 1:
        _part_all(row, first, last, 2 * ((last - first).bit_length() - 1))
        _insert(row, first, last)


def _part_all(row: list, first: int, last: int, depth: int) -> None:
    while last - first > _SHORT:
        if depth == 0:
            _sort_heap(row, first, last, last)
            return
        depth -= 1
        cut = _cut(row, first, last)
        _part_all(row, cut, last, depth)
        last = cut


def _sift(row: list, first: int, hole: int, size: int, value: Any) -> None:
    """Put a value into a heap whose `hole` is free: down to a leaf, then up."""
    top, child = hole, hole
    while child < (size - 1) // 2:
        child = 2 * (child + 1)
        if row[first + child][0] < row[first + child - 1][0]:
            child -= 1
        row[first + hole] = row[first + child]
        hole = child
    if size % 2 == 0 and child == (size - 2) // 2:
        child = 2 * child + 1
        row[first + hole] = row[first + child]
        hole = child
    parent = (hole - 1) // 2
    while hole > top and row[first + parent][0] < value[0]:
        row[first + hole] = row[first + parent]
        hole, parent = parent, (parent - 1) // 2
    row[first + hole] = value


def _select_heap(row: list, first: int, middle: int, last: int) -> None:
    """Bring the least elements of a run before `middle`, as a heap with the greatest first."""
    size = middle - first
    for parent in range((size - 2) // 2, -1, -1) if size > 1 else ():
        _sift(row, first, parent, size, row[first + parent])
    for place in range(middle, last):
        if row[place][0] < row[first][0]:
            value, row[place] = row[place], row[first]
            _sift(row, first, 0, size, value)


def _sort_heap(row: list, first: int, middle: int, last: int) -> None:
    """Sort the least elements of a run to its begin."""
    if middle == first:
        return
    _select_heap(row, first, middle, last)
    for end in range(middle - 1, first, -1):
        value, row[end] = row[end], row[first]
        _sift(row, first, 0, end - first, value)
