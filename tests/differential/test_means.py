"""Means compared with an installed PyTorch 2.13: float32 sums in the same order, any layout."""

import numpy as np
import pytest

import refquant
from refquant.engines.rules import float_sums

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning"),
]


@pytest.fixture(autouse=True)
def _fbgemm(torch):
    torch.backends.quantized.engine = "fbgemm"
    refquant.engines.use("fbgemm")


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


def test_float_sums_have_the_same_bits(torch):
    rng = np.random.default_rng(0)
    for _ in range(400):
        shape, axes = drawn(rng, 20_000)
        x = laid_out(rng, rng.normal(size=shape).astype(np.float32))
        wanted = torch.from_numpy(x).sum(axes).numpy()
        assert np.array_equal(float_sums.sum_in_cascades(x, axes), wanted), (shape, axes)


@pytest.mark.parametrize("dtype", ["quint8", "qint8", "qint32"])
def test_means_have_the_same_integers(torch, dtype):
    rng = np.random.default_rng(1)
    storage = getattr(refquant, dtype).numpy
    for _ in range(300):
        shape, axes = drawn(rng, 5_000)
        q = laid_out(rng, rng.integers(0, 128, size=shape).astype(storage))
        scale, zero_point = float(np.exp(rng.uniform(-6, 2))), int(rng.integers(0, 100))
        theirs = torch._make_per_tensor_quantized_tensor(torch.from_numpy(q), scale, zero_point)
        ours = refquant._make_per_tensor_quantized_tensor(refquant.from_numpy(q), scale, zero_point)
        keepdim = bool(rng.integers(2))
        wanted = theirs.mean(axes, keepdim).int_repr().numpy()
        assert np.array_equal(ours.mean(axes, keepdim).int_repr().numpy(), wanted), (shape, axes)


@pytest.mark.parametrize("count", [2, 8, 40])
def test_means_over_a_leading_dimension(torch, count):
    q = np.random.default_rng(0).integers(0, 256, size=(count, 512)).astype(np.uint8)
    theirs = torch._make_per_tensor_quantized_tensor(torch.from_numpy(q), 0.02, 3)
    ours = refquant._make_per_tensor_quantized_tensor(refquant.from_numpy(q), 0.02, 3)
    assert np.array_equal(ours.mean(0).int_repr().numpy(), theirs.mean(0).int_repr().numpy())


@pytest.mark.parametrize("dims", [(2, 3), [2, 3], (3, 2), (-2, -1), (2, -1), [-1, -2]])
def test_qnnpack_averages_images_if_the_dimensions_are_written_2_and_3(torch, dims):
    torch.backends.quantized.engine = "qnnpack"
    refquant.engines.use("qnnpack")
    rng = np.random.default_rng(2)
    for _ in range(50):
        shape = tuple(int(n) for n in rng.integers(1, 6, size=4))
        q = rng.integers(0, 256, size=shape).astype(np.uint8)
        theirs = torch._make_per_tensor_quantized_tensor(torch.from_numpy(q), 0.03, 3)
        ours = refquant._make_per_tensor_quantized_tensor(refquant.from_numpy(q), 0.03, 3)
        wanted = theirs.mean(dims).int_repr().numpy()
        assert np.array_equal(ours.mean(dims).int_repr().numpy(), wanted), shape
