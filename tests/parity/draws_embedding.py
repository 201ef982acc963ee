"""Arguments for the twins of the family `embedding`."""

import numpy as np
from cases.operands import SIZES, floats
from parity.draws import draws, draws_large

WIDTHS = (0, 4, 8, 12, 60, 252, 256, 260)
# Around the integers and rows that are packed at once.
WIDE, ROWS = (64, 68, 2052, 4092, 4096, 4100), (1, 63, 64, 65, 130)


def halves():
    """List every float16, the midpoints between them, and float32 beside these."""
    with np.errstate(all="ignore"):
        held = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
        held = held[~np.isnan(held)]
        middle = ((held[1:].astype(np.float64) + held[:-1]) / 2).astype(np.float32)
        found = np.concatenate([held, middle])
        return np.concatenate([found, np.nextafter(found, np.float32(1))])


@draws("pack_bits")
def pack_bits(rng):
    for bits in (8, 4, 2):
        for size in SIZES:
            yield rng.integers(0, 2**bits, size).astype(np.uint8), bits


@draws("unpack_bits")
def unpack_bits(rng):
    for bits in (8, 4, 2):
        for size in SIZES:
            yield rng.integers(0, 256, -(-size * bits // 8)).astype(np.uint8), bits, size


@draws("embedding_pack")
def embedding_pack(rng):
    for bits in (8, 4, 2):
        for width in WIDTHS:
            q = rng.integers(0, 2**bits, (5, width)).astype(np.uint8)
            yield q, floats(rng, 5), floats(rng, 5), bits
        numbers = halves()
        yield np.zeros((numbers.size, 0), np.uint8), numbers, -numbers, bits


def table(rng, rows, width, bits):
    with np.errstate(all="ignore"):
        scale = (rng.normal(size=(rows, 2)) * 0.1).astype(np.float32 if bits == 8 else np.float16)
    q = rng.integers(0, 256, (rows, width * bits // 8)).astype(np.uint8)
    return np.concatenate([q, scale.view(np.uint8)], axis=1)


@draws("embedding_prepack")
def embedding_prepack(rng):
    for bits in (8, 4, 2):
        for width in WIDTHS:
            for scale in (0.1, 1.0, 1e-30, 1e30):
                ends = np.sort(floats(rng, (2, 3), scale), axis=0)
                yield floats(rng, (3, width), scale), ends[0], ends[1], bits
        for width in WIDE:
            for rows in ROWS:
                x, ends = floats(rng, (rows, width)), np.sort(floats(rng, (2, rows)), axis=0)
                yield x, ends[0], ends[1], bits


def rows_with_special_ends(rng, rows, width):
    """Draw a table whose smallest and largest numbers are zeros of both signs, infinities, NaN."""
    x = floats(rng, (rows, width))
    for row in x:
        special = rng.permutation(np.array([0.0, -0.0, np.nan, np.inf, -np.inf], np.float32))
        places = rng.integers(0, width, 2)
        row[:] = np.where(rng.random() < 0.5, np.abs(row), -np.abs(row))
        row[places] = special[:2]
    return x


@draws("row_ends")
def row_ends(rng):
    for width in (1, *WIDTHS[1:]):
        yield (floats(rng, (5, width)),)
        yield (rows_with_special_ends(rng, 40, width),)
        yield (np.where(rng.random((5, width)) < 0.5, np.float32(0), -np.float32(0)),)
    yield (floats(rng, (0, 4)),)


@draws("embedding_prepack_rows")
def embedding_prepack_rows(rng):
    for bits in (8, 4, 2):
        for width in WIDTHS[1:]:
            for scale in (0.1, 1.0, 1e-30, 1e30):
                yield floats(rng, (3, width), scale, special=False), bits
        for width in WIDE:
            for rows in ROWS:
                yield floats(rng, (rows, width), special=False), bits


@draws("embedding_unpack")
def embedding_unpack(rng):
    for bits in (8, 4, 2):
        for width in (*WIDTHS, *WIDE):
            for rows in (3, *ROWS):
                yield table(rng, rows, width, bits), bits


@draws("all_below")
def all_below(rng):
    ends = np.iinfo(np.int64)
    for size in (0, 1, 7, 100):
        for lower, upper in ((0, 5), (-1, 5), (0, 6), (ends.min, ends.max)):
            for count in (0, 5, 6, int(ends.max)):
                yield rng.integers(lower, upper, size), count


@draws("bounds_of_bags")
def bounds_of_bags(rng):
    for size in (1, 2, 50):
        for count in (0, 9, 10):
            offsets = rng.integers(0, 10, size)
            for array in (offsets, np.sort(offsets), np.sort(offsets) - 1):
                for include_last in (True, False):
                    yield array, count, include_last
    yield np.zeros(0, np.int64), 3, False


@draws("embedding_bag")
def embedding_bag(rng):
    for bits in (8, 4, 2):
        for width in WIDTHS:
            for count in (0, 1, 7):
                indices = rng.integers(-1, 3, count)
                bounds = np.sort(rng.integers(0, count + 1, 4))
                for weights in (None, floats(rng, count)):
                    yield table(rng, 3, width, bits), indices, bounds, weights, bits
        for width in (16, 64, 68, 128, 132):  # around the rows and columns that are taken at once
            for count in (1, 63, 64, 65, 130):
                indices, cut = rng.integers(-1, 5, count), rng.integers(0, count + 1)
                for weights in (None, floats(rng, count)):
                    bounds = np.array([cut // 2, cut, cut, count])
                    yield table(rng, 5, width, bits), indices, bounds, weights, bits


@draws_large("embedding_bag")
def embedding_bag_large(rng):
    for bits in (8, 4, 2):
        indices, bounds = rng.integers(0, 999, 20_000), np.append(np.arange(0, 20_000, 7), 20_000)
        yield table(rng, 999, 64, bits), indices, bounds, None, bits


@draws_large("embedding_prepack")
def embedding_prepack_large(rng):
    for bits in (8, 4, 2):
        x = floats(rng, (7001, 36), special=False)
        yield x, x.min(axis=1), x.max(axis=1), bits
