"""Scale and zero point chosen in dynamic operations, compared with an installed PyTorch 2.13."""

import numpy as np
import pytest

from refquant import kernels
from refquant.engines.rules import dynamic_qparams


def ends(rng, kind):
    """Draw a range: of any size, on a grid, symmetric, tiny."""
    if kind == 0:
        return rng.normal(size=2) * 10.0 ** rng.uniform(-8, 8)
    if kind == 1:
        return rng.integers(-600, 600, size=2) * 2.0 ** -rng.integers(0, 20)
    if kind == 2:
        return np.array([-1, 1]) * rng.random()
    return rng.normal(size=2) * 10.0 ** rng.uniform(-42, -3)


@pytest.mark.torch
@pytest.mark.parametrize("reduce_range", [False, True])
def test_scale_and_zero_point(torch, reduce_range):
    rng = np.random.default_rng(5)
    for case in range(2000):
        pair = np.sort(ends(rng, case % 4).astype(np.float32))
        scale, zero_point = torch._choose_qparams_per_tensor(torch.from_numpy(pair), reduce_range)
        found = kernels.dynamic_qparams(
            *map(float, pair), 0, 127 if reduce_range else 255, dynamic_qparams.RANGE_IN_FLOAT64
        )
        assert found == (float(scale), int(zero_point)), pair
