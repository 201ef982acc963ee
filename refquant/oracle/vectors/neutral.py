"""Cases of neutral operands, as runtimes of int8 models take them.

Activations are int8, biases int32 in steps of the sums, scales float32; images have their channels
last. A third of the cases have powers of two as scales, so that many results are ties.
"""

from collections.abc import Iterator

import numpy as np

from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.neutral_layers import LAYERS
from refquant.oracle.vectors.neutral_operands import (
    ACTIVATIONS,
    ODD_SIZES,
    Draw,
    int8,
    same_border,
    scale,
    sets,
)  # fmt: skip
from refquant.oracle.vectors.neutral_products import PRODUCTS

__all__ = ["NEUTRAL", "neutral_cases"]

DTYPES = ("int8", "uint8", "int16", "int32")
ALL = np.arange(-128, 128).astype(np.int8)


def _pair(product: bool):
    def cases(rng):
        left, right = (codes.reshape(-1) for codes in np.meshgrid(ALL, ALL, indexing="ij"))
        for name, ties, z_a, z_b in sets(rng):
            s_a, s_b = scale(rng, ties), scale(rng, ties)
            s_y = s_a * s_b * 64 if product else 2 * max(s_a, s_b)
            a, b = Codes(left, s_a, z_a), Codes(right, s_b, z_b)
            yield f"all-pairs-{name}", {"a": a, "b": b, "output": Output(s_y, -z_a // 2)}
        for size in ODD_SIZES:
            a, b = (Codes(int8(rng, size), s, z) for s, z in ((0.25, 3), (0.5, -7)))
            yield f"size-{size}", {"a": a, "b": b, "output": Output(1.0, 9)}
        for activation in ACTIVATIONS[1:]:
            a, b = (Codes(int8(rng, 301), s, z) for s, z in ((0.03, 3), (0.07, -7)))
            out = Output(0.05, -100, activation=activation)
            yield activation, {"a": a, "b": b, "output": out}

    return cases


def _codes(*fixed, **more):
    """Make cases of all codes; of results that have one quantizer, this one."""

    def cases(rng):
        for name, ties, z_x, z_y in sets(rng):
            x = Codes(ALL, scale(rng, ties), z_x)
            out = Output(*fixed) if fixed else Output(scale(rng, ties), z_y)
            yield f"all-codes-{name}", {"x": x, **more, "output": out}
        for size in ODD_SIZES:
            out = Output(*fixed) if fixed else Output(scale(rng, False), 9)
            x = Codes(int8(rng, size), scale(rng, False), -7)
            yield f"size-{size}", {"x": x, **more, "output": out}

    return cases


def _requantize(rng):
    yield from _codes()(rng)
    for source in DTYPES:
        for dtype in DTYPES:
            held, to = np.iinfo(source), np.iinfo(dtype)
            q = rng.integers(held.min >> 1, held.max >> 1, 201).astype(source)
            q[:2] = held.min, held.max
            # Kernels of 16 and 32 bits have no zero points.
            zeros = [int(info.min + 150) if info.bits == 8 else 0 for info in (held, to)]
            step, ratio = scale(rng, False), rng.uniform(0.6, 1.7)
            bits = min(to.bits, 24)  # nothing saturates to 32 bits
            out = Output(step * ratio * 2.0 ** (held.bits - bits), zeros[1], dtype)
            yield f"{source}-to-{dtype}", {"x": Codes(q, step, zeros[0]), "output": out}


def _softmax(rng):
    for size in (*ODD_SIZES, 100):
        x = Codes(int8(rng, 21, size), scale(rng, size % 2 == 0), 5)
        yield f"rows-of-{size}", {"x": x, "output": Output(1 / 256, -128)}


def _quantize(rng):
    for name, ties, zero, _ in sets(rng):
        step = scale(rng, ties)
        real = rng.integers(-400, 400, 301) / 2 if ties else rng.normal(size=301) * 60
        yield name, {"x": (real * step).astype(np.float32), "output": Output(step, zero)}


def _dequantize(rng):
    for name, ties, zero, _ in sets(rng):
        yield f"all-codes-{name}", {"x": Codes(ALL, scale(rng, ties), zero)}
    for size in ODD_SIZES:
        yield f"size-{size}", {"x": Codes(int8(rng, size), scale(rng, False), -7)}


def _dynamic(rng):
    for zero in (0, 3, 128, 255):
        steps = np.arange(-2 * zero, 511 - 2 * zero) / 2  # the range has 255 steps, and halves
        yield f"ties-z{zero}", {"x": (steps * scale(rng, True)).astype(np.float32)}
        yield f"decimal-z{zero}", {"x": (steps * scale(rng, False)).astype(np.float32)}
    for size in ODD_SIZES:
        yield f"size-{size}", {"x": rng.normal(size=size).astype(np.float32)}


def _pieces(rng):
    for name, ties, z_a, z_b in sets(rng):
        a, b = (Codes(int8(rng, 3, 5, n), scale(rng, ties), z) for n, z in ((7, z_a), (9, z_b)))
        yield name, {"x": [a, b], "axis": 2, "output": Output(scale(rng, ties), 5)}
        yield f"{name}-alike", {"x": [a, a.like(b.array)], "axis": 2, "output": None}


def _images(rng, ties, zero, *shape):
    """Draw images; small numbers have averages that are ties more often."""
    q = int8(rng, *shape, low=-8 if ties else -128)
    return Codes(q, scale(rng, ties), zero)


def _pool(rng):
    for name, ties, z_x, _ in sets(rng):
        for kernel in (2, 3):
            x = _images(rng, ties, z_x, 2, 9, 8, 7)
            pads = tuple(same_border(n, kernel, 2) for n in (9, 8))
            place = {"kernel": (kernel, kernel), "stride": (2, 2), "padding": pads}
            yield f"k{kernel}-{name}", {"x": x, **place, "output": None, "layout": "NHWC"}


def _global_pool(rng):
    for name, ties, z_x, z_y in sets(rng):
        x, out = _images(rng, ties, z_x, 3, 4, 5, 17), Output(scale(rng, ties), z_y)
        yield name, {"x": x, "output": out, "layout": "NHWC"}


def _mean(rng):
    for name, ties, z_x, z_y in sets(rng):
        for axes in ((1, 2), (3,)):
            x, out = _images(rng, ties, z_x, 3, 4, 5, 17), Output(scale(rng, ties), z_y)
            word = "-".join(map(str, axes))
            yield f"axes-{word}-{name}", {"x": x, "axes": axes, "output": out, "keepdims": True}


def _resize(rng):
    for name, ties, z_x, _ in sets(rng):
        for size, corners, half in (
            ((9, 11), False, False), ((3, 13), False, True), ((7, 5), True, False),
        ):  # fmt: skip
            x = _images(rng, ties, z_x, 1, 5, 6, 3)
            place = {"size": size, "align_corners": corners, "half_pixel_centers": half}
            word = "corners" if corners else "half" if half else "plain"
            yield f"{word}-{name}", {"x": x, **place, "layout": "NHWC"}


# For each operation the operation of the oracle, and what yields names and operands.
NEUTRAL: dict[str, tuple[str, Draw]] = {
    **PRODUCTS,
    **LAYERS,
    "add": ("add", _pair(False)),
    "sub": ("sub", _pair(False)),
    "mul": ("mul", _pair(True)),
    "quantize": ("quantize", _quantize),
    "dequantize": ("dequantize", _dequantize),
    "dynamic_quantize": ("dynamic_quantize", _dynamic),
    "requantize": ("requantize", _requantize),
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
    "resize_nearest": ("resize_nearest", _resize),
}


def neutral_cases(operation: str, seed: int) -> Iterator[Case]:
    """Make the cases of an operation on neutral operands."""
    name, make = NEUTRAL[operation]
    for case, operands in make(np.random.default_rng(seed)):
        yield Case(case, name, operands)
