"""Arguments for the twins of the family `normal`."""

import numpy as np
from parity.draws import draws, draws_large

MOMENTS = ((0.0, 1.0), (0.1234, 0.7), (-3.5, 1e-3), (1e30, 1e38), (0.0, np.inf), (np.nan, 1.0))


def uniforms(rng, count):
    """Draw multiples of 2**-24 below 1, as the generator makes them."""
    return (rng.integers(0, 2**24, (count, 16)) * 2.0**-24).astype(np.float32)


@draws("normal_blocks")
def normal_blocks(rng):
    for count in (0, 1, 2, 3, 31, 32, 33, 64, 65):
        for mean, std in MOMENTS:
            yield uniforms(rng, count), mean, std
    # Ends of the range, and angles at the borders of octants.
    ends = np.array([0, 1, 2, 2**22, 2**23 - 1, 2**23, 2**23 + 1, 2**24 - 1], np.float32)
    octants = np.arange(8, dtype=np.float32) * 2**21
    for shift in (-1, 0, 1):
        angles = np.clip(octants + shift, 0, 2**24 - 1).astype(np.float32)
        yield np.concatenate([ends, angles])[None] * np.float32(2.0**-24), 0.0, 1.0


@draws_large("normal_blocks")
def large_normal_blocks(rng):
    yield uniforms(rng, 2**16), 0.0, 1.0
    yield uniforms(rng, 2**16), 0.5, 3.0
