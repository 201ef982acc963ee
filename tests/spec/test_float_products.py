"""Orders in which float products are added, found in PyTorch 2.13 by operands that show them.

Where all terms are 1 but two, which are large and of opposite signs, the sum is the number of ones
that are added after the two have met: all terms but those of the smallest partial sum that has
both. Expected sizes of partial sums are PyTorch's.
"""

import numpy as np
import pytest

import refquant
from refquant.nn import functional

LARGE = 2.0**60


def linear_partial_sum(rows, depth, outputs, pair, bias=False):
    """Return how many terms the smallest partial sum has that holds both of `pair`."""
    x = np.ones((rows, depth), np.float32)
    x[:, pair[0]], x[:, pair[1]] = LARGE, -LARGE
    b = refquant.zeros(outputs) if bias else None
    y = functional.linear(refquant.from_numpy(x), refquant.ones(outputs, depth), b)
    assert np.ptp(y.numpy()) == 0
    return depth - int(y[0, 0])


def convolution_partial_sum(shape, weight_shape, pair, channels_last=False, **options):
    """Do the same for the middle of an image; a term is a channel, a line and a column."""
    x, w = refquant.ones(*shape), np.ones(weight_shape, np.float32)
    if channels_last:
        x = x.contiguous(memory_format=refquant.channels_last)
    w[(slice(None), *pair[0])], w[(slice(None), *pair[1])] = LARGE, -LARGE
    y = functional.conv2d(x, refquant.from_numpy(w), **options).numpy()
    return w[0].size - int(y[0, 0, y.shape[2] // 2, y.shape[3] // 2])


@pytest.mark.parametrize(
    ("rows", "depth", "pair", "expected"),
    [
        (16, 384, (0, 1), 2),  # one after the other
        (16, 384, (0, 383), 384),
        (32, 401, (0, 200), 201),  # two halves
        (32, 401, (201, 400), 200),
        (32, 401, (0, 201), 401),
        (32, 784, (0, 383), 384),  # a block and two halves
        (32, 784, (383, 384), 584),
        (32, 784, (583, 584), 784),
        (64, 2048, (0, 384), 768),
        (4, 95, (0, 16), 17),  # long enough for lanes at 24 terms for each row
        (4, 144, (0, 16), 2),
        (4, 144, (0, 4), 18),
        (4, 144, (0, 8), 27),
        (4, 144, (0, 12), 36),
        (4, 144, (0, 1), 72),
        (4, 144, (0, 2), 144),
    ],
)
@pytest.mark.parametrize("bias", [False, True])
def test_terms_of_a_linear_layer(rows, depth, pair, expected, bias):
    assert linear_partial_sum(rows, depth, 5, pair, bias) == expected


@pytest.mark.parametrize(
    ("shape", "weight_shape", "options", "pair", "expected"),
    [
        # Tap by tap, and in a tap channel by channel.
        ((2, 8, 8, 8), (4, 8, 3, 3), {}, ((0, 0, 0), (1, 0, 0)), 2),
        ((2, 8, 8, 8), (4, 8, 3, 3), {}, ((0, 0, 0), (0, 0, 1)), 9),
        # Blocks of 16 channels.
        ((2, 32, 8, 8), (32, 32, 3, 3), {"padding": 1}, ((0, 0, 0), (0, 0, 1)), 17),
        ((2, 32, 8, 8), (32, 32, 3, 3), {"padding": 1}, ((0, 0, 0), (15, 2, 2)), 144),
        ((2, 32, 8, 8), (32, 32, 3, 3), {"padding": 1}, ((0, 0, 0), (16, 0, 0)), 288),
        # Groups: blocks of 8 where those of 16 do not fit, else channel by channel.
        ((2, 32, 9, 9), (16, 16, 3, 3), {"padding": 1, "groups": 2}, ((0, 0, 0), (0, 0, 1)), 9),
        ((2, 8, 9, 9), (8, 2, 3, 3), {"padding": 1, "groups": 4}, ((0, 0, 0), (1, 0, 0)), 10),
        # A small image alone: channel by channel.
        ((1, 3, 10, 10), (8, 3, 3, 3), {"padding": 1}, ((0, 0, 0), (0, 0, 1)), 2),
        ((1, 3, 10, 10), (8, 3, 3, 3), {"padding": 1}, ((0, 0, 0), (1, 0, 0)), 10),
        # Single taps: halves of what is long, one chain with a stride.
        ((2, 512, 12, 12), (64, 512, 1, 1), {}, ((0, 0, 0), (255, 0, 0)), 256),
        ((2, 512, 12, 12), (64, 512, 1, 1), {}, ((256, 0, 0), (511, 0, 0)), 256),
        ((2, 512, 12, 12), (64, 512, 1, 1), {"stride": 2}, ((255, 0, 0), (256, 0, 0)), 257),
    ],
)
def test_terms_of_a_convolution(shape, weight_shape, options, pair, expected):
    assert convolution_partial_sum(shape, weight_shape, pair, **options) == expected


def test_channels_last_has_no_blocks():
    pair = (0, 0, 0), (16, 0, 0)
    found = convolution_partial_sum((2, 32, 8, 8), (8, 32, 3, 3), pair, channels_last=True)
    assert found == 17


@pytest.mark.parametrize(("other", "expected"), [((0, 1, 0), 5), ((0, 0, 1), 16), ((3, 1, 0), 8)])
def test_channels_last_with_wide_borders_adds_column_by_column(other, expected):
    shapes = (2, 4, 9, 9), (16, 4, 2, 2)
    found = convolution_partial_sum(*shapes, ((0, 0, 0), other), True, padding=1)
    assert found == expected


@pytest.mark.parametrize(
    ("shape", "weight_shape", "groups", "expected"),
    [
        ((2, 2, 4, 4), (4, 2, 3, 3), 1, 2.0**24),  # the bias is added to the sum
        ((2, 4, 4, 4), (4, 1, 3, 3), 4, 2.0**24),  # the sum begins with the bias
    ],
)
def test_when_the_bias_is_added(shape, weight_shape, groups, expected):
    x, w = refquant.ones(*shape), refquant.ones(*weight_shape)
    bias = refquant.full((weight_shape[0],), 2.0**24)
    y = functional.conv2d(x, w, bias, groups=groups)
    terms = weight_shape[1] * 9
    # Ones vanish beside 2**24 one by one, but not their sum.
    assert y[0, 0, 0, 0].item() == (expected if groups == 4 else expected + terms)


@pytest.mark.parametrize("channels", [1, 4, 20])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (4, 2)])
def test_gradients_of_weights_stand_where_their_weights_stand(channels, kernel):
    """Integers are added exactly in any order, so both memory formats have the same gradient."""
    rng = np.random.default_rng(0)
    image = rng.integers(-4, 5, (2, channels, 9, 9)).astype(np.float32)
    weight = rng.integers(-4, 5, (4, channels, *kernel)).astype(np.float32)
    found = []
    for memory_format in (refquant.contiguous_format, refquant.channels_last):
        x = refquant.from_numpy(image).contiguous(memory_format=memory_format)
        w = refquant.from_numpy(weight.copy()).requires_grad_()
        y = functional.conv2d(x, w, padding=tuple(k // 2 for k in kernel))
        (y * y).sum().backward()
        found.append((y.detach().numpy(), w.grad.numpy()))
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)
