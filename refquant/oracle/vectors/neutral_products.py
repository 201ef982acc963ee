"""Cases of products of neutral operands: layers, and products of two matrices."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.vectors.neutral_operands import (
    ACTIVATIONS,
    ODD_SIZES,
    Draw,
    filters,
    int8,
    near,
    same_border,
    scale,
    sets,
    small,
)  # fmt: skip

__all__ = ["PRODUCTS"]

# In float32 s_x * s_w / s_y is one half, but the exact quotient of the scales is less or more: by
# division and by a product with 1 / s_y; in the third by division alone, in the fourth not by it.
NEAR_TIES = ((0.05, 0.53, 0.053), (0.05, 0.65, 0.065), (0.05, 0.56, 0.056), (0.05, 0.62, 0.062))


def _linear(rng) -> Iterator[tuple[str, dict[str, Any]]]:
    def make(ties, z_x, z_y, rows=15, depth=33, outputs=11, activation="none", bias=True):
        x = Codes(near(rng, z_x, rows, depth), scale(rng, ties), z_x)
        w = Codes(int8(rng, outputs, depth, low=-4), scale(rng, ties))
        b = rng.integers(-40, 40, outputs).astype(np.int32) if bias else None
        out = Output(small(rng, ties, x, w.scale), z_y, activation=activation)
        return {"x": x, "weight": w, "bias": b, "output": out}

    def whole():
        x = Codes(int8(rng, 15, 64), 0.02, -5)
        w = Codes(int8(rng, 11, 64, low=-127), 0.01)
        b = rng.integers(-9999, 9999, 11).astype(np.int32)
        return {"x": x, "weight": w, "bias": b, "output": Output(0.25, 3)}

    for name, ties, z_x, z_y in sets(rng):
        yield name, make(ties, z_x, z_y)
    for size in ODD_SIZES:
        yield f"depth-{size}", make(size % 2 == 0, 13, -5, rows=3, depth=size)
        yield f"outputs-{size}", make(size % 2 == 0, -5, 13, rows=3, outputs=size)
    for activation in ACTIVATIONS[1:]:
        yield activation, make(False, 13, -100, activation=activation)
    yield "no-bias", make(True, 13, -5, bias=False)
    yield "whole-range", whole()
    for number, (s_x, s_w, s_y) in enumerate(NEAR_TIES):
        x, w = Codes(near(rng, 7, 15, 33), s_x, 7), Codes(int8(rng, 11, 33, low=-4), s_w)
        yield f"near-ties-{number}", {"x": x, "weight": w, "bias": None, "output": Output(s_y, -5)}


def _convolution(deep: bool) -> Draw:
    def make(rng, ties, z_x, z_y, channels=5, outputs=9, stride=1, same=True, activation="none"):
        size, outputs = (6, 7), channels if deep else outputs
        x = Codes(near(rng, z_x, 2, *size, channels), scale(rng, ties), z_x)
        shape = (1, 3, 3, channels) if deep else (outputs, 3, 3, channels)
        w, b = filters(rng, shape, ties, 3 if deep else 0)
        to = small(rng, ties, x, float(np.median(w.scale)))
        out = Output(to, z_y, activation=activation)
        pads = tuple(same_border(n, 3, stride) for n in size) if same else 0
        place = {"stride": stride, "padding": pads, "dilation": 1}
        place |= {"groups": channels if deep else 1, "layout": "NHWC"}
        place["weight_layout"] = "1HWO" if deep else "OHWI"
        return {"x": x, "weight": w, "bias": b, "output": out, **place}

    def cases(rng):
        for name, ties, z_x, z_y in sets(rng):
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


def _matmul(rng):
    for name, ties, z_x, z_y in sets(rng):
        a = Codes(near(rng, z_x, 15, 33), scale(rng, ties), z_x)
        b = Codes(int8(rng, 33, 11, low=-4), scale(rng, ties))
        yield name, {"a": a, "b": b, "output": Output(small(rng, ties, a, b.scale), z_y)}


def _unsigned(draw: Draw) -> Draw:
    """Make the same cases of uint8, with zero points that are 128 more; weights stay int8."""

    def cases(rng):
        for name, operands in draw(rng):
            x, out = operands["x"], operands["output"]
            codes = (x.array.astype(np.int16) + 128).astype(np.uint8)
            to = Output(out.scale, out.zero_point + 128, "uint8", out.activation)
            own = {"x": Codes(codes, x.scale, x.zero_point + 128), "output": to}
            yield name, {**operands, **own}

    return cases


PRODUCTS: dict[str, tuple[str, Draw]] = {
    "linear": ("linear", _linear),
    "linear_uint8": ("linear", _unsigned(_linear)),
    "conv2d": ("conv2d", _convolution(False)),
    "conv2d_uint8": ("conv2d", _unsigned(_convolution(False))),
    "depthwise_conv2d": ("conv2d", _convolution(True)),
    "matmul": ("matmul", _matmul),
}
