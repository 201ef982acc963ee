"""Cases of functions, requantization, pooling and resizing for runtimes of int8 models.

Their kinds are those of `oracle.runtime_cases`.
"""

import numpy as np

from refquant import oracle
from refquant.oracle import Codes, Output

ZEROS = (-128, -5, 0, 13, 127)
KINDS = ("ties", "near", "ties", "random")
RUN = 901  # elements: no multiple of any vector


def int8(rng, low, *shape):
    return rng.integers(low, 128, shape).astype(np.int8)


def scale_of(rng, kind):
    """Draw a scale: a power of two for ties."""
    return np.float32(2.0 ** -rng.integers(2, 6) if kind == "ties" else rng.uniform(0.01, 0.1))


def _scales(rng, kind, factor=2.0):
    """Draw the scales of an operand and of a result, whose quotient is known unless random."""
    s_x = scale_of(rng, kind)
    s_y = scale_of(rng, kind) if kind == "random" else np.float32(s_x * np.float64(factor))
    return {"s_x": s_x, "s_y": s_y}


def pair_of_scales(rng, kind, number):
    """Draw the scales of two operands and of their sum."""
    s_a = scale_of(rng, kind)
    if kind != "random":
        return s_a, np.float32(s_a * rng.choice([1.0, 3.0])), np.float32(2 * s_a)
    # Below 2**-10 of the result LiteRT does not leave sums to XNNPACK.
    s_b = np.float32(s_a * rng.uniform(6e-3, 2e-2)) if number % 8 == 7 else scale_of(rng, kind)
    return s_a, s_b, np.float32((s_a + s_b) * 0.8)


def _unary(rng, kind, number, z):
    return {"x": int8(rng, -128, RUN), **_scales(rng, kind)}


def _bent(rng, kind, number, z):
    """Draw for a function that keeps great numbers; most are great unless random."""
    if kind == "random":
        return _unary(rng, kind, number, z)
    s_x = np.float32(0.25 if kind == "ties" else rng.uniform(0.1, 0.3))
    steps = {"s_x": s_x, "s_y": np.float32(2 * s_x), "z_x": int(rng.choice([-128, -110]))}
    return {"x": int8(rng, -128, RUN), **steps}


def _bounded(scale, zero_point):
    """Draw for a function whose results have a quantizer of their own."""

    def draw(rng, kind, number, z):
        fixed = {"s_y": np.float32(scale), "z_y": zero_point}
        return {"x": int8(rng, -128, RUN), "s_x": scale_of(rng, kind), **fixed}

    return draw


def _softmax(rng, kind, number, z):
    x = int8(rng, -128, 43, int(rng.integers(20, 40)))
    return {"x": x, "s_x": scale_of(rng, kind), "s_y": np.float32(1 / 256), "z_y": -128}


def _leaky_relu(rng, kind, number, z):
    slope = rng.choice([0.1, 0.25, 0.3]) if kind == "random" else rng.choice([0.5, 1.0, 3.0])
    return {**_unary(rng, kind, number, z), "slope": np.float32(slope)}


def _quantize(rng, kind, number, z):
    s_y = scale_of(rng, kind)
    steps = rng.normal(size=RUN) * 60 if kind == "random" else rng.integers(-400, 400, RUN) / 2
    return {"x": (steps * s_y).astype(np.float32), "s_y": s_y}


def _dequantize(rng, kind, number, z):
    return {"x": int8(rng, -128, RUN), "s_x": scale_of(rng, kind)}


def _images(rng, kind, *shape):
    """Draw images, of small numbers unless they are random."""
    return int8(rng, -128, *shape) // np.int8(1 if kind == "random" else 16)


def _pool(rng, kind, number, z):
    x = _images(rng, kind, 4, int(rng.integers(11, 14)), 13, int(rng.integers(6, 10)))
    kernel = {"ties": (2, 1), "near": (1, 2), "random": (3, 2)}[kind]
    pads = tuple(same(n, k) for n, k in zip(x.shape[1:3], kernel, strict=True))
    s_x = scale_of(rng, kind)
    return {"x": x, "s_x": s_x, "kernel": kernel, "stride": (2, 2), "pads": pads}


def _max_pool(rng, kind, number, z):
    kernel = (3, 2) if kind == "random" else (2, 2)  # XNNPACK has none of one line or column
    given = _pool(rng, kind, number, z)
    pads = tuple(same(n, k) for n, k in zip(given["x"].shape[1:3], kernel, strict=True))
    return {**given, "kernel": kernel, "pads": pads}


def _mean(rng, kind, number, z):
    image = number % 8 < 4
    if kind == "random":
        shape = (16, 4, 5, 60) if image else (8, 10, 12, 1 + number)
    elif image:
        shape = (16, 2 if kind == "ties" else 3, 4, 60)
    else:
        shape = (8, 10, 12, int(rng.choice((8, 16, 32) if kind == "ties" else (12, 20, 24, 40))))
    count = shape[1] * shape[2] if image else shape[3]
    return {
        "x": _images(rng, kind, *shape), **_scales(rng, kind, 2 / count),
        "axes": (1, 2) if image else (3,), "keepdims": number % 8 not in (2, 5),
    }  # fmt: skip


def _concatenate(rng, kind, number, z):
    a, b = (int8(rng, -128, 3, 10, count) for count in rng.integers(12, 25, 2))
    return {"a": a, "b": b, "s_x": scale_of(rng, kind)}


def _global(rng, kind, number, z):
    height, width = (4, 5) if kind == "random" else (4, 4)
    return {"x": _images(rng, kind, 16, height, width, 60), **_scales(rng, kind, 1 / 8)}


def _requantized(rng, kind, number, z):
    """Draw pieces whose quantizers differ from each other and from that of the result."""
    zeros = {f"z_{n}": int(rng.choice(ZEROS)) for n in "ab"}
    s_a, s_b, s_y = pair_of_scales(rng, kind, 0)
    pieces = _concatenate(rng, kind, number, z)
    return {**pieces, **zeros, "s_a": s_a, "s_b": s_b, "s_y": s_y}


def _conv_u8(rng, kind, number, z):
    channels, outputs, height = (int(n) for n in rng.integers([1, 1, 5], [9, 20, 9]))
    shape, zeros = (12, height, 7, channels), {"z_x": int(rng.integers(0, 256))}
    zeros["z_y"] = int(rng.choice([0, 100, 128, 255]))
    s_x, s_w = scale_of(rng, kind), scale_of(rng, kind)
    if kind == "random":
        x, w = rng.integers(0, 256, shape), int8(rng, -127, outputs, 3, 3, channels)
        b, s_w = rng.integers(-2000, 2000, outputs), np.float32(s_w / 10)
        s_y = np.float32(rng.uniform(0.2, 0.5) * np.sqrt(channels) * s_x * s_w * 5000)
    else:
        x = np.clip(zeros["z_x"] + rng.integers(-9, 10, shape), 0, 255)
        w = rng.integers(-3, 4, (outputs, 3, 3, channels)).astype(np.int8)
        b, s_y = rng.integers(-20, 20, outputs), np.float32(2 * s_x * s_w)
    return {
        "x": x.astype(np.uint8), "w": w, "b": b.astype(np.int32), "s_x": s_x, "s_w": s_w,
        "s_y": s_y, **zeros,
    }  # fmt: skip


def _resize(rng, kind, number, z):
    no, yes = False, True
    align, half = ((no, no), (yes, no), (no, no), (no, yes), (yes, no))[number % 5]
    x = _images(rng, kind, 2, 5, 6, 7)
    if kind == "random":
        size = tuple(int(n) for n in rng.integers(8, 15, 2))
    else:  # steps of one half, and neighbors of which one is odd
        size = (9, 11) if align else (10, 12)
        checkered = np.indices(x.shape)[1:3].sum(0) % 2
        x = (x // 2 * 2 + checkered).astype(np.int8)
    return {
        "x": x, "s_x": scale_of(rng, kind), "size": size, "align_corners": align,
        "half_pixel": half,
    }  # fmt: skip


def _nearest(rng, kind, number, z):
    size = tuple(int(n) for n in rng.integers(3, 15, 2)) if kind == "random" else (10, 12)
    given = _resize(rng, kind, number, z)
    return {**given, "x": int8(rng, -128, 3, 5, 6, 7), "size": size}


def _dynamic(rng, kind, number, z):
    """Draw real numbers whose range has 255 steps of one scale, so that halves of it are ties."""
    x = _quantize(rng, kind, number, z)
    if kind == "random":
        return {"x": x["x"]}
    zero = int(rng.choice([0, 3, 128, 255]))
    steps = np.concatenate(
        [rng.integers(-2 * zero, 511 - 2 * zero, RUN - 2) / 2, [-zero, 255 - zero]]
    )
    return {"x": (steps * x["s_y"]).astype(np.float32)}


def _integers(rng, kind, number, z):
    """Draw a product whose sums are the result."""
    dtype = (np.uint8, np.int8)[number % 2]
    info = np.iinfo(dtype)
    w = {"w": int8(rng, -128, 13, 3, 3, 5), "s_w": np.float32(0.1)}
    x = rng.integers(info.min, info.max + 1, (3, 7, 6, 5)).astype(dtype)
    zero = int(rng.integers(info.min, info.max + 1))
    return {"x": x, **w, "s_x": np.float32(0.1), "z_x": zero}


def _matrices(rng, kind, number, z):
    given = _integers(rng, kind, number, z)
    info, depth = np.iinfo(given["x"].dtype), int(rng.integers(5, 40))
    x = rng.integers(info.min, info.max + 1, (41, depth)).astype(given["x"].dtype)
    return {**given, "x": x, "w": int8(rng, -128, 17, depth)}


def _two_activations(rng, kind, number, z):
    """Draw a product of two matrices that are both fed, each with a zero point."""
    depth, columns = int(rng.integers(3, 40)), int(rng.integers(13, 30))
    zeros = {f"z_{n}": int(rng.choice(ZEROS)) for n in "ab"}
    s_a, s_b = scale_of(rng, kind), scale_of(rng, kind)
    shapes = {"a": (41, depth), "b": (depth, columns)}
    if kind == "random":
        made = {n: int8(rng, -128, *shape) for n, shape in shapes.items()}
        s_y = np.float32(s_a * s_b * np.sqrt(depth) * 100)
    else:
        made = {
            n: np.clip(zeros[f"z_{n}"] + rng.integers(-4, 5, shape), -128, 127).astype(np.int8)
            for n, shape in shapes.items()
        }
        s_y = np.float32(2 * s_a * s_b)
    return {**made, **zeros, "s_a": s_a, "s_b": s_b, "s_y": s_y}


def _subtract(rng, kind, number, z):
    zeros = {f"z_{n}": int(rng.choice(ZEROS)) for n in "ab"}
    s_a, s_b, s_y = pair_of_scales(rng, kind, number)
    a, b = int8(rng, -128, RUN), int8(rng, -128, RUN)
    return {"a": a, "b": b, "s_a": s_a, "s_b": s_b, "s_y": s_y, **zeros}


DRAW = {
    "sub": _subtract, "requantize": _unary, "quantize": _quantize, "dequantize": _dequantize,
    "sigmoid": _bounded(1 / 256, -128), "tanh": _bounded(1 / 128, 0), "elu": _bent,
    "hardswish": _bent, "leaky_relu": _leaky_relu, "softmax": _softmax, "avg_pool2d": _pool,
    "max_pool2d": _max_pool, "mean": _mean, "cat": _concatenate, "resize_bilinear": _resize,
    "resize_nearest": _nearest, "dynamic_quantize": _dynamic, "conv_integer": _integers,
    "matmul_integer": _matrices, "global_avg_pool2d": _global, "concat": _requantized,
    "conv_u8": _conv_u8, "matmul": _two_activations,
}  # fmt: skip


def same(size: int, kernel: int) -> tuple[int, int]:
    """Return the border of SAME for windows that are two apart."""
    total = max((-(-size // 2) - 1) * 2 + kernel - size, 0)
    return total // 2, total - total // 2


def problem_of(operation: str, c: dict) -> oracle.Problem:
    """Make the problem of a case."""
    if operation in ("sub", "matmul"):
        a, b = (Codes(c[n], c[f"s_{n}"], c[f"z_{n}"]) for n in "ab")
        return oracle.problem(operation, a, b, Output(c["s_y"], c["z_y"]))
    if operation == "quantize":
        return oracle.problem("quantize", c["x"], Output(c["s_y"], c["z_y"]))
    if operation == "concat":
        pieces = [Codes(c[n], c[f"s_{n}"], c[f"z_{n}"]) for n in "ab"]
        return oracle.problem("cat", pieces, 2, Output(c["s_y"], c["z_y"]))
    if operation == "cat":
        pieces = [Codes(c[n], c["s_x"], c["z_x"]) for n in "ab"]
        return oracle.problem("cat", pieces, 2)
    if operation == "dynamic_quantize":
        return oracle.problem("dynamic_quantize", c["x"])
    x = Codes(c["x"], c["s_x"], c["z_x"])
    if operation == "conv_integer":
        return oracle.problem(operation, x, Codes(c["w"], c["s_w"]), layout="NHWC", padding=1)
    if operation == "matmul_integer":
        return oracle.problem(operation, x, Codes(np.ascontiguousarray(c["w"].T), c["s_w"]))
    if operation == "dequantize":
        return oracle.problem("dequantize", x)
    if operation in ("avg_pool2d", "max_pool2d"):
        return oracle.problem(operation, x, c["kernel"], c["stride"], c["pads"], layout="NHWC")
    if operation in ("resize_bilinear", "resize_nearest"):
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
