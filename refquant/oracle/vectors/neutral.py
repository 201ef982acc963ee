"""Cases of neutral operands, as runtimes of int8 models take them.

Activations are int8, biases int32 in steps of the sums, scales float32; images have their channels
last. A third of the cases have powers of two as scales, so that many results are ties.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.vectors.case import Case

__all__ = ["NEUTRAL", "neutral_cases"]

ZEROS = (0, -128, 127, 13)
ACTIVATIONS = ("none", "relu", "relu6", "relu_n1_to_1")
ALL = np.arange(-128, 128).astype(np.int8)
# Sizes around those of vectors.
ODD_SIZES = (1, 7, 8, 9, 15, 16, 17, 31, 33)

# In float32 s_x * s_w / s_y is one half, but the exact quotient of the scales is less or more: by
# division and by a product with 1 / s_y; in the third by division alone, in the fourth not by it.
NEAR_TIES = ((0.05, 0.53, 0.053), (0.05, 0.65, 0.065), (0.05, 0.56, 0.056), (0.05, 0.62, 0.062))


def _int8(rng, *shape, low=-128) -> np.ndarray:
    return rng.integers(low, -low, shape).astype(np.int8)


def _scale(rng, ties: bool) -> float:
    return float(2.0 ** -rng.integers(2, 6) if ties else np.float32(rng.uniform(0.01, 0.1)))


def _sets(rng) -> Iterator[tuple[str, bool, int, int]]:
    """Name sets of quantizers: whether they make ties, and two zero points."""
    for number, zero in enumerate(ZEROS):
        for ties in (True, False):
            word = "ties" if ties else "decimal"
            yield f"{word}-z{zero}".replace("z-", "zm"), ties, zero, ZEROS[-1 - number]


def _near(rng, zero: int, *shape) -> np.ndarray:
    """Draw integers near a zero point, so that sums are small."""
    low, high = max(zero - 9, -128), min(zero + 9, 127)
    return rng.integers(low, high + 1, shape).astype(np.int8)


def _small(rng, ties: bool, x: Codes, w_scale: float) -> float:
    """Choose a scale under which small sums differ by how they are rounded."""
    multiplier = 2.0 ** -rng.integers(1, 4) if ties else rng.uniform(0.1, 0.6)
    return float(np.float32(x.scale * w_scale / multiplier))


def _filters(rng, shape, ties: bool, axis: int) -> tuple[Codes, np.ndarray]:
    scales = [2.0 ** -rng.integers(4, 6) if ties else _scale(rng, ties) for _ in range(shape[axis])]
    w = Codes(_int8(rng, *shape, low=-4), scales, axis=axis)
    return w, rng.integers(-40, 40, shape[axis]).astype(np.int32)


def _linear(rng) -> Iterator[tuple[str, dict[str, Any]]]:
    def make(ties, z_x, z_y, rows=15, depth=33, outputs=11, activation="none", bias=True):
        x = Codes(_near(rng, z_x, rows, depth), _scale(rng, ties), z_x)
        w = Codes(_int8(rng, outputs, depth, low=-4), _scale(rng, ties))
        b = rng.integers(-40, 40, outputs).astype(np.int32) if bias else None
        out = Output(_small(rng, ties, x, w.scale), z_y, activation=activation)
        return {"x": x, "weight": w, "bias": b, "output": out}

    def whole():
        x = Codes(_int8(rng, 15, 64), 0.02, -5)
        w = Codes(_int8(rng, 11, 64, low=-127), 0.01)
        b = rng.integers(-9999, 9999, 11).astype(np.int32)
        return {"x": x, "weight": w, "bias": b, "output": Output(0.25, 3)}

    for name, ties, z_x, z_y in _sets(rng):
        yield name, make(ties, z_x, z_y)
    for size in ODD_SIZES:
        yield f"depth-{size}", make(size % 2 == 0, 13, -5, rows=3, depth=size)
        yield f"outputs-{size}", make(size % 2 == 0, -5, 13, rows=3, outputs=size)
    for activation in ACTIVATIONS[1:]:
        yield activation, make(False, 13, -100, activation=activation)
    yield "no-bias", make(True, 13, -5, bias=False)
    yield "whole-range", whole()
    for number, (s_x, s_w, s_y) in enumerate(NEAR_TIES):
        x, w = Codes(_near(rng, 7, 15, 33), s_x, 7), Codes(_int8(rng, 11, 33, low=-4), s_w)
        yield f"near-ties-{number}", {"x": x, "weight": w, "bias": None, "output": Output(s_y, -5)}


def _convolution(deep: bool) -> Callable[[Any], Iterator[tuple[str, dict[str, Any]]]]:
    def make(rng, ties, z_x, z_y, channels=5, outputs=9, stride=1, same=True, activation="none"):
        size, outputs = (6, 7), channels if deep else outputs
        x = Codes(_near(rng, z_x, 2, *size, channels), _scale(rng, ties), z_x)
        shape = (1, 3, 3, channels) if deep else (outputs, 3, 3, channels)
        w, b = _filters(rng, shape, ties, 3 if deep else 0)
        to = _small(rng, ties, x, float(np.median(w.scale)))
        out = Output(to, z_y, activation=activation)
        pads = tuple(_same(n, 3, stride) for n in size) if same else 0
        place = {"stride": stride, "padding": pads, "dilation": 1}
        place |= {"groups": channels if deep else 1, "layout": "NHWC"}
        place["weight_layout"] = "1HWO" if deep else "OHWI"
        return {"x": x, "weight": w, "bias": b, "output": out, **place}

    def cases(rng):
        for name, ties, z_x, z_y in _sets(rng):
            yield name, make(rng, ties, z_x, z_y)
        for size in ODD_SIZES:
            yield f"channels-{size}", make(rng, size % 2 == 0, 13, -5, channels=size)
        for stride in (1, 2):
            for same in (True, False):
                word = "same" if same else "valid"
                yield f"stride-{stride}-{word}", make(rng, True, 13, -5, stride=stride, same=same)
        for activation in ACTIVATIONS[1:]:
            yield activation, make(rng, False, 13, -100, activation=activation)

    return cases


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the border under which an output is as large as the image, over the stride."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _matmul(rng):
    for name, ties, z_x, z_y in _sets(rng):
        a = Codes(_near(rng, z_x, 15, 33), _scale(rng, ties), z_x)
        b = Codes(_int8(rng, 33, 11, low=-4), _scale(rng, ties))
        yield name, {"a": a, "b": b, "output": Output(_small(rng, ties, a, b.scale), z_y)}


def _pair(product: bool):
    def cases(rng):
        left, right = (codes.reshape(-1) for codes in np.meshgrid(ALL, ALL, indexing="ij"))
        for name, ties, z_a, z_b in _sets(rng):
            s_a, s_b = _scale(rng, ties), _scale(rng, ties)
            s_y = s_a * s_b * 64 if product else 2 * max(s_a, s_b)
            a, b = Codes(left, s_a, z_a), Codes(right, s_b, z_b)
            yield f"all-pairs-{name}", {"a": a, "b": b, "output": Output(s_y, -z_a // 2)}
        for size in ODD_SIZES:
            a, b = (Codes(_int8(rng, size), s, z) for s, z in ((0.25, 3), (0.5, -7)))
            yield f"size-{size}", {"a": a, "b": b, "output": Output(1.0, 9)}
        for activation in ACTIVATIONS[1:]:
            a, b = (Codes(_int8(rng, 301), s, z) for s, z in ((0.03, 3), (0.07, -7)))
            out = Output(0.05, -100, activation=activation)
            yield activation, {"a": a, "b": b, "output": out}

    return cases


def _codes(*fixed, **more):
    """Make cases of all codes; of results that have one quantizer, this one."""

    def cases(rng):
        for name, ties, z_x, z_y in _sets(rng):
            x = Codes(ALL, _scale(rng, ties), z_x)
            out = Output(*fixed) if fixed else Output(_scale(rng, ties), z_y)
            yield f"all-codes-{name}", {"x": x, **more, "output": out}
        for size in ODD_SIZES:
            out = Output(*fixed) if fixed else Output(_scale(rng, False), 9)
            x = Codes(_int8(rng, size), _scale(rng, False), -7)
            yield f"size-{size}", {"x": x, **more, "output": out}

    return cases


def _softmax(rng):
    for size in (*ODD_SIZES, 100):
        x = Codes(_int8(rng, 21, size), _scale(rng, size % 2 == 0), 5)
        yield f"rows-of-{size}", {"x": x, "output": Output(1 / 256, -128)}


def _quantize(rng):
    for name, ties, zero, _ in _sets(rng):
        scale = _scale(rng, ties)
        steps = rng.integers(-400, 400, 301) / 2 if ties else rng.normal(size=301) * 60
        yield name, {"x": (steps * scale).astype(np.float32), "output": Output(scale, zero)}


def _pieces(rng):
    for name, ties, z_a, z_b in _sets(rng):
        a, b = (Codes(_int8(rng, 3, 5, n), _scale(rng, ties), z) for n, z in ((7, z_a), (9, z_b)))
        yield name, {"x": [a, b], "axis": 2, "output": Output(_scale(rng, ties), 5)}
        yield f"{name}-alike", {"x": [a, a.like(b.array)], "axis": 2, "output": None}


def _images(rng, ties, zero, *shape):
    """Draw images; small numbers have averages that are ties more often."""
    q = _int8(rng, *shape, low=-8 if ties else -128)
    return Codes(q, _scale(rng, ties), zero)


def _pool(rng):
    for name, ties, z_x, _ in _sets(rng):
        for kernel in (2, 3):
            x = _images(rng, ties, z_x, 2, 9, 8, 7)
            pads = tuple(_same(n, kernel, 2) for n in (9, 8))
            place = {"kernel": (kernel, kernel), "stride": (2, 2), "padding": pads}
            yield f"k{kernel}-{name}", {"x": x, **place, "output": None, "layout": "NHWC"}


def _global_pool(rng):
    for name, ties, z_x, z_y in _sets(rng):
        x, out = _images(rng, ties, z_x, 3, 4, 5, 17), Output(_scale(rng, ties), z_y)
        yield name, {"x": x, "output": out, "layout": "NHWC"}


def _mean(rng):
    for name, ties, z_x, z_y in _sets(rng):
        for axes in ((1, 2), (3,)):
            x, out = _images(rng, ties, z_x, 3, 4, 5, 17), Output(_scale(rng, ties), z_y)
            word = "-".join(map(str, axes))
            yield f"axes-{word}-{name}", {"x": x, "axes": axes, "output": out, "keepdims": True}


def _resize(rng):
    for name, ties, z_x, _ in _sets(rng):
        for size, corners, half in (
            ((9, 11), False, False), ((3, 13), False, True), ((7, 5), True, False),
        ):  # fmt: skip
            x = _images(rng, ties, z_x, 1, 5, 6, 3)
            place = {"size": size, "align_corners": corners, "half_pixel_centers": half}
            word = "corners" if corners else "half" if half else "plain"
            yield f"{word}-{name}", {"x": x, **place, "layout": "NHWC"}


# For each operation the operation of the oracle, and what yields names and operands.
NEUTRAL: dict[str, tuple[str, Callable[[Any], Iterator[tuple[str, dict[str, Any]]]]]] = {
    "linear": ("linear", _linear),
    "conv2d": ("conv2d", _convolution(False)),
    "depthwise_conv2d": ("conv2d", _convolution(True)),
    "matmul": ("matmul", _matmul),
    "add": ("add", _pair(False)),
    "sub": ("sub", _pair(False)),
    "mul": ("mul", _pair(True)),
    "quantize": ("quantize", _quantize),
    "requantize": ("requantize", _codes()),
    "sigmoid": ("sigmoid", _codes(1 / 256, -128)),
    "tanh": ("tanh", _codes(1 / 128, 0)),
    "elu": ("elu", _codes()),
    "hardswish": ("hardswish", _codes()),
    "leaky_relu": ("leaky_relu", _codes(negative_slope=float(np.float32(0.1)))),
    "softmax": ("softmax", _softmax),
    "cat": ("cat", _pieces),
    "avg_pool2d": ("avg_pool2d", _pool),
    "max_pool2d": ("max_pool2d", _pool),
    "global_avg_pool2d": ("global_avg_pool2d", _global_pool),
    "mean": ("mean", _mean),
    "resize_bilinear": ("resize_bilinear", _resize),
}


def neutral_cases(operation: str, seed: int) -> Iterator[Case]:
    """Make the cases of an operation on neutral operands."""
    name, make = NEUTRAL[operation]
    for case, operands in make(np.random.default_rng(seed)):
        yield Case(case, name, operands)
