"""Arguments for the twins of the family `fake_quantization`."""

import numpy as np
from cases.operands import SIZES, floats, ties
from parity.draws import draws, draws_large

# The last three are wider than float32 can count.
LIMITS = (
    (0, 255),
    (-128, 127),
    (0, 127),
    (0, 15),
    (-1, 1),
    (3, 3),
    (-1000, 1000),
    (-(2**22), 2**22),
    (-(2**22) - 1, 2**22),
    (0, 2**24 + 3),
    (-(2**31), 2**31 - 1),
)
RULES = ("add_then_round", "round_then_add")
SHAPES = ((0, 3, 4), (2, 0, 4), (2, 3, 0), (1, 1, 1), (3, 4, 1), (5, 2, 17), (2, 7, 33), (33, 3, 1))


def quantizers(rng, low, high):
    for zero_point in (low, high, int(rng.integers(low, high, endpoint=True))):
        yield float(rng.choice([0.1, 0.5, 1 / 3, 2.0**-20, 1e-3 + rng.random()])), zero_point


def numbers(rng, size, scale, zero_point):
    return floats(rng, size, scale, zero_point, "int8" if zero_point < 0 else "uint8")


@draws("fake_quantize_per_tensor")
def fake_quantize_per_tensor(rng):
    for low, high in LIMITS:
        for scale, zero_point in quantizers(rng, low, high):
            for size in SIZES:
                x = numbers(rng, size, scale, zero_point)
                for rule in RULES:
                    yield x, scale, zero_point, low, high, rule


@draws("fake_quantize_per_tensor_backward")
def fake_quantize_per_tensor_backward(rng):
    for arguments in fake_quantize_per_tensor(rng):
        yield floats(rng, arguments[0].size), *arguments


@draws_large("fake_quantize_per_tensor")
def fake_quantize_per_tensor_large(rng):
    for zero_point in (0, 127, 128):
        yield ties(rng, 1_000_003, 0.1, zero_point), 0.1, zero_point, 0, 255, RULES[zero_point % 2]
    yield floats(rng, 1_000_003, 0.1, 3), 0.1, 3, -(2**31), 2**31 - 1, RULES[1]


@draws_large("fake_quantize_per_tensor_backward")
def fake_quantize_per_tensor_backward_large(rng):
    for arguments in fake_quantize_per_tensor_large(rng):
        yield floats(rng, 1_000_003), *arguments


@draws("fake_quantize_per_channel")
def fake_quantize_per_channel(rng):
    for low, high in LIMITS:
        for shape in SHAPES:
            pairs = [next(quantizers(rng, low, high)) for _ in range(shape[1])]
            scales = np.array([s for s, _ in pairs], np.float32)
            zero_points = np.array([z for _, z in pairs], np.int64)
            x = np.empty(shape, np.float32)
            for c, (scale, zero_point) in enumerate(pairs):
                x[:, c] = numbers(rng, (shape[0], shape[2]), scale, zero_point)
            for rule in RULES:
                yield x, scales, zero_points, low, high, rule


@draws("fake_quantize_per_channel_backward")
def fake_quantize_per_channel_backward(rng):
    for arguments in fake_quantize_per_channel(rng):
        yield floats(rng, arguments[0].shape), *arguments


@draws_large("fake_quantize_per_channel")
def fake_quantize_per_channel_large(rng):
    scales = (rng.random(11) + 0.01).astype(np.float32)
    zero_points = rng.integers(0, 256, size=11)
    yield ties(rng, (7, 11, 13001), 0.1, 0), scales, zero_points, 0, 255, RULES[1]


@draws_large("fake_quantize_per_channel_backward")
def fake_quantize_per_channel_backward_large(rng):
    for arguments in fake_quantize_per_channel_large(rng):
        yield floats(rng, arguments[0].shape), *arguments
