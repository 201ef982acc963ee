"""Arguments for the twins of the family `observation`."""

import numpy as np
from cases.operands import SIZES, SPECIAL, floats
from parity.draws import draws, draws_large

from refquant.engines.rules import dynamic_qparams as rules

NAN = np.float32(np.nan)
SIGNED_ZEROS = np.array([0.0, -0.0], np.float32)


def plain(rng, size, spread=3.0):
    """Draw finite numbers: most of them ordinary, some on a grid, some zeros of either sign."""
    x = (rng.normal(size=size) * spread).astype(np.float32)
    x = np.where(rng.random(size) < 0.2, np.rint(x * 4) / np.float32(4), x)
    x = np.where(rng.random(size) < 0.1, rng.choice(SIGNED_ZEROS, size=size), x)
    return np.ascontiguousarray(x, np.float32)


def finite(rng, size):
    x = floats(rng, size)
    return np.where(np.isfinite(x), x, np.float32(1))


@draws("min_max")
def min_max(rng):
    for size in SIZES:
        yield (plain(rng, size),)
        yield (floats(rng, size),)
        yield (np.abs(plain(rng, size)),)
        yield (rng.choice(SIGNED_ZEROS, size=size),)
        if size:
            for negative in (False, True):
                x = plain(rng, size)
                x[rng.integers(size)] = -NAN if negative else NAN
                yield (x,)


@draws_large("min_max")
def min_max_large(rng):
    yield (plain(rng, 1_000_003),)
    x = plain(rng, 1_000_003)
    x[777_777] = np.nan
    yield (x,)


SHAPES = (
    (0, 3, 4),
    (2, 0, 4),
    (2, 3, 0),
    (1, 1, 1),
    (1, 5, 17),
    (3, 4, 1),
    (40, 33, 1),
    (2, 7, 33),
    (3, 2, 2),
)


@draws("min_max_per_channel")
def min_max_per_channel(rng):
    for shape in SHAPES:
        yield (plain(rng, shape),)
        yield (floats(rng, shape),)


@draws_large("min_max_per_channel")
def min_max_per_channel_large(rng):
    yield (plain(rng, (5, 13, 15013)),)
    yield (plain(rng, (15013, 67, 1)),)


@draws("moving_average")
def moving_average(rng):
    for size in SIZES:
        for constant in (0.01, 0.0, 1.0, 1 / 3, float(rng.random())):
            yield finite(rng, size), finite(rng, size), constant
            yield floats(rng, size), floats(rng, size), constant


@draws("observer_qparams")
def observer_qparams(rng):
    for size in SIZES:
        for low, high in ((0, 255), (0, 127), (-128, 127), (-64, 63), (-8, 7), (0, 15), (-1, 1)):
            for symmetric in (False, True):
                a, b = plain(rng, size, 1e-3), plain(rng, size, 5.0)
                yield np.minimum(a, b), np.maximum(a, b), low, high, symmetric
                yield floats(rng, size), floats(rng, size), low, high, symmetric


@draws("dynamic_qparams")
def dynamic_qparams(rng):
    ends = [*SPECIAL, *plain(rng, 30), *plain(rng, 30, 1e-4), *plain(rng, 20, 1e-38)]
    for rule in (rules.RANGE_IN_FLOAT32, rules.RANGE_IN_FLOAT64):
        for _ in range(2000):
            pair = [float(v) for v in rng.choice(ends, size=2)]
            low, high = ((0, 255), (0, 127), (-128, 127), (-8, 7))[rng.integers(4)]
            yield *sorted(pair), low, high, rule


@draws("range_of_least_loss")
def range_of_least_loss(rng):
    for size in (1, 2, 3, 8, 33, 64):
        for levels in (1.0, 3.0, 15.0, 255.0):
            for bins in (1, 5, 20, 200):
                cut = 1.0 - float(np.float32(rng.choice([0.0, 0.16, 0.5, 1.0])))
                spread = float(10.0 ** rng.integers(-9, 6))
                yield plain(rng, size, spread), bins, cut, levels
                yield np.full(size, spread, np.float32), bins, cut, levels
