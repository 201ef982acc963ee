"""Arguments for the twins of the family `ranges`."""

import numpy as np
from parity.draws import draws
from parity.draws_histograms import counts_of
from parity.draws_observation import plain


@draws("best_range")
def best_range(rng):
    for bins in (1, 2, 16, 60):
        for levels, middle in ((256, -1), (256, 128), (16, -1), (15, 7), (2, -1)):
            spread = float(rng.uniform(0.1, 10))
            x = np.concatenate([plain(rng, 500, spread), [np.float32(20 * spread)]])
            found = np.histogram(x, bins)[0].astype(np.float32)
            yield found, float(x.min()), float(x.max()), levels, middle
            for lower, upper in ((-1.5, 0.25), (0.5, 3.0), (-3.0, -0.5), (0.0, 1.0)):
                yield counts_of(rng, bins), lower, upper, levels, middle
    yield np.zeros(16, np.float32), -1.0, 1.0, 256, -1
    yield np.array([0, 5, 0], np.float32), 0.5, 0.5, 256, -1
    yield np.full(16, 2.0, np.float32), 0.0, 1e-44, 256, -1


@draws("least_divergence")
def least_divergence(rng):
    for bins in (1, 2, 15, 64, 129):
        for levels in (2, 3, 7, 16, 128):
            x = np.concatenate([plain(rng, 500, 2.0), plain(rng, 5, 20.0)])
            reach = float(np.abs(x).max())
            found = np.histogram(x, bins, (-reach, reach))[0].astype(np.float32)
            yield found.copy(), -reach, reach, levels
            found[: bins // 2] = 0  # as behind a ReLU
            yield found.copy(), -1.0, 1.0, levels
            yield counts_of(rng, bins), -3.0, 3.0, levels
    yield np.zeros(16, np.float32), -1.0, 1.0, 4
    yield np.array([0, 5, 0], np.float32), 0.0, 0.0, 2
    yield (100 * rng.random(200)).astype(np.float32), -1.0, 1.0, 16


@draws("best_power_of_two")
def best_power_of_two(rng):
    for bins in (1, 2, 16, 60):
        for levels, middle in ((256, -1), (256, 128), (128, 63), (16, -1), (15, 7), (2, -1)):
            spread = float(rng.uniform(0.1, 10))
            x = np.concatenate([plain(rng, 500, spread), [np.float32(20 * spread)]])
            found = np.histogram(x, bins)[0].astype(np.float32)
            yield found, float(x.min()), float(x.max()), levels, middle, -23
            for lower, upper in ((-1.5, 0.25), (0.5, 3.0), (-3.0, -0.5), (0.0, 1.0), (-1e-9, 1e-9)):
                yield counts_of(rng, bins), lower, upper, levels, middle, -23
            yield counts_of(rng, bins), -1e38, 2e38, levels, middle, -23
            yield counts_of(rng, bins), -1.0, 3.0, levels, middle, -2
    yield np.zeros(16, np.float32), -1.0, 1.0, 256, -1, -23
    yield np.array([0, 5, 0], np.float32), 0.75, 0.75, 256, -1, -23
    yield np.array([0, 5, 0], np.float32), -0.7, -0.7, 16, 8, -23
    yield np.full(16, 2.0, np.float32), 0.0, 1e-44, 256, -1, -23
