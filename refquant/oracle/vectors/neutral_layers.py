"""Cases of further layers on neutral operands: other dimensions, transposed, int16, sums."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.vectors.neutral_operands import (
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

__all__ = ["LAYERS"]

FAR = 2**33 + 12345  # a bias that 32 bits do not hold
TINY = 2.0**-20
SIZES = {1: (9,), 2: (5, 6), 3: (3, 4, 5)}


def _convolution(dims: int) -> Draw:
    def make(rng, ties, z_x, z_y, channels, stride, pads):
        x = Codes(near(rng, z_x, 2, *SIZES[dims], channels), scale(rng, ties), z_x)
        w, b = filters(rng, (7, *(3,) * dims, channels), ties)
        out = Output(small(rng, ties, x, float(np.median(w.scale))), z_y)
        return {
            "x": x, "weight": w, "bias": b, "output": out, "stride": stride, "padding": pads,
            "dilation": 1, "groups": 1, "layout": "NHWC", "weight_layout": "OHWI",
        }  # fmt: skip

    def cases(rng):
        for name, ties, z_x, z_y in sets(rng):
            yield name, make(rng, ties, z_x, z_y, 3, 1, 1)
        for channels in ODD_SIZES:
            pads = tuple(same_border(n, 3, 2) for n in SIZES[dims])
            yield f"channels-{channels}", make(rng, channels % 2 == 0, 13, -5, channels, 2, pads)

    return cases


def _transposed(rng):
    for name, ties, z_x, z_y in sets(rng):
        for kernel, border in ((3, ((0, 1), (0, 1))), (2, 0)):
            x = Codes(near(rng, z_x, 2, 5, 6, 4), scale(rng, ties), z_x)
            w, b = filters(rng, (9, kernel, kernel, 4), ties)
            out = Output(small(rng, ties, x, float(np.median(w.scale))), z_y)
            place = {"stride": 2, "padding": border, "output_padding": 0, "layout": "NHWC"}
            operands = {"x": x, "weight": w, "bias": b, "output": out, **place}
            yield f"k{kernel}-{name}", {**operands, "weight_layout": "OHWI"}


def _unscaled(rng, zero: int, shape: Any, dtype: Any) -> Codes:
    info = np.iinfo(dtype)
    return Codes(rng.integers(info.min, info.max + 1, shape).astype(dtype), 1.0, zero)


def _integers(matrices: bool) -> Draw:
    """Draw products whose sums are the result, of both dtypes of eight bits."""

    def cases(rng):
        for dtype, zeros in ((np.int8, (-128, -5, 127)), (np.uint8, (0, 131, 255))):
            for zero in zeros:
                name = f"{np.dtype(dtype)}-z{zero}".replace("z-", "zm")
                for size in (1, 7, 16, 33):
                    if matrices:
                        a = _unscaled(rng, zero, (5, size), dtype)
                        yield f"depth-{size}-{name}", {"a": a, "b": Codes(int8(rng, size, 9), 1.0)}
                        continue
                    x, w = _unscaled(rng, zero, (2, 5, 6, size), dtype), int8(rng, 4, 3, 3, size)
                    place: dict[str, Any] = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
                    place |= {"layout": "NHWC", "weight_layout": "OHWI"}
                    yield f"channels-{size}-{name}", {"x": x, "weight": Codes(w, 1.0), **place}

    return cases


def _int16(rng, ties: bool, *shape: int) -> np.ndarray:
    reach = 9 if ties else 32767
    x = rng.integers(-reach, reach + 1, shape)
    ends = rng.choice([-32768, 32767], shape)
    return np.where(rng.random(shape) < 0.02, ends, x).astype(np.int16)


def _wide(make: Callable[[Any, bool, int], dict[str, Any]], narrow: bool) -> Draw:
    """Make cases of activations of 16 bits, with a bias of 64 bits or of 32; zero points are 0."""

    def cases(rng):
        for ties in (True, False):
            word = "ties" if ties else "decimal"
            for size in ODD_SIZES:
                operands = make(rng, ties, size)
                x, w, outputs = operands["x"], operands["weight"], len(operands["bias"])
                middle = float(np.median(w.scale))
                to = 2 * x.scale * middle if ties else x.scale * middle * rng.uniform(20, 200)
                given = {**operands, "output": Output(to, 0, "int16")}
                if narrow and size % 4 == 1:
                    yield f"{word}-{size}-bias-32", given
                    continue
                bias = operands["bias"].astype(np.int64)
                if w.axis is not None and outputs > 1:
                    bias[0] = FAR
                    scales = np.array(w.scale)
                    scales[0] *= TINY
                    w = Codes(w.array, scales, axis=w.axis)
                yield f"{word}-{size}", {**given, "weight": w, "bias": bias}

    return cases


def _wide_linear(rng, ties, size):
    x = Codes(_int16(rng, ties, 9, size), scale(rng, ties))
    w = Codes(int8(rng, 11, size, low=-4), scale(rng, ties))
    return {"x": x, "weight": w, "bias": rng.integers(-40, 40, 11).astype(np.int32)}


def _wide_convolution(deep: bool) -> Callable[[Any, bool, int], dict[str, Any]]:
    def make(rng, ties, size):
        x = Codes(_int16(rng, ties, 2, 5, 6, size), scale(rng, ties))
        shape = (1, 3, 3, size) if deep else (7, 3, 3, size)
        w, b = filters(rng, shape, ties, 3 if deep else 0)
        return {
            "x": x, "weight": w, "bias": b, "stride": 1, "padding": 1, "dilation": 1,
            "groups": size if deep else 1, "layout": "NHWC",
            "weight_layout": "1HWO" if deep else "OHWI",
        }  # fmt: skip

    return make


LAYERS: dict[str, tuple[str, Draw]] = {
    "conv1d": ("conv1d", _convolution(1)),
    "conv3d": ("conv3d", _convolution(3)),
    "conv_transpose2d": ("conv_transpose2d", _transposed),
    "conv_integer": ("conv_integer", _integers(False)),
    "matmul_integer": ("matmul_integer", _integers(True)),
    "linear_int16": ("linear", _wide(_wide_linear, True)),
    "conv2d_int16": ("conv2d", _wide(_wide_convolution(False), True)),
    "depthwise_conv2d_int16": ("conv2d", _wide(_wide_convolution(True), False)),
}
