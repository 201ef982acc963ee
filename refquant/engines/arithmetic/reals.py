"""Operations between dequantization and quantization, in float32: graphs whose pairs stay unfused.

Every rule dequantizes, ``f32(s * (q - z))``, computes the operation in float32 as ONNX Runtime does
on x86, and quantizes, ``clip(rne(f32(x / s)) + z)``. Functions are computed in float64 and rounded
once to float32; the runtime's own approximations differ from that in the last bits, which no
comparison of results of eight bits showed.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import quantize_of_axes
from refquant.engines.arithmetic.runtime_codes import steps_of
from refquant.engines.rule import FusedRule, Rule
from refquant.engines.rules.float32 import single
from refquant.errors import EngineError

__all__ = [
    "ADD",
    "AVERAGE",
    "ELU",
    "GLOBAL_AVERAGE",
    "HARDSWISH",
    "LEAKY_RELU",
    "MEAN",
    "MULTIPLY",
    "RESIZE",
    "SIGMOID",
    "SOFTMAX",
    "SUBTRACT",
    "TANH",
    "real",
    "sigmoid",
    "softmax",
]

_SOURCE = "ONNX Runtime without fusion, measured with release 1.32 on x86"
_X = ", x = f32(s_x * (q - z_x))"


def real(q, scale, zero_point):
    """Dequantize integers in float32."""
    return single(scale) * steps_of(q, zero_point).astype(np.float32)


def _rule(name: str, formula: str, function: Callable[..., Any], kind: Any = Rule) -> Any:
    return kind(f"{name}_of_reals", f"clip(rne(f32({formula} / s)) + z){_X}", _SOURCE, function)


# -- pairs -----------------------------------------------------------------------------------


def _pair(combine, axes, a, a_scale, a_zero, b, b_scale, b_zero, *to):
    x = combine(real(a, a_scale, a_zero), real(b, b_scale, b_zero))
    return quantize_of_axes(axes, x, *to)


def add_of_reals(axes, *operands):
    """Add dequantized operands."""
    return _pair(np.add, axes, *operands)


def subtract_of_reals(axes, *operands):
    """Subtract dequantized operands."""
    return _pair(np.subtract, axes, *operands)


def multiply_of_reals(axes, *operands):
    """Multiply dequantized operands."""
    return _pair(np.multiply, axes, *operands)


_EVEN = Arithmetic(overflow="saturated")
ADD = _rule("add", "f32(a + b)", partial(add_of_reals, _EVEN), FusedRule)
SUBTRACT = _rule("subtract", "f32(a - b)", partial(subtract_of_reals, _EVEN), FusedRule)
MULTIPLY = _rule("multiply", "f32(a * b)", partial(multiply_of_reals, _EVEN), FusedRule)

# -- functions -------------------------------------------------------------------------------


def function_of_reals(axes, function, q, x_scale, x_zero, *to):
    """Compute a function of dequantized integers."""
    wide = real(q, x_scale, x_zero).astype(np.float64)
    return quantize_of_axes(axes, function(wide).astype(np.float32), *to)


def sigmoid(x):
    """Compute the logistic function in float64."""
    return 1 / (1 + np.exp(-x))


def _elu(x):
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


def softmax(x):
    """Divide powers by the sums of their rows, in float64."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def hardswish_of_reals(axes, q, x_scale, x_zero, *to):
    """Multiply dequantized integers by their gate."""
    x = real(q, x_scale, x_zero)
    gate = np.clip(x * np.float32(1 / 6) + np.float32(0.5), np.float32(0), np.float32(1))
    return quantize_of_axes(axes, x * gate, *to)


def leaky_relu_of_reals(axes, q, x_scale, x_zero, slope, *to):
    """Multiply negative dequantized integers by the slope."""
    x = real(q, x_scale, x_zero)
    return quantize_of_axes(axes, np.where(x >= 0, x, x * np.float32(slope)), *to)


SIGMOID = _rule(
    "sigmoid",
    "f32(1 / (1 + exp(-x)))",
    partial(function_of_reals, _EVEN, sigmoid),
)
TANH = _rule("tanh", "f32(tanh(x))", partial(function_of_reals, _EVEN, np.tanh))
ELU = _rule("elu", "x if x >= 0 else f32(exp(x) - 1)", partial(function_of_reals, _EVEN, _elu))
SOFTMAX = _rule("softmax", "f32(exp(x) / sum exp(x))", partial(function_of_reals, _EVEN, softmax))
HARDSWISH = _rule(
    "hardswish", "f32(x * clip(f32(f32(x / 6) + 0.5), 0, 1))", partial(hardswish_of_reals, _EVEN)
)
LEAKY_RELU = _rule(
    "leaky_relu", "x if x >= 0 else f32(x * slope)", partial(leaky_relu_of_reals, _EVEN)
)

# -- averages --------------------------------------------------------------------------------


def _in_order(parts):
    """Add arrays one after the other."""
    return np.add.accumulate(parts, axis=0, dtype=np.float32)[-1]


def average_of_reals(axes, taps, inside, x_scale, x_zero, *to):
    """Average dequantized integers over windows."""
    x = np.where(inside, real(taps, x_scale, x_zero), np.float32(0))
    return quantize_of_axes(axes, _in_order(x) / single(inside.sum(0)), *to)


AVERAGE = _rule("average", "f32(sum x / n)", partial(average_of_reals, _EVEN))


def _lanes(x, count):
    """Add vectors of `count` numbers along the first dimension; returns lanes, and what is left."""
    whole = len(x) - len(x) % count
    return _in_order(x[:whole].reshape(-1, count, *x.shape[1:])), x[whole:]


def _closed(lanes, rest):
    """Add four lanes, the first to the third, and then single numbers."""
    total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    return _in_order(np.concatenate([total[None], rest]))


def _along_rows(x):
    """Add along the first dimension by vectors of four, two of them side by side, as Eigen does."""
    if len(x) < 4:
        return _in_order(x)
    if len(x) < 8:
        return _closed(x[:4], x[4:])
    eight, rest = _lanes(x, 8)
    lanes = eight[:4] + eight[4:]
    if len(rest) >= 4:
        lanes, rest = lanes + rest[:4], rest[4:]
    return _closed(lanes, rest)


def mean_of_reals(axes, q, along, keepdims, x_scale, x_zero, *to):
    """Average dequantized integers along some dimensions."""
    x, dims = real(q, x_scale, x_zero), q.ndim
    shape = tuple(
        1 if d in along else n for d, n in enumerate(x.shape) if keepdims or d not in along
    )
    if along == (dims - 1,):
        total = _along_rows(np.moveaxis(x, -1, 0))
    elif dims == 4 and along == (1, 2):
        lines = _in_order(np.moveaxis(x, 2, 0))  # along each line first
        total = _in_order(np.moveaxis(lines, 1, 0))
    else:
        raise EngineError(
            argument="axes",
            expected="the last one, or 1 and 2 of four, whose order of sums is known",
            got=repr(along),
        )
    count = math.prod(q.shape[axis] for axis in along)
    return quantize_of_axes(axes, total / np.float32(count), *to).reshape(shape)


MEAN = _rule("mean", "f32(sum x / n)", partial(mean_of_reals, _EVEN))


def global_average_of_reals(axes, images, x_scale, x_zero, *to):
    """Average dequantized integers over images."""
    x = real(images, x_scale, x_zero)
    pixels = np.moveaxis(x, -1, 0).reshape(x.shape[-1], len(x), -1)
    places = np.moveaxis(pixels, -1, 0)
    count = np.float32(len(places))
    total = _closed(*_lanes(places, 4)) if len(places) >= 4 else _in_order(places)
    return quantize_of_axes(axes, total / count, *to).T[:, None, None]


GLOBAL_AVERAGE = _rule(
    "global_average", "f32(sum x / n), in four lanes", partial(global_average_of_reals, _EVEN)
)

# -- resizing --------------------------------------------------------------------------------


def _axis(count, places, align_corners, half_pixel):
    """Find the neighbors of each place of an axis, and how far away they are."""
    index, last = np.arange(places).astype(np.float32), np.float32(count - 1)
    scale = np.float32(places) / np.float32(count)
    if align_corners:
        place = index * last / np.float32(places - 1) if places > 1 else index * 0
    elif half_pixel:
        place = (index + np.float32(0.5)) / scale - np.float32(0.5)
    else:
        place = index / scale
    place = np.clip(place, np.float32(0), last)
    low = np.minimum(place.astype(np.int64), count - 1)
    high = np.minimum(low + 1, count - 1)
    after, before = (np.abs(place - end.astype(np.float32)) for end in (low, high))
    half = np.float32(0.5)
    return low, high, np.where(low == high, half, after), np.where(low == high, half, before)


def resize_of_reals(
    axes, images, height, width, align_corners, half_pixel, x_scale, x_zero, *output
):
    """Mix neighbors of dequantized images."""
    x = real(images, x_scale, x_zero)
    kind = align_corners, half_pixel
    top, bottom, down, up = _axis(x.shape[1], height, *kind)
    left, right, after, before = _axis(x.shape[2], width, *kind)
    down, up = (share[None, :, None, None] for share in (down, up))
    after, before = (share[None, None, :, None] for share in (after, before))
    corners = [x[:, line][:, :, column] for line in (top, bottom) for column in (left, right)]
    shares = (before * up, after * up, before * down, after * down)
    mixed = _in_order(np.stack([share * c for share, c in zip(shares, corners, strict=True)]))
    return quantize_of_axes(axes, mixed, *output)


RESIZE = _rule(
    "resize",
    "f32(a x_11 + b x_12 + c x_21 + d x_22), a = f32(d_x * d_y) and so on",
    partial(resize_of_reals, _EVEN),
)
