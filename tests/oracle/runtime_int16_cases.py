"""Cases of products of int16 activations and int8 weights, with a bias of 64 bits or of 32.

Their kinds are those of `oracle.runtime_cases`. There are no zero points: files hold none.
"""

import numpy as np
from oracle.runtime_code_cases import scale_of

# Just below a power of two: rounding it up to 15 bits would give 16.
ALMOST_ONE = np.float32(1 - 2.0**-17)
TAPS = 9


def _int16(rng, reach, *shape):
    x = rng.integers(-reach, reach + 1, shape)
    ends = rng.choice([-32768, 32767], shape)
    return np.where(rng.random(shape) < 0.02, ends, x).astype(np.int16)


def _finish(rng, kind, number, x, shape, outputs, depth, per_channel):
    """Draw weights, scales and bias, whose width alternates."""
    s_x = scale_of(rng, kind)
    # Depthwise kernels take no bias of 32 bits.
    wide = depth == TAPS or number // 4 % 2 == 0
    count = outputs if per_channel else 1
    reach = 127 if kind == "random" else 3
    w = rng.integers(-reach, reach + 1, shape).astype(np.int8)
    if kind == "random":
        s_w = rng.uniform(0.001, 0.02, count).astype(np.float32)
        s_y = np.float32(s_x * s_w.mean() * np.sqrt(depth) * 70)
        b = rng.integers(-(2**20), 2**20, outputs)
    else:
        one = scale_of(rng, kind)
        s_w = np.float32(one * rng.choice([1, 1, 3], count))
        b = rng.integers(-20, 20, outputs)
        factor = 2
        if number % 4 == 2:  # every sum is an odd number of halves, and is shifted twice
            factor = 16
            x = (x.astype(np.int64) * 4 // factor * factor).clip(-32768, 32752).astype(np.int16)
            b = factor * b + factor // 2
        s_y = np.float32(factor * s_x * one)
        if number % 8 == 1:  # near a power of two from below
            s_y = np.float32(s_y / ALMOST_ONE)
    if wide and per_channel and outputs > 1:  # a bias that 32 bits do not hold
        b[0] = int(rng.choice([-1, 1])) * (2**33 + 12345)
        s_w[0] = np.float32(s_w[0] * 2.0**-20)
    return {
        "x": x, "w": w, "b": b.astype(np.int64 if wide else np.int32), "s_x": s_x,
        "s_w": s_w if per_channel else s_w[0], "s_y": s_y, "z_x": 0, "z_y": 0,
    }  # fmt: skip


def _reach(kind):
    return 32767 if kind == "random" else 9


def _linear(rng, kind, number):
    depth, outputs = int(rng.integers(10, 40)), int(rng.integers(9, 35))
    x = _int16(rng, _reach(kind), 61, depth)
    return _finish(rng, kind, number, x, (outputs, depth), outputs, depth, False)


def _conv(rng, kind, number, same):
    channels, outputs, height = (int(n) for n in rng.integers([2, 2, 5], [9, 20, 9]))
    x = _int16(rng, _reach(kind), 9, height, 7, channels)
    shape = (outputs, 3, 3, channels)
    made = _finish(rng, kind, number, x, shape, outputs, TAPS * channels, True)
    return {**made, "pads": (same(height), same(7))}


def _depthwise(rng, kind, number, channels):
    x = _int16(rng, _reach(kind), 2, 6, 7, channels)
    return _finish(rng, kind, number, x, (1, 3, 3, channels), channels, TAPS, True)


def draw(operation, rng, kind, number, same, channels):
    """Draw the operands of an operation."""
    if operation == "linear_int16":
        return _linear(rng, kind, number)
    if operation == "conv_int16":
        return _conv(rng, kind, number, same)
    return _depthwise(rng, kind, number, channels[number])
