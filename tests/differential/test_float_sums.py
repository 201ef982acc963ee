"""Float32 sums compared with an installed PyTorch 2.13: the same order, any layout."""

import numpy as np
import pytest

from refquant.engines.rules import float_sums


def drawn(rng, most):
    """Draw extents and the dimensions to sum over."""
    while True:
        extents = (1, 2, 2, 3, 4, 5, 8, 9, 17, 33, 70, 300)
        shape = tuple(int(n) for n in rng.choice(extents, size=int(rng.integers(1, 6))))
        if np.prod(shape) <= most:
            count = int(rng.integers(1, len(shape) + 1))
            return shape, tuple(sorted(int(d) for d in rng.permutation(len(shape))[:count]))


def laid_out(rng, x):
    kind = rng.integers(3)
    if kind == 0 and x.ndim == 4:
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x.T).T if kind == 1 else x


@pytest.mark.torch
def test_float_sums_have_the_same_bits(torch):
    rng = np.random.default_rng(0)
    for _ in range(400):
        shape, axes = drawn(rng, 20_000)
        x = laid_out(rng, rng.normal(size=shape).astype(np.float32))
        wanted = torch.from_numpy(x).sum(axes).numpy()
        assert np.array_equal(float_sums.sum_in_cascades(x, axes), wanted), (shape, axes)
