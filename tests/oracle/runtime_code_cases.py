"""Cases of functions, requantization, pooling and resizing for runtimes of int8 models.

A third of the cases have powers of two as scales, so that many results are ties.
"""

import numpy as np

from refquant import oracle
from refquant.oracle import Codes, Output

ZEROS = (-128, -5, 0, 13, 127)
RUN = 901  # elements: no multiple of any vector


def int8(rng, low, *shape):
    return rng.integers(low, 128, shape).astype(np.int8)


def _scale(rng, ties):
    return np.float32(2.0 ** -rng.integers(2, 6) if ties else rng.uniform(0.01, 0.1))


def _unary(rng, ties, number):
    return {"x": int8(rng, -128, RUN), "s_x": _scale(rng, ties), "s_y": _scale(rng, ties)}


def _bounded(scale, zero_point):
    """Draw for a function whose results have a quantizer of their own."""

    def draw(rng, ties, number):
        fixed = {"s_y": np.float32(scale), "z_y": zero_point}
        return {"x": int8(rng, -128, RUN), "s_x": _scale(rng, ties), **fixed}

    return draw


def _softmax(rng, ties, number):
    x = int8(rng, -128, 43, int(rng.integers(20, 40)))
    return {"x": x, "s_x": _scale(rng, ties), "s_y": np.float32(1 / 256), "z_y": -128}


def _leaky_relu(rng, ties, number):
    return {**_unary(rng, ties, number), "slope": np.float32(rng.choice([0.1, 0.25, 0.3]))}


def _quantize(rng, ties, number):
    s_y = _scale(rng, ties)
    steps = rng.integers(-400, 400, RUN) / 2 if ties else rng.normal(size=RUN) * 60
    return {"x": (steps * s_y).astype(np.float32), "s_y": s_y}


def _dequantize(rng, ties, number):
    return {"x": int8(rng, -128, RUN), "s_x": _scale(rng, ties)}


def _images(rng, ties, *shape):
    """Draw images; small numbers have averages that are ties more often."""
    return int8(rng, -128, *shape) // np.int8(16) if ties else int8(rng, -128, *shape)


def _pool(rng, ties, number):
    x = _images(rng, ties, 4, int(rng.integers(11, 14)), 13, int(rng.integers(6, 10)))
    kernel = (2, 2) if ties else (3, 2)
    pads = tuple(same(n, k) for n, k in zip(x.shape[1:3], kernel, strict=True))
    return {"x": x, "s_x": _scale(rng, ties), "kernel": kernel, "stride": (2, 2), "pads": pads}


def _mean(rng, ties, number):
    image = number % 2 == 0
    x = _images(rng, ties, *((16, 4, 5, 60) if image else (8, 10, 12, 1 + number)))
    axes = (1, 2) if image else (3,)
    keepdims = number % 4 < 3
    return {
        "x": x, "s_x": _scale(rng, ties), "s_y": _scale(rng, ties), "axes": axes,
        "keepdims": keepdims,
    }  # fmt: skip


def _concatenate(rng, ties, number):
    a, b = (int8(rng, -128, 3, 10, count) for count in rng.integers(12, 25, 2))
    return {"a": a, "b": b, "s_x": _scale(rng, ties)}


def _global(rng, ties, number):
    x = _images(rng, ties, 16, 4, 5, 60)
    return {"x": x, "s_x": _scale(rng, ties), "s_y": _scale(rng, ties)}


def _requantized(rng, ties, number):
    """Draw pieces whose quantizers differ from each other and from that of the result."""
    zeros = {f"z_{n}": int(rng.choice(ZEROS)) for n in "ab"}
    scales = {f"s_{n}": _scale(rng, ties) for n in "aby"}
    return {**_concatenate(rng, ties, number), **zeros, **scales}


def _conv_u8(rng, ties, number):
    channels, outputs, height = (int(n) for n in rng.integers([1, 1, 5], [9, 20, 9]))
    x = rng.integers(0, 256, (12, height, 7, channels)).astype(np.uint8)
    w = int8(rng, -127, outputs, 3, 3, channels)
    s_x = np.float32(0.5 if ties else rng.uniform(0.01, 0.1))
    s_w = np.float32(2.0 ** -rng.integers(4, 8) if ties else rng.uniform(0.001, 0.02))
    s_y = np.float32(1 if ties else rng.uniform(0.2, 0.5) * np.sqrt(channels) * s_x * s_w * 5000)
    zeros = {"z_x": int(rng.integers(0, 256)), "z_y": int(rng.choice([0, 100, 128, 255]))}
    b = rng.integers(-2000, 2000, outputs).astype(np.int32)
    return {
        "x": x, "w": w // np.int8(32) if ties else w, "b": b, "s_x": s_x, "s_w": s_w, "s_y": s_y,
        **zeros,
    }  # fmt: skip


def _resize(rng, ties, number):
    height, width = (int(n) for n in rng.integers(8, 15, 2))
    align, half = ((False, False), (False, True), (True, False))[number // 3 % 3]
    return {
        "x": _images(rng, ties, 2, 5, 6, 7), "s_x": _scale(rng, ties), "size": (height, width),
        "align_corners": align, "half_pixel": half,
    }  # fmt: skip


def _subtract(rng, ties, number):
    s_a, s_b = np.float32([0.25, 0.5] if ties else rng.uniform(0.01, 0.1, 2))
    if number % 4 == 1:  # far apart
        s_b = np.float32(s_a * rng.uniform(6e-3, 2e-2))
    zeros = {f"z_{n}": int(rng.choice(ZEROS)) for n in "ab"}
    a, b = int8(rng, -128, RUN), int8(rng, -128, RUN)
    s_y = np.float32(1 if ties else (s_a + s_b) * 0.8)
    return {"a": a, "b": b, "s_a": s_a, "s_b": s_b, "s_y": s_y, **zeros}


DRAW = {
    "sub": _subtract, "requantize": _unary, "quantize": _quantize, "dequantize": _dequantize,
    "sigmoid": _bounded(1 / 256, -128), "tanh": _bounded(1 / 128, 0), "elu": _unary,
    "hardswish": _unary, "leaky_relu": _leaky_relu, "softmax": _softmax, "avg_pool2d": _pool,
    "max_pool2d": _pool, "mean": _mean, "cat": _concatenate, "resize_bilinear": _resize,
    "global_avg_pool2d": _global, "concat": _requantized, "conv_u8": _conv_u8,
}  # fmt: skip


def same(size: int, kernel: int) -> tuple[int, int]:
    """Return the border of SAME for windows that are two apart."""
    total = max((-(-size // 2) - 1) * 2 + kernel - size, 0)
    return total // 2, total - total // 2


def problem_of(operation: str, c: dict) -> oracle.Problem:
    """Make the problem of a case."""
    if operation == "sub":
        a, b = (Codes(c[n], c[f"s_{n}"], c[f"z_{n}"]) for n in "ab")
        return oracle.problem("sub", a, b, Output(c["s_y"], c["z_y"]))
    if operation == "quantize":
        return oracle.problem("quantize", c["x"], Output(c["s_y"], c["z_y"]))
    if operation == "concat":
        pieces = [Codes(c[n], c[f"s_{n}"], c[f"z_{n}"]) for n in "ab"]
        return oracle.problem("cat", pieces, 2, Output(c["s_y"], c["z_y"]))
    if operation == "cat":
        pieces = [Codes(c[n], c["s_x"], c["z_x"]) for n in "ab"]
        return oracle.problem("cat", pieces, 2)
    x = Codes(c["x"], c["s_x"], c["z_x"])
    if operation == "dequantize":
        return oracle.problem("dequantize", x)
    if operation in ("avg_pool2d", "max_pool2d"):
        return oracle.problem(operation, x, c["kernel"], c["stride"], c["pads"], layout="NHWC")
    if operation == "resize_bilinear":
        return oracle.problem(
            operation, x, c["size"], c["align_corners"], c["half_pixel"], layout="NHWC"
        )
    if operation == "conv_u8":
        w, out = Codes(c["w"], c["s_w"]), Output(c["s_y"], c["z_y"], "uint8")
        return oracle.problem("conv2d", x, w, c["b"], out, layout="NHWC")
    out = Output(c["s_y"], c["z_y"])
    if operation == "global_avg_pool2d":
        return oracle.problem(operation, x, out, layout="NHWC")
    if operation == "mean":
        return oracle.problem("mean", x, c["axes"], out, c["keepdims"])
    if operation == "leaky_relu":
        return oracle.problem("leaky_relu", x, float(c["slope"]), out)
    return oracle.problem(operation, x, out)
