"""Cases of linear layers and convolutions."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from refquant.oracle.vectors.case import Case, floats, quantized, weight

__all__ = ["convolution_cases", "linear_cases"]

# Quotients of these scales, s_x * s_w / s_y, are one half or one eighth but for the last bits, and
# float32 division and multiplication with the reciprocal end on both sides of it.
NEAR_TIES = ((0.1, 0.55, 0.11), (0.14, 0.75, 0.21), (0.1, 0.55, 0.44), (0.15, 0.35, 0.42))
ODD_SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
EXTREME_ZEROS = ((0, 0), (0, 255), (255, 0), (255, 255), (128, 1))


def _bias(rng, scales: np.ndarray) -> Any:
    """Draw whole and half multiples of the unit of the sums; halves are ties of a rounded bias."""
    steps = rng.integers(-40, 41, scales.size) / 2
    return floats(steps * scales)


def _scales(per_channel: bool, outputs: int, scale: float, rng) -> Any:
    return scale * 2.0 ** rng.integers(-2, 3, outputs) if per_channel else scale


def _rounding_cases(make, rng) -> Iterator[Case]:
    """Make the cases that concern rounding, which `make` builds for its geometry."""
    for half, zero in ((0.5, 100), (0.25, 101), (0.125, 0), (0.5, 255)):
        yield make(f"ties-{half}-z{zero}", rng, 0.25, 128, half * 4, 1.0, zero, small=True)
    for index, (x, w, y) in enumerate(NEAR_TIES):
        yield make(f"near-ties-{index}", rng, x, 120, w, y, 110, small=True)
    for x_zero, y_zero in EXTREME_ZEROS:
        yield make(f"zero-points-{x_zero}-{y_zero}", rng, 0.5, x_zero, 0.125, 16.0, y_zero)
    for shift in range(25):
        multiplier = rng.uniform(0.5, 1.0) * 2.0**-shift
        yield make(f"shift-{shift}", rng, 1.0, 120, 1.0, 1 / multiplier, 128)
    yield make("clamp", rng, 1.0, 120, 1.0, 200.0, 128)


def linear_cases(operation: str, seed: int) -> Iterator[Case]:
    """Make the cases of ``linear`` and ``linear_relu``."""
    rng = np.random.default_rng(seed)

    def make(
        name,
        rng,
        x_scale,
        x_zero,
        w_scale,
        y_scale,
        y_zero,
        *,
        small=False,
        rows=9,
        outputs=7,
        depth=33,
        per_channel=False,
        bias=True,
        w_zero=0,
        extreme=None,
    ):
        x = (
            rng.integers(0, 256, (rows, depth))
            if extreme is None
            else np.full((rows, depth), extreme[0])
        )
        low, high = (-2, 3) if small else (-128, 128)
        w = rng.integers(low, high, (outputs, depth))
        if extreme is not None:
            w = np.full((outputs, depth), extreme[1])
        if small:
            x = x_zero + rng.integers(-min(9, x_zero), min(10, 256 - x_zero), (rows, depth))
        scales = _scales(per_channel, outputs, w_scale, rng)
        all_scales = np.broadcast_to(np.asarray(scales) * x_scale, (outputs,))
        arguments = {
            "input": quantized(x, x_scale, x_zero),
            "weight": weight(w, scales, w_zero),
            "bias": _bias(rng, all_scales) if bias else None,
            "scale": float(y_scale),
            "zero_point": y_zero,
        }
        return Case(name, operation, arguments)

    yield from _rounding_cases(make, rng)
    for size in ODD_SIZES:
        yield make(f"depth-{size}", rng, 0.25, 100, 0.5, 16.0, 90, depth=size, rows=3)
        yield make(f"outputs-{size}", rng, 0.25, 100, 0.5, 8.0, 90, outputs=size, rows=2, depth=17)
    for value in ((0, -128), (0, 127), (255, -128), (255, 127)):
        yield make(
            f"accumulators-{value[0]}-{value[1]}", rng, 1.0, 7, 1.0, 2.0**18, 128, depth=1024,
            extreme=value, rows=2,
        )  # fmt: skip
    yield make("per-channel", rng, 0.25, 100, 0.5, 8.0, 90, per_channel=True, small=True)
    yield make("weight-zero-point", rng, 0.25, 100, 0.5, 64.0, 90, w_zero=3)
    yield make("no-bias", rng, 0.25, 100, 0.5, 1.0, 90, bias=False, small=True)
    yield make("empty", rng, 0.25, 100, 0.5, 1.0, 90, rows=0)


def convolution_cases(operation: str, seed: int) -> Iterator[Case]:
    """Make the cases of ``conv2d``, ``conv3d`` and the same with ReLU."""
    dims = int(operation[4])
    rng = np.random.default_rng(seed)
    sizes = (5, 7, 6)[-dims:]

    def make(
        name,
        rng,
        x_scale,
        x_zero,
        w_scale,
        y_scale,
        y_zero,
        *,
        small=False,
        batch=1,
        channels=4,
        outputs=4,
        kernel=3,
        stride=1,
        padding=1,
        dilation=1,
        groups=1,
        per_channel=False,
        bias=True,
        w_zero=0,
        size=sizes,
    ):
        shape = (batch, channels, *size)
        x = rng.integers(0, 256, shape)
        low, high = (-2, 3) if small else (-128, 128)
        if small:
            x = x_zero + rng.integers(-min(9, x_zero), min(10, 256 - x_zero), shape)
        w = rng.integers(low, high, (outputs, channels // groups, *(kernel,) * dims))
        scales = _scales(per_channel, outputs, w_scale, rng)
        all_scales = np.broadcast_to(np.asarray(scales) * x_scale, (outputs,))
        arguments = {
            "input": quantized(x, x_scale, x_zero),
            "weight": weight(w, scales, w_zero),
            "bias": _bias(rng, all_scales) if bias else None,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "scale": float(y_scale),
            "zero_point": y_zero,
        }
        return Case(name, operation, arguments)

    yield from _rounding_cases(make, rng)
    common = (rng, 0.25, 100, 0.25, 16.0, 90)
    for kernel in (1, 2, 3) if dims == 3 else (1, 2, 3, 5):
        for stride in (1, 2, 3):
            for padding in range(min(kernel, 3)):
                name = f"k{kernel}-s{stride}-p{padding}"
                yield make(name, *common, kernel=kernel, stride=stride, padding=padding)
    yield make("dilation-2", *common, dilation=2, padding=2)
    yield make("dilation-2-stride-2", *common, dilation=2, padding=2, stride=2)
    for groups, channels, outputs in ((2, 4, 6), (4, 4, 4), (8, 8, 8), (3, 9, 3), (4, 4, 8)):
        yield make(
            f"groups-{groups}-of-{channels}-{outputs}", *common, groups=groups, channels=channels,
            outputs=outputs,
        )  # fmt: skip
    for channels in (1, 3, 5, 15, 16, 17):
        yield make(f"channels-{channels}", *common, channels=channels, outputs=channels)
    yield make("per-channel", rng, 0.25, 100, 0.5, 8.0, 90, per_channel=True, small=True)
    yield make("weight-zero-point", rng, 0.25, 100, 0.5, 64.0, 90, w_zero=3)
    yield make("no-bias", rng, 0.25, 100, 0.5, 1.0, 90, bias=False, small=True)
    yield make("batch-3", *common, batch=3)
    yield make("one-pixel", *common, size=(1,) * dims)
