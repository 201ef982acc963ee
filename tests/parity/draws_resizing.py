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
    # One channel: rows whose lines come in turn, again, and in any order.
    rounding = Split(rules.MIX_ROUNDED, rules.MIX_ROUNDED)
    for storage, limits in RANGES.items():
        image, output = integers(rng, (3, 40, 37, 1), storage), Output(1.0, 3, *limits)
        columns = neighbors(rng, 37, 90)
        indices, shares = neighbors(rng, 40, 75)
        for order in (np.sort(indices, axis=0), np.sort(indices, axis=0)[::-1].copy(), indices):
            yield image, Neighbors(order, shares), columns, output, 1, rounding


@draws("sample_bilinear")
def sample_bilinear(rng):
    for shape in ((1, 1, 1, 1), (2, 3, 4, 5), (1, 8, 7, 3), (0, 2, 3, 3), (2, 0, 3, 3)):
        for count in (0, 1, 7, 33):
            image = integers(rng, shape, "uint8")
            places = [rng.integers(-12, 40, size=(shape[0], count)) / 8 for _ in range(2)]
            if rng.random() < 0.5:
                places = [p + rng.normal(size=p.shape) for p in places]
            x, y = (p.astype(np.float32) for p in places)
            if count and rng.random() < 0.3:
                x[:, 0] = rng.choice(np.float32([np.nan, np.inf, -1e30, 1e10, 3e7, 2.0**63]))
            yield image, x, y, int(rng.choice(zero_points("uint8")))


@draws_large("sample_bilinear")
def sample_bilinear_large(rng):
    x, y = (rng.uniform(-2, 60, size=(20, 3000)).astype(np.float32) for _ in range(2))
    yield integers(rng, (20, 3, 57, 58), "uint8"), x, y, 3
