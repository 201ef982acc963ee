"""Arguments for the twins of the family `folding`."""

import numpy as np
from parity.draws import draws
from strategies import SIZES, floats


@draws("fold_batch_norm")
def fold_batch_norm(rng):
    for channels in (0, 1, 2, 7, 16, 33):
        for size in (*SIZES[:10], 147):
            weight = (rng.normal(size=(channels, size)) * 0.3).astype(np.float32)
            bias, mean, gamma, beta = rng.normal(size=(4, channels)).astype(np.float32)
            variance = np.abs(rng.normal(size=channels)).astype(np.float32)
            for eps in (1e-5, 1e-3, 0.0):
                yield weight, bias, mean, variance, eps, gamma, beta
    weight, (bias, mean, variance, gamma, beta) = floats(rng, (33, 17)), floats(rng, (5, 33))
    yield weight, bias, mean, variance, 1e-5, gamma, beta
