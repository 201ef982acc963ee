"""Arguments for the twins of the family `histograms`."""

import numpy as np
from cases.operands import SIZES, SPECIAL, floats
from parity.draws import draws, draws_large
from parity.draws_observation import plain


@draws("histogram")
def histogram(rng):
    for size in (*SIZES, 511, 512, 513, 3000):
        for bins in (1, 2, 100, 256, 2048):
            x = plain(rng, size)
            ends = (float(x.min()), float(x.max())) if size else (-1.0, 1.0)
            yield x, bins, *ends, bool(size % 2)
            yield x, bins, *ends, not size % 2
            yield floats(rng, size), bins, -2.0, 2.0, bool(size % 2)
            yield (
                np.full(size, 0.7, np.float32),
                bins,
                float(np.float32(0.7)),
                float(np.float32(0.7)),
                bool(size % 2),
            )
    largest = float(np.finfo(np.float32).max)
    for first in (False, True):
        yield rng.choice(SPECIAL, size=99), 64, -largest, largest, first
        for one in (1e10, -1e10, 2.0**25, -largest, largest, 1e-45, 0.0):
            yield (
                np.full(5, one, np.float32),
                64,
                float(np.float32(one)),
                float(np.float32(one)),
                first,
            )
    # On edges of bins, where the order of the operations decides.
    edges = np.linspace(-1, 3, 101, dtype=np.float32)
    for bins in (100, 77, 128):
        yield np.concatenate([edges, np.nextafter(edges, np.float32(9))]), bins, -1.0, 3.0, False
        yield np.concatenate([edges, np.nextafter(edges, np.float32(9))]), bins, -1.0, 3.0, True


@draws_large("histogram")
def histogram_large(rng):
    yield plain(rng, 1_000_003), 2048, -12.5, 13.25, True
    yield np.abs(plain(rng, 1_000_003)) * (rng.random(1_000_003) < 0.1), 333, 0.0, 9.0, False


def counts_of(rng, bins):
    """Draw counts as they come from adding up, fractions and empty bins among them."""
    counts = rng.integers(0, 1000, size=bins).astype(np.float32)
    counts *= rng.random(bins) < 0.7
    if rng.random() < 0.5:
        counts = counts + rng.random(bins).astype(np.float32)
    return np.ascontiguousarray(counts, np.float32)


@draws("combine_histograms")
def combine_histograms(rng):
    for bins in (1, 2, 8, 100, 2048):
        for upsample_rate in (1, 3, 128):
            for widening in (1.0, 1.3, 2.5, 40.0):
                downsample_rate = int(np.ceil(upsample_rate * widening))
                room = bins * (downsample_rate - upsample_rate)
                for start in {0, room // 3, room, room + 2}:
                    counts, added = counts_of(rng, bins), counts_of(rng, bins)
                    yield counts, added, upsample_rate, downsample_rate, start
    huge = np.full(64, 3e7, np.float32)  # sums that float32 cannot hold
    yield huge, huge, 128, 200, 77


@draws("spread_histogram")
def spread_histogram(rng):
    for bins in (1, 2, 8, 100, 2048):
        for upsample_rate in (1, 3, 16):
            for below, above in ((0.0, 0.5), (0.25, 0.0), (3.0, 1.7), (40.0, 0.1)):
                lower, upper = np.sort(rng.normal(size=2).astype(np.float32))
                width = upper - lower
                new = np.float32(lower - below * width), np.float32(upper + above * width)
                counts, added = counts_of(rng, bins), counts_of(rng, bins)
                yield counts, added, *map(float, (lower, upper, *new)), upsample_rate


@draws("cascade_sum")
def cascade_sum(rng):
    for size in (*SIZES, 2048, 4100, 70_000, 1_050_001):
        yield (finite_sum(rng, size),)
    yield (floats(rng, 77),)


def finite_sum(rng, size):
    return (rng.normal(size=size) * 10.0 ** rng.uniform(-3, 3, size=size)).astype(np.float32)


@draws("search_range")
@draws("search_range_in_float32")
def search_range(rng):
    for bins in (1, 2, 16, 100, 256):
        for levels in (256, 16, 4):
            spread = float(rng.uniform(0.1, 10))
            x = np.concatenate([plain(rng, 500, spread), [np.float32(20 * spread)]])
            found = np.histogram(x, bins)[0].astype(np.float32)
            yield found, float(x.min()), float(x.max()), levels
            yield counts_of(rng, bins), -1.5, 0.25, levels
    yield np.zeros(16, np.float32), -1.0, 1.0, 256
    yield np.array([0, 5, 0], np.float32), 0.5, 0.5, 256
    yield np.full(16, 2.0, np.float32), 0.0, 1e-44, 256
    # So many levels that quotients do not fit in float32.
    yield counts_of(rng, 100), -1.5, 0.25, 2**32
