"""Arguments for the twins of the family `pooling`."""

import numpy as np
from parity.draws import draws, draws_large
from strategies import RANGES, integers, quantizers

from refquant.engines import pooling as rules

RULES = [value for value in vars(rules).values() if isinstance(value, rules.Rule)]
CHANNELS = (1, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65)
# height, width, kernel, stride, padding, dilation
WINDOWS = (
    ((1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    ((5, 6), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((9, 7), (3, 3), (2, 2), (1, 1), (1, 1)),
    ((8, 17), (3, 2), (1, 3), (1, 1), (1, 1)),
    ((6, 33), (2, 5), (1, 1), (1, 2), (2, 1)),
    ((7, 9), (4, 4), (3, 1), (2, 2), (1, 3)),
    ((10, 4), (1, 3), (4, 2), (0, 1), (1, 2)),
    ((1, 1), (2, 2), (1, 1), (1, 1), (2, 2)),
    ((3, 70), (2, 2), (2, 2), (1, 0), (1, 1)),
)


def reach(sizes, kernel, stride, padding, dilation, ceil):
    """Number of windows along each dimension, with `ceil` those that reach over the end."""
    counts = []
    for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = -(-room // s) + 1 if ceil else room // s + 1
        counts.append(count - (ceil and (count - 1) * s >= n + p))
    return tuple(counts)


def images(rng, sizes):
    for channels in CHANNELS:
        storage = str(rng.choice(list(RANGES)))
        outer = int(rng.integers(1, 4))
        yield storage, integers(rng, (outer, *sizes, channels), storage)


@draws("max_pool")
def max_pool(rng):
    for sizes, kernel, stride, padding, dilation in WINDOWS:
        for ceil in (False, True):
            counts = reach(sizes, kernel, stride, padding, dilation, ceil)
            for _, q in images(rng, sizes):
                yield q, kernel, stride, padding, dilation, counts
    for storage in RANGES:
        for shape in ((0, 4, 4, 3), (2, 4, 4, 0)):
            yield integers(rng, shape, storage), (2, 2), (2, 2), (0, 0), (1, 1), (2, 2)


@draws_large("max_pool")
def max_pool_large(rng):
    for storage in RANGES:
        for shape in ((40, 99, 101, 1), (2, 50, 51, 70)):
            q = integers(rng, shape, storage)
            counts = reach(shape[1:3], (3, 3), (2, 2), (1, 1), (1, 1), False)
            yield q, (3, 3), (2, 2), (1, 1), (1, 1), counts


def spans(size, kernel, stride, padding, count):
    start = np.arange(count, dtype=np.int64) * stride - padding
    end = np.minimum(start + kernel, size + padding)
    return np.stack([np.maximum(start, 0), np.minimum(end, size)], axis=1), end - start


def parts(size, count):
    index = np.arange(count, dtype=np.int64)
    return np.stack([index * size // count, -(-(index + 1) * size // count)], axis=1)


def counted(rows, columns):
    extents = [span[:, 1] - span[:, 0] for span in (rows, columns)]
    return np.ascontiguousarray(extents[0][:, None] * extents[1])


def averages(rng, storage, q, rows, columns, divisors):
    """Add a quantizer, a split and rules: every rule in its turn."""
    pairs = list(quantizers(rng, storage))
    if storage == "int32":
        # Sums of far zero points leave int64 in fixed point; engines average quint8 there.
        pairs = [(scale, zero) for scale, zero in pairs if abs(zero) < 2**25]
    scale, zero_point = pairs[rng.integers(len(pairs))]
    body = int(rng.choice([0, q.shape[3], q.shape[3] - q.shape[3] % 8]))
    chosen = [rule for rule in RULES if fits(rule, storage, divisors)]
    body_rule, tail_rule = (chosen[rng.integers(len(chosen))] for _ in range(2))
    return (
        q, rows, columns, divisors, scale, zero_point, *RANGES[storage], body, body_rule, tail_rule,
    )  # fmt: skip


def fits(rule, storage, divisors):
    """Fixed point is for positive divisors and for sums of 8-bit integers."""
    if rule is not rules.AVERAGE_IN_FIXED_POINT:
        return True
    return storage != "int32" and bool((divisors > 0).all())


@draws("average_pool")
def average_pool(rng):
    for sizes, kernel, stride, padding, _ in WINDOWS:
        for ceil in (False, True):
            counts = reach(sizes, kernel, stride, padding, (1, 1), ceil)
            both = [spans(*v) for v in zip(sizes, kernel, stride, padding, counts, strict=True)]
            (rows, heights), (columns, widths) = both
            override = np.full(counts, int(rng.choice([1, 3, 7, -2])), np.int64)
            for divisors in (heights[:, None] * widths, counted(rows, columns), override):
                for storage, q in images(rng, sizes):
                    yield averages(rng, storage, q, rows, columns, np.ascontiguousarray(divisors))
    for sizes, counts in (((1, 1), (1, 1)), ((7, 9), (1, 1)), ((11, 5), (3, 4)), ((4, 3), (9, 7))):
        rows, columns = (parts(n, c) for n, c in zip(sizes, counts, strict=True))
        for storage, q in images(rng, sizes):
            yield averages(rng, storage, q, rows, columns, counted(rows, columns))
    rows = columns = parts(4, 2)
    for storage in RANGES:
        for shape in ((0, 4, 4, 3), (2, 4, 4, 0)):
            q = integers(rng, shape, storage)
            yield averages(rng, storage, q, rows, columns, counted(rows, columns))


@draws_large("average_pool")
def average_pool_large(rng):
    rows, columns = parts(99, 30), parts(101, 25)
    for storage in RANGES:
        for shape in ((40, 99, 101, 1), (2, 99, 101, 40)):
            q = integers(rng, shape, storage)
            yield averages(rng, storage, q, rows, columns, counted(rows, columns))
