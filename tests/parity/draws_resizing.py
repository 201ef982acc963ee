"""Arguments for the twins of the family `resizing`."""

import numpy as np
from parity.draws import draws, draws_large
from strategies import RANGES, integers, zero_points

from refquant.engines import resizing as rules

MIXTURES = (rules.MIX_ROUNDED, rules.MIX_FUSED, rules.MIX_FUSED_FIRST)
CHANNELS = (1, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 65)
SIZES = (
    ((1, 1), (1, 1)),
    ((1, 1), (3, 5)),
    ((2, 3), (4, 6)),
    ((5, 4), (3, 1)),
    ((7, 9), (13, 4)),
    ((6, 33), (1, 70)),
    ((4, 4), (17, 9)),
)


def neighbours(rng, size, count):
    """Two neighbouring pixels for every place, and shares: quarters make many ties."""
    first = np.sort(rng.integers(0, size, size=count))
    share = rng.choice(np.array([0, 0.25, 0.5, 0.75], np.float32), size=count)
    share = np.where(rng.random(count) < 0.5, share, rng.random(count)).astype(np.float32)
    shares = np.stack([np.float32(1) - share, share], axis=1)
    return np.stack([first, np.minimum(first + 1, size - 1)], axis=1), shares


def mixtures(rng, storage, shape, counts):
    q = integers(rng, shape, storage)
    (rows, row_shares), (columns, column_shares) = (
        neighbours(rng, n, c) for n, c in zip(shape[1:3], counts, strict=True)
    )
    channels = shape[3]
    body = int(rng.choice([0, channels, channels - channels % 8]))
    zero_point = int(rng.choice(np.array(zero_points(storage), np.int64)))
    both = (MIXTURES[rng.integers(3)] for _ in range(2))
    return (
        q, rows, row_shares, columns, column_shares, zero_point, *RANGES[storage], body, *both,
    )  # fmt: skip


def shapes(rng):
    for sizes, counts in SIZES:
        for channels in CHANNELS:
            for storage in RANGES:
                yield storage, (int(rng.integers(1, 4)), *sizes, channels), counts
    for storage in RANGES:
        yield storage, (0, 3, 3, 4), (2, 5)
        yield storage, (2, 3, 3, 0), (2, 5)


@draws("resize_bilinear")
def resize_bilinear(rng):
    for storage, shape, counts in shapes(rng):
        yield mixtures(rng, storage, shape, counts)


@draws_large("resize_bilinear")
def resize_bilinear_large(rng):
    for storage in RANGES:
        yield mixtures(rng, storage, (40, 49, 50, 1), (99, 101))
        yield mixtures(rng, storage, (2, 49, 50, 40), (99, 101))


@draws("resize_nearest")
def resize_nearest(rng):
    for storage, shape, counts in shapes(rng):
        rows, columns = (
            np.sort(rng.integers(0, n, size=c)) for n, c in zip(shape[1:3], counts, strict=True)
        )
        yield integers(rng, shape, storage), rows, columns


@draws_large("resize_nearest")
def resize_nearest_large(rng):
    rows, columns = np.arange(99) // 2, np.arange(101) // 3
    for storage in RANGES:
        yield integers(rng, (40, 50, 50, 1), storage), rows, columns
        yield integers(rng, (2, 50, 50, 40), storage), rows, columns
