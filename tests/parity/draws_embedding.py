"""Arguments for the twins of the family `embedding`."""

import numpy as np
from cases.operands import SIZES, floats
from parity.draws import draws, draws_large

WIDTHS = (0, 4, 8, 12, 60, 252, 256, 260)


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


@draws("embedding_unpack")
def embedding_unpack(rng):
    for bits in (8, 4, 2):
        for width in WIDTHS:
            yield table(rng, 3, width, bits), bits


@draws("embedding_bag")
def embedding_bag(rng):
    for bits in (8, 4, 2):
        for width in WIDTHS:
            for count in (0, 1, 7):
                indices = rng.integers(-1, 3, count)
                bounds = np.sort(rng.integers(0, count + 1, 4))
                for weights in (None, floats(rng, count)):
                    yield table(rng, 3, width, bits), indices, bounds, weights, bits


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
