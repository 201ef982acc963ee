"""Float convolutions and linear layers compared with an installed PyTorch 2.13: the same bits."""

import numpy as np
import pytest

import refquant


def normal(rng, *shape):
    """Draw numbers, one in ten a zero of either sign."""
    x = rng.normal(size=shape)
    return np.where(rng.random(shape) < 0.1, np.copysign(0.0, x), x).astype(np.float32)


@pytest.mark.usefixtures("library_of_records")
@pytest.mark.torch
def test_linear_layers_have_the_same_bits(torch):
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows, outputs = int(rng.integers(2, 70)), int(rng.integers(4, 80))
        depth = int(rng.integers(1, rng.choice([20, 100, 500, 1500])))
        x, w = normal(rng, rows, depth), normal(rng, outputs, depth)
        b = normal(rng, outputs) if rng.integers(2) else None
        wanted, found = (
            library.nn.functional.linear(
                *(None if v is None else library.from_numpy(v.copy()) for v in (x, w, b))
            ).numpy()
            for library in (torch, refquant)
        )
        assert found.tobytes() == wanted.tobytes(), (x.shape, w.shape, b is not None)


def drawn_convolution(rng):
    """Draw shapes and options as networks have them."""
    kind = rng.choice(["plain", "depthwise", "pointwise", "groups"])
    channels = int(rng.choice([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]))
    outputs, groups, k = (
        int(rng.choice([4, 6, 8, 10, 16, 24, 32, 64])),
        1,
        int(rng.choice([2, 3, 4, 5, 7])),
    )
    if kind == "depthwise":
        channels = outputs = groups = max(channels, 2)
    elif kind == "pointwise":
        k = 1
    elif kind == "groups":
        groups = int(rng.choice([2, 4]))
        channels, outputs = (groups * int(n) for n in rng.choice([4, 8, 16], size=2))
    size = rng.integers(k, 33, size=2)
    shape = (int(rng.integers(1, 34)), channels, *map(int, size))
    options = {
        "stride": int(rng.choice([1, 1, 2])),
        "padding": int(rng.choice([0, k // 2])),
        "groups": groups,
    }
    return shape, (outputs, channels // groups, k, k), options


@pytest.mark.usefixtures("library_of_records")
@pytest.mark.torch
def test_convolutions_have_the_same_bits(torch):
    rng = np.random.default_rng(0)
    for _ in range(150):
        shape, weight_shape, options = drawn_convolution(rng)
        if np.prod(shape) * np.prod(weight_shape) / shape[1] > 1e8:
            continue
        # Below borders alone a bias of -0 keeps its sign in PyTorch, so there is none.
        bias = rng.normal(size=weight_shape[0]).astype(np.float32)
        arrays = normal(rng, *shape), normal(rng, *weight_shape), bias
        last = bool(rng.integers(3) == 0)
        results = []
        for library in (torch, refquant):
            x, w, b = (library.from_numpy(v.copy()) for v in arrays)
            if last:
                x = x.contiguous(memory_format=library.channels_last)
            results.append(library.nn.functional.conv2d(x, w, b, **options).numpy())
        wanted, found = results
        assert found.tobytes() == wanted.tobytes(), (shape, weight_shape, options, last)
