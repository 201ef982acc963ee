r"""Rules of resizing: how far one step of the output goes in the input, and how pixels mix.

A step rule is called with ``(size, count, factor, align_corners)`` for one dimension of `size`
input and `count` output pixels; `factor` is None where a size was asked for. It returns float32.

A place rule is called with ``(index, step)`` and returns the float32 place in the input of every
output pixel, corners not aligned; a negative place becomes 0 afterwards.

A mixing rule is called with ``(a, b, c, d, h, w)``: float32 integers of the upper two and the
lower two neighbors, and the shares (first, second) of rows and of columns. It returns float32.
"""

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import fma


def _corner_step(size, count) -> np.float32:
    return np.float32(size - 1) / np.float32(count - 1) if count > 1 else np.float32(0)


def _ratio(size, count, factor, align_corners) -> np.float32:
    if align_corners:
        return _corner_step(size, count)
    return np.float32(size) / np.float32(count) if count > 1 else np.float32(0)


def _ratio_or_factor(size, count, factor, align_corners) -> np.float32:
    if align_corners:
        return _corner_step(size, count)
    if factor:
        return np.float32(1.0 / factor)
    return np.float32(size) / np.float32(count)


RATIO = Rule(
    "ratio",
    "f32(in / out), 0 for one output pixel; corners aligned f32((in - 1) / (out - 1))",
    "ATen upsampling, PyTorch 1.4",
    _ratio,
)
RATIO_OR_FACTOR = Rule(
    "ratio_or_factor",
    "f32(1 / scale_factor) if one is given, else f32(in / out); corners aligned "
    "f32((in - 1) / (out - 1))",
    "ATen upsampling, PyTorch 2.13",
    _ratio_or_factor,
)


def _place_rounded(index, step):
    return step * (index + np.float32(0.5)) - np.float32(0.5)


def _place_fused(index, step):
    return fma(step, index + np.float32(0.5), np.float32(-0.5))


PLACE_ROUNDED = Rule(
    "place_rounded",
    "f32(f32(step * f32(i + 0.5)) - 0.5)",
    "ATen upsample_bilinear2d on row-major images, PyTorch 2.13",
    _place_rounded,
)
PLACE_FUSED = Rule(
    "place_fused",
    "fma(step, f32(i + 0.5), -0.5)",
    "ATen upsample_bilinear2d on channels-last images, and on all in PyTorch 1.4",
    _place_fused,
)


def _mix_rounded(a, b, c, d, h, w):
    upper, lower = w[0] * a + w[1] * b, w[0] * c + w[1] * d
    return h[0] * upper + h[1] * lower


def _mix_fused(a, b, c, d, h, w):
    upper, lower = fma(w[1], b, w[0] * a), fma(w[1], d, w[0] * c)
    return fma(h[1], lower, h[0] * upper)


def _mix_fused_first(a, b, c, d, h, w):
    upper, lower = fma(w[0], a, w[1] * b), fma(w[0], c, w[1] * d)
    return fma(h[0], upper, h[1] * lower)


MIX_ROUNDED = Rule(
    "mix_rounded",
    "h0 * (w0 * A + w1 * B) + h1 * (w0 * C + w1 * D), every product and sum rounded",
    "ATen upsample_bilinear2d on row-major images, PyTorch 1.4 and 2.13",
    _mix_rounded,
)
MIX_FUSED = Rule(
    "mix_fused",
    "fma(h1, fma(w1, D, f32(w0 * C)), f32(h0 * fma(w1, B, f32(w0 * A))))",
    "ATen upsample_bilinear2d on channels-last images (vector body)",
    _mix_fused,
)
MIX_FUSED_FIRST = Rule(
    "mix_fused_first",
    "fma(h0, fma(w0, A, f32(w1 * B)), f32(h1 * fma(w0, C, f32(w1 * D))))",
    "ATen upsample_bilinear2d on channels-last images (scalar code)",
    _mix_fused_first,
)
