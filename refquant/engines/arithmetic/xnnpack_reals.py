"""Operations of XNNPACK in float32, between a dequantization and a quantization by ExecuTorch.

ExecuTorch leaves a program to XNNPACK whole. What XNNPACK has no kernel of integers for stands
between two conversions: ``f32(s * (q - z))`` before it, ``clip(rne(f32(x * f32(1 / s))) + z)``
behind it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from refquant.engines.arithmetic import reals
from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import quantize_of_axes
from refquant.engines.arithmetic.runtime_codes import requantize_by_table
from refquant.engines.arithmetic.runtime_windows import place_in_float32
from refquant.engines.rule import Rule
from refquant.errors import EngineError

__all__ = [
    "AVERAGE",
    "HARDSWISH",
    "LEAKY_RELU",
    "REQUANTIZE",
    "RESIZE",
    "SIGMOID",
    "SOFTMAX",
    "TANH",
    "average_in_a_tree",
    "resize_by_lines",
]

_SOURCE = "XNNPACK in float32, measured below ExecuTorch 1.5.1 on x86"
_BY_INVERSE = Arithmetic(formed_by="product", overflow="saturated")
TAPS = 9  # of a window that is summed at once


def _rule(name: str, formula: str, function: Callable[..., Any], *fixed: Any) -> Rule:
    steps = f"clip(rne(f32({formula} * f32(1 / s))) + z)"
    rule = f"{steps}, x = f32(s_x * (q - z_x))"
    return Rule(f"{name}_by_inverse", rule, _SOURCE, partial(function, _BY_INVERSE, *fixed))


REQUANTIZE = _rule("requantize", "x", requantize_by_table)
SIGMOID = _rule("sigmoid", "f32(1 / (1 + exp(-x)))", reals.function_of_reals, reals.sigmoid)
TANH = _rule("tanh", "f32(tanh(x))", reals.function_of_reals, np.tanh)
SOFTMAX = _rule("softmax", "f32(exp(x) / sum exp(x))", reals.function_of_reals, reals.softmax)
HARDSWISH = _rule(
    "hardswish", "f32(x * clip(f32(f32(x / 6) + 0.5), 0, 1))", reals.hardswish_of_reals
)
LEAKY_RELU = _rule("leaky_relu", "x if x >= 0 else f32(x * slope)", reals.leaky_relu_of_reals)


def average_in_a_tree(axes, taps, inside, x_scale, x_zero, *to):
    """Average dequantized integers over windows of at most 9 taps, in pairs."""
    if len(taps) > TAPS:
        raise EngineError(
            argument="kernel",
            expected=f"at most {TAPS} pixels, whose order of sums is known",
            got=f"{len(taps)} pixels",
            hint="choose a smaller window, or another engine",
        )
    x = np.where(inside, reals.real(taps, x_scale, x_zero), np.float32(0))
    t = [*x, *[np.zeros_like(x[0])] * (TAPS - len(x))]
    total = ((t[2] + t[3]) + (t[4] + t[5])) + (((t[0] + t[1]) + t[8]) + (t[6] + t[7]))
    return quantize_of_axes(axes, total * (np.float32(1) / inside.sum(0).astype(np.float32)), *to)


AVERAGE = _rule(
    "average",
    "f32(f32(((x_2 + x_3) + (x_4 + x_5)) + (((x_0 + x_1) + x_8) + (x_6 + x_7))) * f32(1 / n))",
    average_in_a_tree,
)


def resize_by_lines(
    axes, images, height, width, align_corners, half_pixel, x_scale, x_zero, *output
):
    """Mix neighbors of dequantized images along lines, and then the lines."""
    x = reals.real(images, x_scale, x_zero)
    v, top, bottom = place_in_float32(height, x.shape[1], align_corners, half_pixel)
    h, left, right = place_in_float32(width, x.shape[2], align_corners, half_pixel)
    v, h = v[None, :, None, None], h[None, None, :, None]
    a, b, c, d = (x[:, r][:, :, s] for r in (top, bottom) for s in (left, right))
    above, below = a + (b - a) * h, c + (d - c) * h
    return quantize_of_axes(axes, above + (below - above) * v, *output)


RESIZE = _rule(
    "resize",
    "f32(t + f32((b - t) * w_v)), t and b = f32(x + f32((x' - x) * w_h)), w the fractions of "
    "places in float32,",
    resize_by_lines,
)
