"""Arguments for the twins of the family `float_products`."""

import numpy as np
from parity.draws import draws, draws_large

SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-42, -1e-45)


def numbers(rng, shape):
    """Draw numbers of many magnitudes, some of them special."""
    x = rng.normal(size=shape) * np.exp(rng.uniform(-3, 3, size=shape))
    special = rng.random(shape) < 0.002
    return np.where(special, rng.choice(SPECIAL, size=shape), x).astype(np.float32)


def operands(rng, batch, groups, rows, depth, columns):
    """Draw both factors and what sums are added to."""
    return (
        numbers(rng, (groups, rows, depth)),
        numbers(rng, (batch, groups, depth, columns)),
        numbers(rng, (batch, groups, rows, columns)),
    )


@draws("chained_products")
def chained_products(rng):
    for columns in (1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130):
        for rows in (1, 3, 4, 5, 8):
            yield *operands(rng, 2, 2, rows, 9, columns), np.array([9]), bool(rng.integers(2))
    for depth, ends in ((1, [1]), (40, [16, 32, 40]), (40, [1, 40])):
        for from_start in (False, True):
            yield *operands(rng, 1, 3, 6, depth, 20), np.array(ends), from_start
    for shape in ((0, 1, 2, 3, 4), (1, 1, 0, 3, 4), (1, 1, 2, 3, 0)):
        yield *operands(rng, *shape), np.array([3]), False
    # What rounds twice without a fused product.
    ones = np.full((1, 4, 3), 1 + 2.0**-12, np.float32)
    columns = np.full((1, 1, 3, 16), 1 + 2.0**-12, np.float32)
    yield ones, columns, np.full((1, 1, 4, 16), -1, np.float32), np.array([3]), True


@draws_large("chained_products")
def large_chained_products(rng):
    yield *operands(rng, 4, 2, 8, 48, 600), np.array([32, 48]), False


@draws("products_in_lanes")
def products_in_lanes(rng):
    for depth in (0, 1, 15, 16, 17, 31, 32, 33, 144, 200):
        for rows, columns in ((1, 1), (2, 5), (7, 16), (15, 33)):
            yield numbers(rng, (rows, depth)), numbers(rng, (columns, depth))
    yield numbers(rng, (0, 20)), numbers(rng, (3, 20))


@draws_large("products_in_lanes")
def large_products_in_lanes(rng):
    yield numbers(rng, (8, 400)), numbers(rng, (300, 400))
