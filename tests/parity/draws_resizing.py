"""Arguments for the twins of the family `resizing`."""

import numpy as np
from cases.operands import RANGES, integers, zero_points
from parity.draws import draws, draws_large
from parity.draws_pooling import LARGE, images

from refquant.engines import Split
from refquant.engines.rules import interpolate as rules
from refquant.reference.operands import Neighbors, Output

RULES = (rules.MIX_ROUNDED, rules.MIX_FUSED, rules.MIX_FUSED_FIRST)


@draws("resize_nearest")
def resize_nearest(rng):
    for _, image in images(rng):
        rows, columns = (
            rng.integers(0, extent, size=int(rng.integers(1, 20))).astype(np.int64)
            for extent in image.shape[1:3]
        )
        yield image, rows, columns


def neighbors(rng, size, most=20):
    """Draw pairs of neighbors and their shares: thirds, halves, none and random ones."""
    count = int(rng.integers(1, most))
    first = rng.integers(0, size, size=count).astype(np.int64)
    second = np.minimum(first + 1, size - 1)
    share = rng.choice(np.array([0, 0.5, 0.25, 1 / 3, 2 / 3], np.float32), size=count)
    share = np.where(rng.random(count) < 0.5, share, rng.random(count).astype(np.float32))
    shares = np.stack([np.float32(1) - share, share], axis=1).astype(np.float32)
    return Neighbors(np.stack([first, second], axis=1), shares)


@draws("resize_bilinear")
def resize_bilinear(rng):
    for storage, image in images(rng):
        low, high = RANGES[storage]
        for rule in RULES:
            for other in RULES:
                inner = image.shape[3]
                vectors = int(rng.choice([0, inner - inner % 8, inner]))
                output = Output(1.0, int(rng.choice(zero_points(storage))), low, high)
                rows, columns = (neighbors(rng, extent) for extent in image.shape[1:3])
                yield image, rows, columns, output, vectors, Split(rule, other)


@draws_large("resize_nearest")
def resize_nearest_large(rng):
    rows, columns = np.arange(150) // 2, np.arange(150) // 3
    for storage in RANGES:
        for shape in LARGE:
            yield integers(rng, shape, storage), rows, columns


@draws_large("resize_bilinear")
def resize_bilinear_large(rng):
    mix = Split(rules.MIX_FUSED, rules.MIX_FUSED_FIRST)
    for storage, limits in RANGES.items():
        for shape in LARGE:
            rows, columns = (neighbors(rng, extent, 300) for extent in shape[1:3])
            image, output = integers(rng, shape, storage), Output(1.0, 3, *limits)
            yield image, rows, columns, output, shape[3] - shape[3] % 8, mix
