r"""How engines add many float32 numbers: the order decides the last bits.

Each function takes an array of float32 and the dimensions to sum over, and returns the sums, of the
shape of the others. The order is that of one thread of an x86 processor whose vectors hold
`LANES` numbers.

A sum over several dimensions is one over *runs*: dimensions that follow each other in memory
without a gap are one run, the innermost first; the sums of runs are added one after the other.
"""

import math

import numpy as np

__all__ = ["sum_in_cascades", "sum_in_order"]

LANES = 8
ROWS = 4  # sums that grow side by side
LEVELS = 4


def _merged(dimensions, x):
    """Extents and strides of loops, from the inner one, neighbors that are one loop as one."""
    loops: list[list[int]] = []
    for d in dimensions:
        extent, stride = x.shape[d], x.strides[d]
        if loops and stride == loops[-1][0] * loops[-1][1]:
            loops[-1][0] *= extent
        else:
            loops.append([extent, stride])
    return loops


def _walk(x, axes):
    """Lay out an array as (runs, n, rows, columns); also return the strides of n and columns.

    Numbers are added along `n`, which has the smallest strides of the summed dimensions.
    """
    inside = sorted((d for d in axes if x.shape[d] != 1), key=lambda d: x.strides[d])
    others = [d for d in reversed(range(x.ndim)) if d not in axes and x.shape[d] != 1]
    summed: list[list[int]] = _merged(inside, x) or [[1, x.itemsize]]
    kept: list[list[int]] = _merged(others, x) or [[1, 0]]
    # From the outer loop to the inner one, and what is kept in the order of the result.
    loops = [*summed[:0:-1], summed[0], *kept[::-1]]
    extents, strides = [e for e, _ in loops], [s for _, s in loops]
    y = np.lib.stride_tricks.as_strided(x, extents, strides, writeable=False)
    runs, columns = math.prod(extents[: len(summed) - 1]), kept[0][0]
    y = y.reshape(runs, summed[0][0], math.prod(extents[len(summed) :]) // columns, columns)
    return y, summed[0][1], kept[0][1]


def _in_order(x):
    """Add along the first dimension, one after the other, from 0."""
    if len(x) == 0:
        return np.zeros(x.shape[1:], np.float32)
    return np.add.accumulate(x, axis=0, dtype=np.float32)[-1] + np.float32(0)


def sum_in_order(x, axes) -> np.ndarray:
    """Add numbers in the order of memory; long runs without gaps go by vectors.

    Source: ATen ``binary_kernel_reduce_vec``, PyTorch 1.4.
    """
    shape = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    if x.size == 0:
        return np.zeros(shape, np.float32)
    y, stride, _ = _walk(x, axes)
    block = ROWS * LANES
    blocks = y.shape[1] // block if stride == x.itemsize else 0
    total = np.zeros(y.shape[2:], np.float32)
    for run in y:
        if blocks:
            vectors = run[: blocks * block].reshape(blocks, ROWS, LANES, *run.shape[1:])
            a, b, c, d = _in_order(vectors)
            total = total + _in_order((a + b) + (c + d))
        total = _in_order(np.concatenate([total[None], run[blocks * block :]]))
    return total.reshape(shape)


def _cascade(x):
    """Add along the first dimension: blocks, then blocks of blocks."""
    power = max(4, (len(x) - 1).bit_length() // LEVELS) if len(x) else 4
    step, totals = 1 << power, []
    for _ in range(LEVELS - 1):
        blocks = len(x) // step
        totals.append(_in_order(x[blocks * step :]))
        x = np.stack([_in_order(b) for b in x[: blocks * step].reshape(blocks, step, *x.shape[1:])]
                     ) if blocks else x[:0]  # fmt: skip
    return _in_order(np.stack([*totals, _in_order(x)]))


def _four_cascades(x):
    """Add along the first dimension: every fourth number in a cascade of its own."""
    whole = len(x) - len(x) % ROWS
    first, *others = (_cascade(x[k:whole:ROWS]) for k in range(ROWS))
    first = _in_order(np.concatenate([first[None], x[whole:]]))
    return _in_order(np.stack([first, *others]))


def _by_lanes(x):
    """Add along the first dimension, which has no gaps: vectors first, then what they hold."""
    whole = len(x) - len(x) % LANES
    lanes = _four_cascades(x[:whole].reshape(whole // LANES, LANES, *x.shape[1:]))
    return _in_order(np.concatenate([x[whole:], lanes]))


def sum_in_cascades(x, axes) -> np.ndarray:
    """Add numbers in cascades, which keep rounding errors small.

    Source: ATen ``cascade_sum``, PyTorch 2.13, on processors with AVX2.
    """
    shape = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    if x.size == 0:
        return np.zeros(shape, np.float32)
    y, stride, column_stride = _walk(x, axes)
    n, columns = y.shape[1], y.shape[3]
    cut = 0  # columns that have one cascade each
    if stride == x.itemsize and n >= LANES:
        add = _by_lanes
    else:
        add = _four_cascades
        if y.shape[0] == 1 and column_stride == x.itemsize and columns >= LANES:
            cut = columns - columns % (ROWS * LANES)
        elif y.shape[0] == 1 and stride >= column_stride:
            cut = columns - columns % ROWS
    sums = [np.concatenate([_cascade(run[..., :cut]), add(run[..., cut:])], -1) for run in y]
    return _in_order(np.stack(sums)).reshape(shape)
