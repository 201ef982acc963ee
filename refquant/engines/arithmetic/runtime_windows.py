r"""How other runtimes average integers and mix those of neighboring pixels.

Means are called with ``(total, count, x_scale, x_zero_point, scale, zero_point, lower, upper)``:
the sums of `count` integers each. Averages over windows are called with the integers tap by tap,
and which of them lie inside the image, in place of these sums. Resizing is called with images of
integers, channels last, and the new size.
"""

import math
from functools import partial

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import quantize_of_axes, requantize_of_axes
from refquant.engines.arithmetic.multipliers import quantized_multiplier
from refquant.engines.rule import Rule
from refquant.engines.rules.rounding import round_number, round_shift

__all__ = [
    "AVERAGE_OF_CODES_ALONE",
    "AVERAGE_OF_REALS",
    "GLOBAL_AVERAGE",
    "MEAN_BY_BIAS",
    "MEAN_BY_BIAS_IN_BLOCKS",
    "MEAN_BY_MULTIPLIER",
    "MEAN_IN_FLOAT32",
    "NEAREST",
    "RESIZE_IN_10_BITS",
    "RESIZE_IN_11_BITS",
    "place_in_float32",
]


_EVEN = Arithmetic(overflow="saturated")
_AWAY = Arithmetic(rounding="half_away")


def average_of_codes(axes, taps, inside, x_scale, x_zero, scale, zero_point, lower, upper):
    """Average integers without their zero point; windows outside the image are 0."""
    total, count = np.where(inside, taps, 0).sum(0), inside.sum(0)
    # A quotient is a tie exactly if its number in float64 is one.
    t = round_number(total / np.maximum(count, 1), axes.rounding)
    return np.clip(t, lower, upper).astype(np.int64)


AVERAGE_OF_CODES_ALONE = Rule(
    "average_of_codes",
    "clip((sum q + n / 2) / n) in integers, the zero point not taken away; negative sums the other "
    "way round",
    "TensorFlow Lite, kernels of average pooling",
    partial(average_of_codes, _AWAY),
)


def average_of_reals(axes, taps, inside, x_scale, x_zero, scale, zero_point, lower, upper):
    """Average dequantized integers, and quantize the result."""
    s_x, total = np.float32(x_scale), np.zeros((), np.float32)
    for codes, there in zip(taps, inside, strict=True):
        total = total + np.where(there, s_x * (codes - x_zero).astype(np.float32), np.float32(0))
    average = total / inside.sum(0).astype(np.float32)
    return quantize_of_axes(axes, average, scale, zero_point, lower, upper)


AVERAGE_OF_REALS = Rule(
    "average_of_reals",
    "clip(rne(f32(f32(f32(sum x / n) / s) + z))), x = f32(s_x * (q - z_x)), summed in float32 tap "
    "by tap",
    "ONNX Runtime, QLinearAveragePool, measured with release 1.32 on x86",
    partial(average_of_reals, _EVEN.change(zero_point="before")),
)


def global_average(axes, total, count, x_scale, x_zero, scale, zero_point, lower, upper):
    """Scale sums by a factor of float32."""
    n = np.asarray(total, np.int64) - int(count) * int(x_zero)
    factor = np.float32(x_scale) / (np.float32(scale) * np.float32(int(count)))
    return requantize_of_axes(axes, n, factor, zero_point, lower, upper)


GLOBAL_AVERAGE = Rule(
    "global_average",
    "clip(rne(f32((sum q - n * z_x) * f32(s_x / f32(s * n)))) + z)",
    "ONNX Runtime, QLinearGlobalAveragePool, measured with release 1.32 on x86",
    partial(global_average, _EVEN),
)


def _fixed(n, q, shift, rounding):
    """Scale integers by ``q * 2**(shift - 31)``: rounded up first, then as given."""
    n = np.asarray(n, np.int64) << max(shift, 0)
    return round_shift(round_shift(n * q, 31, "half_up"), max(-shift, 0), rounding)


def mean_by_multiplier(axes, total, count, x_scale, x_zero, scale, zero_point, lower, upper):
    """Scale sums in fixed point, the count divided into the multiplier."""
    q, shift = (int(part) for part in quantized_multiplier(np.float64(x_scale) / np.float64(scale)))
    count = int(count)
    more = min(int(math.log2(count)), 32, 31 + shift)
    n = np.asarray(total, np.int64) - count * int(x_zero)
    steps = _fixed(n, (q << more) // count, shift - more, axes.rounding)
    return np.clip(steps + zero_point, lower, upper)


MEAN_BY_MULTIPLIER = Rule(
    "mean_by_multiplier",
    "clip(fixed(sum q - n * z_x, (m << k) // n, e - k) + z), k = floor(log2 n), "
    "m * 2**(e - 31) = f64(s_x / s), fixed with two roundings",
    "TensorFlow Lite, reference kernels of MEAN",
    partial(mean_by_multiplier, _AWAY),
)


def mean_by_bias(axes, in_blocks, total, count, x_scale, x_zero, scale, zero_point, lower, upper):
    """Scale sums in fixed point, the zero point taken off after rounding."""
    s_x, s = np.float32(x_scale), np.float32(scale)
    offset = np.float32(x_zero) * s_x / s
    offset = offset + np.float32(0.5 if offset > 0 else -0.5)
    factor = np.float64(s_x / (np.float32(int(count)) * s))
    q, shift = (int(part) for part in quantized_multiplier(factor))
    total = np.asarray(total, np.int64)
    steps = _fixed(total, q, shift, axes.rounding)
    if in_blocks and axes.rounding == "half_away":  # the kernels' own, which blocks do not have
        channels = total.shape[-1]
        whole = np.arange(channels) < channels - channels % 16
        steps = np.where(whole, _fixed(total, q, shift, "half_up"), steps)
    return np.clip(steps + (int(zero_point) - int(offset)), lower, upper)


_BIASED = (
    "clip(fixed(sum q, m, e) + (z - half_away(f32(f32(z_x * s_x) / s)))), "
    "m * 2**(e - 31) = f32(s_x / f32(n * s)): the zero point is taken off after rounding"
)
MEAN_BY_BIAS = Rule(
    "mean_by_bias",
    _BIASED,
    "TensorFlow Lite 2.14, optimized kernels of MEAN over height and width",
    partial(mean_by_bias, _AWAY, False),
)
MEAN_BY_BIAS_IN_BLOCKS = Rule(
    "mean_by_bias_in_blocks",
    f"{_BIASED}, which goes up in whole blocks of 16 channels, away from zero behind them",
    "LiteRT 2.3, optimized kernels of MEAN over height and width",
    partial(mean_by_bias, _AWAY, True),
)


def mean_in_float32(axes, total, count, x_scale, x_zero, scale, zero_point, lower, upper):
    """Scale sums by a factor of float32, and add the zero point exactly."""
    n = np.asarray(total, np.int64) - int(count) * int(x_zero)
    factor = np.float32(x_scale) / np.float32(scale) / np.float32(int(count))
    steps = (n.astype(np.float32) * factor).astype(np.float64)
    before, after = (0, zero_point) if axes.zero_point == "after" else (zero_point, 0)
    rounded = round_number(steps + before, axes.rounding) + after
    return np.clip(rounded, lower, upper).astype(np.int64)


MEAN_IN_FLOAT32 = Rule(
    "mean_in_float32",
    "clip(rne(f32((sum q - n * z_x) * f32(s_x / f32(n * s))) + z)), the zero point added before "
    "rounding",
    "XNNPACK, measured below LiteRT 2.3 on x86",
    partial(mean_in_float32, _EVEN.change(zero_point="before")),
)


# -- resizing --------------------------------------------------------------------------------


def _corners(x, rows, columns):
    """Yield the four neighbors of every output pixel, int64."""
    for r in rows:
        for c in columns:
            yield x[:, r][:, :, c]


def _place_in_10_bits(count, size, align_corners, half_pixel):
    if align_corners and count > 1:
        step = (1024 * (size - 1) + (count - 1) // 2) // (count - 1)
    else:
        step = (1024 * size + count // 2) // count
    place = np.arange(count) * step
    if half_pixel:
        place = place + step // 2 - 512
    low = np.maximum(np.sign(place) * (np.abs(place) // 1024), 0)
    up = place + 1023
    high = np.minimum(np.sign(up) * (np.abs(up) // 1024), size - 1)
    return place - 1024 * low, low, high


def _resized_in_10_bits(axes, x, height, width, align_corners, half_pixel):
    x = np.asarray(x, np.int64)
    v, top, bottom = _place_in_10_bits(height, x.shape[1], align_corners, half_pixel)
    h, left, right = _place_in_10_bits(width, x.shape[2], align_corners, half_pixel)
    v, h = v[None, :, None, None], h[None, None, :, None]
    weights = ((1024 - v) * (1024 - h), (1024 - v) * h, v * (1024 - h), v * h)
    neighbors = _corners(x, (top, bottom), (left, right))
    total = sum(n * w for n, w in zip(neighbors, weights, strict=True))
    return round_shift(total, 20, axes.rounding)


def place_in_float32(count, size, align_corners, half_pixel):
    """Find the two neighbors of each place of an axis, and how far it is behind the first one."""
    if align_corners and count > 1:
        step = np.float32(size - 1) / np.float32(count - 1)
    else:
        step = np.float32(size) / np.float32(count)
    place = np.arange(count).astype(np.float32) * step
    if half_pixel:
        place = place + (np.float32(0.5) * step - np.float32(0.5))
        place = np.minimum(np.maximum(place, np.float32(0)), np.float32(size - 1))
    low = place.astype(np.int64)
    return place - low.astype(np.float32), low, np.minimum(low + 1, size - 1)


def _resized_in_float32(axes, x, height, width, align_corners, half_pixel):
    x = np.asarray(x, np.int64)
    v, top, bottom = place_in_float32(height, x.shape[1], align_corners, half_pixel)
    h, left, right = place_in_float32(width, x.shape[2], align_corners, half_pixel)
    v, h = v[None, :, None, None], h[None, None, :, None]
    a, b, c, d = _corners(x, (top, bottom), (left, right))
    if axes.places == "float32":
        a, b, c, d = (corner.astype(np.float32) for corner in (a, b, c, d))
        above, below = a + (b - a) * h, c + (d - c) * h
        return round_number(above + (below - above) * v, axes.rounding).astype(np.int64)
    v, h = (np.rint(share * np.float32(2**11)).astype(np.int64) for share in (v, h))
    above, below = (a << 11) + (b - a) * h, (c << 11) + (d - c) * h
    return round_shift((above << 11) + (below - above) * v, 22, axes.rounding)


def resize_of_axes(axes, *operands):
    """Mix neighbors by shares whose precision is an axis."""
    mix = _resized_in_10_bits if axes.places == "bits_10" else _resized_in_float32
    return mix(axes, *operands)


RESIZE_IN_10_BITS = Rule(
    "resize_in_10_bits",
    "half_away(sum q * w_v * w_h / 2**20), places and weights in integers of 10 bits",
    "TensorFlow Lite, reference kernels of RESIZE_BILINEAR",
    partial(resize_of_axes, _AWAY),
)
RESIZE_IN_11_BITS = Rule(
    "resize_in_11_bits",
    "((t << 11) + (b - t) * w_v + 2**21) >> 22, t and b = (q << 11) + (q' - q) * w_h, "
    "w = rne(2**11 * fraction of the place in float32)",
    "XNNPACK, bilinear resizing",
    partial(resize_of_axes, Arithmetic(rounding="half_up", places="bits_11")),
)


def _nearest(count, places, align_corners, half_pixel):
    index = np.arange(places).astype(np.float32)
    if align_corners and places > 1:
        step = np.float32(count - 1) / np.float32(places - 1)
    else:
        step = np.float32(count) / np.float32(places)
    place = (index + np.float32(0.5 if half_pixel else 0)) * step
    nearest = np.floor(place.astype(np.float64) + (0.5 if align_corners else 0))
    return np.minimum(nearest.astype(np.int64), count - 1)


NEAREST = Rule(
    "nearest_of_codes",
    "min(floor((i + h) * f32(n / m)), n - 1), h = 0.5 for centers of pixels; with aligned corners "
    "half_away((i + h) * f32((n - 1) / (m - 1)))",
    "TensorFlow Lite, kernels of RESIZE_NEAREST_NEIGHBOR",
    _nearest,
)
