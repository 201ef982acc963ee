"""Sums of float32 in the order in which ONNX Runtime adds on x86: products of matrices.

Products are added one after the other along the inner dimension, by fused multiply-adds, in runs
whose length follows from the shape; the sums of runs are added without fusion. A single row, and
a single column, have kernels of their own, without fused operations.

Convolutions are such products, too: filters by columns of pixels, each in the order channel, line,
column.
"""

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import fma

__all__ = ["PRODUCT_OF_REALS", "run_length"]

LANES = 8


def run_length(columns: int, depth: int) -> int:
    """Return how many products are added before the sum joins those of earlier runs.

    Examples
    --------
    >>> from refquant.engines.arithmetic.mlas import run_length
    >>> run_length(200, 200), run_length(20, 300)
    (128, 512)
    """
    width, run = 128, 128
    if columns >= depth:
        while run // 2 >= depth:
            run //= 2
        return run
    while width > 16 and width // 2 >= columns:
        width, run = width // 2, run * 2
    return run


def _in_runs(a, b):
    depth, total = a.shape[-1], None
    run = run_length(b.shape[-1], depth)
    for start in range(0, depth, run):
        part = np.zeros((1, 1), np.float32)
        for k in range(start, min(start + run, depth)):
            part = fma(a[..., :, k, None], b[..., None, k, :], part)
        total = part if total is None else total + part
    return total


def _of_one_row(a, b):
    """Add the products of four rows of `b` first, of two and of one at the end."""
    depth, total, k = a.shape[-1], None, 0
    while k < depth:
        count = 4 if depth - k >= 4 else 2 if depth - k >= 2 else 1
        part = a[..., :, k, None] * b[..., None, k, :]
        for j in range(k + 1, k + count):
            part = part + a[..., :, j, None] * b[..., None, j, :]
        total = part + np.float32(0) if total is None else part + total
        k += count
    return total


def _of_one_column(a, b):
    """Add in 8 lanes, whose sums are added in an order that depends on the row."""
    depth = a.shape[-1]
    lanes = np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], LANES),
                     np.float32)  # fmt: skip
    for start in range(0, depth, LANES):
        end = min(start + LANES, depth)
        lanes[..., : end - start] += a[..., start:end] * b[..., None, start:end, 0]
    low, high = lanes[..., :4], lanes[..., 4:]

    def chained(half):
        return ((half[..., 0] + half[..., 1]) + half[..., 2]) + half[..., 3]

    def paired(half):
        return (half[..., 0] + half[..., 1]) + (half[..., 2] + half[..., 3])

    rows = a.shape[-2]
    fours, pair = rows - rows % 4, rows % 4 >= 2
    total = chained(low) + chained(high)
    if pair:
        both = (low[..., :2] + low[..., 2:]) + (high[..., :2] + high[..., 2:])
        total[..., fours : fours + 2] = (both[..., 0] + both[..., 1])[..., fours : fours + 2]
    if rows % 2:
        total[..., -1] = (paired(low) + paired(high))[..., -1]
    return total[..., None]


def _product(a, b):
    """Multiply matrices, or stacks of them, of which none is empty."""
    if a.shape[-2] == 1:
        return _of_one_row(a, b)
    return _of_one_column(a, b) if b.shape[-1] == 1 else _in_runs(a, b)


PRODUCT_OF_REALS = Rule(
    "product_of_reals_by_mlas",
    "sum of runs of fma(a_k, b_k, t), k ascending, each from 0, of a length that follows from the "
    "shape; one row: sums of 4 products; one column: 8 lanes",
    "ONNX Runtime, MLAS (onnxruntime/core/mlas/lib/sgemm.cpp, convolve.cpp), one thread, x86",
    _product,
)
