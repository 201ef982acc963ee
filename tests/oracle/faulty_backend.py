"""An int8 backend of plain NumPy, written without refquant, with faults that can be planted."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Layer:
    """Operands of a convolution (or, with one pixel, a linear layer), as plain arrays."""

    x: np.ndarray  # uint8, (batch, channels, height, width)
    x_scale: float
    x_zero: int
    w: np.ndarray  # int8, (outputs, channels, lines, columns)
    w_scales: np.ndarray
    w_zero: int
    bias: np.ndarray
    scale: float
    zero: int
    padding: int = 1


def half_even(t):
    return np.rint(t)


def half_away(t):
    return np.trunc(t + np.copysign(0.5, t))


def half_up(t):
    return np.floor(t + 0.5)


ROUND = {
    "rounding: half_even -> half_away": half_away,
    "rounding: half_even -> half_up": half_up,
    "rounding: half_even -> truncate": np.trunc,
    "rounding: half_even -> floor": np.floor,
}

# What is planted, in the words of the diagnosis.
FAULTS = (
    *ROUND,
    "zero_point: after -> before",
    "formed_by: division -> product",
    "precision: float32 -> float64",
    "bias: divided -> int32_division",
    "bias: divided -> int32_half_away",
    "accumulator: wrapped -> saturated_pairs",
    "border: zero_point -> zero",
    "input zero point ignored",
    "weight zero point ignored",
    "output zero point ignored",
    "bias ignored",
    "bias subtracted",
    "input and output scales swapped",
    "multiplied by the output scale",
    "scale of the first channel used for all channels",
    "channel scales in reverse order",
    "channel axis: scales applied along dimension 2",
    "ReLU that was not requested",
    "results wrap around instead of saturating",
)


def windows(layer, border):
    """All windows, (batch, height, width, depth), channels fastest."""
    p, (lines, columns) = layer.padding, layer.w.shape[2:]
    image = np.pad(layer.x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=border)
    seen = np.lib.stride_tricks.sliding_window_view(image, (lines, columns), axis=(2, 3))
    flat = seen.transpose(0, 2, 3, 4, 5, 1)
    return flat.reshape(*flat.shape[:3], -1)


def convolve(layer, faults=()):
    """Compute integers, (batch, outputs, height, width), with faults."""
    f = set(faults)
    x_zero = 0 if "input zero point ignored" in f else layer.x_zero
    w_zero = 0 if "weight zero point ignored" in f else layer.w_zero
    zero = 0 if "output zero point ignored" in f else layer.zero
    raw = windows(layer, 0 if "border: zero_point -> zero" in f else layer.x_zero).astype(np.int64)
    filters = layer.w.transpose(0, 2, 3, 1).reshape(layer.w.shape[0], -1).astype(np.int64)
    if "accumulator: wrapped -> saturated_pairs" in f:
        total = 0
        for k in range(0, raw.shape[-1], 2):
            pair = raw[..., k : k + 2] @ filters[:, k : k + 2].T
            total = total + np.clip(pair, -32768, 32767)
    else:
        total = raw @ filters.T
    total = total - x_zero * filters.sum(1) - w_zero * raw.sum(-1)[..., None]
    total = total + raw.shape[-1] * x_zero * w_zero

    wide = "precision: float32 -> float64" in f
    number = np.float64 if wide else np.float32
    wide_x, wide_out = layer.x_scale, layer.scale
    if "input and output scales swapped" in f:
        wide_x, wide_out = wide_out, wide_x
    if "multiplied by the output scale" in f:
        wide_out = 1 / wide_out
    x_scale, out_scale = number(wide_x), number(wide_out)
    w_scales = layer.w_scales
    if "scale of the first channel used for all channels" in f:
        w_scales = np.full_like(w_scales, w_scales[0])
    if "channel scales in reverse order" in f:
        w_scales = w_scales[::-1]
    if "channel axis: scales applied along dimension 2" in f:
        w_scales = w_scales[np.arange(total.shape[1]) % len(w_scales)][:, None, None]
    both = x_scale * w_scales.astype(number)
    bias = np.zeros_like(layer.bias) if "bias ignored" in f else layer.bias
    bias = -bias if "bias subtracted" in f else bias
    if "bias: divided -> int32_division" in f:
        product = np.float64(wide_x) * w_scales
        sums = (total + np.rint(bias / product.astype(np.float32)).astype(np.int64)).astype(number)
    elif "bias: divided -> int32_half_away" in f:
        steps = bias.astype(np.float64) / (wide_x * w_scales)
        sums = (total + half_away(steps).astype(np.int64)).astype(number)
    else:
        single = np.float32(x_scale) * w_scales.astype(np.float32)
        sums = total.astype(np.float32) + bias / single
    if "formed_by: division -> product" in f:
        multiplier = both * (number(1) / out_scale)
    else:
        multiplier = both / out_scale
    t = sums.astype(number) * multiplier
    round_ = next((ROUND[name] for name in ROUND if name in f), half_even)
    if "zero_point: after -> before" in f:
        q = round_(t + number(zero))
    else:
        q = round_(t.astype(np.float64)) + zero
    if "results wrap around instead of saturating" in f:
        q = q.astype(np.int64) & 255
    low = zero if "ReLU that was not requested" in f else 0
    return np.clip(q, low, 255).astype(np.int64).transpose(0, 3, 1, 2)
