"""Random calls of operations whose operand is a quantized tensor; see `fuzz.calls`."""

import math

import numpy as np
from fuzz.calls import (
    DTYPES,
    Call,
    bias_of,
    operation,
    pick,
    quantized_of,
    scale_of,
    weight_of,
    zero_point_of,
)

import refquant
from refquant.nn.quantized import functional as F

ops = refquant.ops.quantized


@operation("integers", "channels")
def dequantize(rng, x):
    return Call(lambda x: x.dequantize(), x)


@operation("integers", name="requantization")
def requantization(rng, x):
    dtype = pick(rng, *DTYPES)

    def again(x, *arguments):
        return refquant.quantize_per_tensor(x.dequantize(), *arguments)

    return Call(again, x, (scale_of(rng, x.scale), zero_point_of(rng, dtype), dtype))


# -- element by element --------------------------------------------------------------------------


@operation("integers", name="relu, relu_")
def relu(rng, x):
    return Call(pick(rng, refquant.relu, lambda x: x.relu_(), F.relu), x)


@operation("integers")
def relu6(rng, x):
    return Call(ops.relu6, x, (bool(rng.integers(2)),))


@operation("integers", name="clamp, hardtanh")
def clamp(rng, x):
    ends = sorted(float(v) * x.scale / 2 for v in rng.integers(-400, 400, 2))
    if rng.random() < 0.2:
        ends[int(rng.integers(2))] = pick(rng, math.inf, -math.inf, 1e38)
    functional = refquant.nn.functional.hardtanh
    return Call(pick(rng, functional, lambda x, *ends: x.clamp(*ends)), x, tuple(ends))


def other_of(rng, x):
    """Draw a second operand: of the same shape, or one that broadcasts."""
    shape = x.array.shape
    kind = rng.random()
    if kind < 0.15 and shape:
        shape = tuple(1 if rng.random() < 0.5 else n for n in shape)
    elif kind < 0.25:
        shape = shape[int(rng.integers(len(shape) + 1)) :]
    return x if kind > 0.95 else quantized_of(rng, shape, x.dtype, near=x.scale)


def enter_binary(name, functions):
    @operation("integers", name=name)
    def binary(rng, x):
        y, function = other_of(rng, x), getattr(ops, pick(rng, *functions))
        near = x.scale if name == "add" else min(x.scale * 8, 1e30)
        zero_point = zero_point_of(rng, x.dtype)
        if rng.random() < 0.3:
            x, y = y, x
        return Call(function, x, (y, scale_of(rng, near), zero_point))


enter_binary("add", ("add", "add_relu"))
enter_binary("mul", ("mul", "mul_relu"))


def _written(x, y, out, name):
    return getattr(ops, name)(x, y, out)


@operation("integers", name="add_out, mul_out")
def written(rng, x):
    y, out = (quantized_of(rng, x.array.shape, x.dtype, near=x.scale) for _ in range(2))
    name = pick(rng, "add_out", "add_relu_out", "mul_out", "mul_relu_out")
    return Call(_written, x, (y, out, name))


def number_of(rng, x):
    """Draw a number: some steps of the operand, ties, and steps at the ends of int32."""
    low, high = x.dtype.quant_min, x.dtype.quant_max
    steps = pick(
        rng,
        int(rng.integers(-600, 600)) / 2,
        int(rng.integers(-(2**31), 2**31)),
        x.zero_point - low,
        x.zero_point - high,
        x.zero_point - low + 1,
        *(-1, 1, 2**31 - 1, -(2**31), 0),
    )
    return float(steps) * x.scale


@operation("integers")
def add_scalar(rng, x):
    return Call(pick(rng, ops.add_scalar, ops.add_scalar_relu), x, (number_of(rng, x),))


@operation("integers")
def mul_scalar(rng, x):
    number = pick(rng, 0.0, -1.0, float(rng.normal() * 3), scale_of(rng), -scale_of(rng))
    return Call(pick(rng, ops.mul_scalar, ops.mul_scalar_relu), x, (number,))


@operation("integers")
def elu(rng, x):
    alpha = float(pick(rng, 1.0, 1.67326, 0.5, -1.0))
    arguments = (scale_of(rng, 0.02), zero_point_of(rng, x.dtype), alpha)
    if rng.random() < 0.3:
        arguments += (float(pick(rng, 1.0507, 1.0)), float(pick(rng, 1.0, 0.7)))
    return Call(ops.elu, x, arguments)


@operation("integers")
def cat(rng, x):
    if x.array.ndim == 0:
        return None
    dim = int(rng.integers(x.array.ndim)) if rng.random() < 0.5 else min(1, x.array.ndim - 1)
    pieces = []
    for _ in range(int(pick(rng, 0, 1, 1, 2))):
        shape = list(x.array.shape)
        shape[dim] = int(pick(rng, shape[dim], 1, 0, 9, 33))
        if np.prod(shape) > 20_000:
            return None
        pieces.append(quantized_of(rng, tuple(shape), x.dtype, near=x.scale))

    def joined(x, pieces, name, *arguments):
        return getattr(ops, name)([x, *pieces], *arguments)

    parameters = (scale_of(rng, x.scale), zero_point_of(rng, x.dtype))
    if rng.random() < 0.2:
        parameters = (x.scale, x.zero_point)
    return Call(joined, x, (pieces, pick(rng, "cat", "cat_relu"), dim, *parameters))


@operation("integers", name="comparison")
def comparison(rng, x):
    name = pick(rng, "eq", "ne", "lt", "le", "gt", "ge")
    other = other_of(rng, x) if rng.random() < 0.7 else number_of(rng, x)
    return Call(lambda x, y: getattr(refquant, name)(x, y), x, (other,))


# -- reductions, views ---------------------------------------------------------------------------


@operation("integers")
def mean(rng, x):
    ndim = x.array.ndim
    count = int(rng.integers(0, ndim + 1))
    dims = pick(
        rng,
        None,
        tuple(range(ndim - count, ndim)),
        tuple(int(d) for d in rng.permutation(ndim)[:count]),
        (2, 3) if ndim == 4 else None,
    )
    return Call(lambda x, *a: x.mean(*a), x, (dims or None, bool(rng.integers(2))))


@operation("integers", name="max, min, sort, topk")
def order(rng, x):
    if x.array.ndim == 0:
        return None
    dim = int(rng.integers(x.array.ndim))
    name = pick(rng, "max", "min", "sort", "topk")
    arguments = (1, dim) if name == "topk" else (dim, bool(rng.integers(2)))
    if name in ("max", "min") and rng.random() < 0.3:
        arguments = ()
    return Call(lambda x, *a: list(getattr(x, name)(*a)) if a else getattr(x, name)(), x, arguments)


@operation("integers", "channels", name="views")
def views(rng, x):
    ndim = x.array.ndim
    if x.axis is not None or ndim == 0:
        return Call(lambda x: x.clone(), x)
    kind = pick(rng, "permute", "slice", "contiguous", "channels_last", "step")
    order = tuple(int(d) for d in rng.permutation(ndim))
    dim = int(rng.integers(ndim))
    start = int(rng.integers(0, x.array.shape[dim] + 1)) // 2

    def view(x):
        if kind == "permute":
            return x.permute(*order)
        if kind == "slice":
            return x[(slice(None),) * dim + (slice(start, None),)]
        if kind == "step":
            return x[(slice(None),) * dim + (slice(None, None, 2),)]
        if kind == "channels_last" and ndim == 4:
            return x.contiguous(memory_format=refquant.channels_last)
        return x.contiguous()

    return Call(view, x)


# -- images --------------------------------------------------------------------------------------


def window_of(rng, x):
    """Draw size, step and border of a window that mostly fits."""
    sizes = x.array.shape[-2:]
    kernel = tuple(int(rng.integers(1, min(n, 5) + 1)) if n else 1 for n in sizes)
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    step = tuple(int(n) for n in rng.integers(1, 4, 2))
    return kernel, step, padding


@operation("image")
def max_pool2d(rng, x):
    kernel, step, padding = window_of(rng, x)
    dilation = int(pick(rng, 1, 1, 1, 2))
    return Call(F.max_pool2d, x, (kernel, step, padding, dilation, bool(rng.integers(2))))


@operation("image")
def avg_pool2d(rng, x):
    kernel, step, padding = window_of(rng, x)
    if rng.random() < 0.05:
        kernel = (1, 1)
    override = pick(rng, None, None, None, 1, 7, 1000, 2**31, 2**62)
    arguments = (kernel, step, padding, bool(rng.integers(2)), bool(rng.integers(2)), override)
    return Call(F.avg_pool2d, x, arguments)


@operation("image")
def adaptive_avg_pool2d(rng, x):
    size = pick(rng, 1, 2, tuple(int(n) for n in rng.integers(1, 9, 2)), (None, 1))
    return Call(F.adaptive_avg_pool2d, x, (size,))


@operation("image")
def interpolate(rng, x):
    mode = pick(rng, "nearest", "bilinear", "bilinear")
    size = tuple(int(n) for n in rng.integers(1, 12, 2))
    factor = None
    if rng.random() < 0.4:
        size, factor = None, float(pick(rng, 2.0, 0.5, 1.5, 1.3, 0.77, 3.0))
    corners = bool(rng.integers(2)) if mode == "bilinear" else None
    return Call(F.interpolate, x, (size, factor, mode, corners))


def _convolved(x, weight, bias, geometry, name, scale, zero_point):
    rank = 3 if "3d" in name else 2
    packed = getattr(ops, f"conv{rank}d_prepack")(weight, bias, *geometry)
    return getattr(ops, name)(x, packed, scale, zero_point)


def enter_convolution(kind, rank, names):
    @operation(kind, name=names[0])
    def convolution(rng, x):
        channels = x.array.shape[1]
        divisors = [g for g in range(1, channels + 1) if channels % g == 0] or [1]
        groups = int(pick(rng, 1, pick(rng, *divisors), channels or 1))
        outputs = groups * int(pick(rng, 1, 1, 2, 3, 5))
        kernel, padding = [], []
        dilation = int(pick(rng, 1, 1, 1, 2))
        for n in x.array.shape[2:]:
            padding.append(int(rng.integers(0, 3)))
            room = (n + 2 * padding[-1] - 1) // dilation + 1
            kernel.append(int(rng.integers(1, max(min(room, 4), 1) + 1)))
        depth = channels // groups * int(np.prod(kernel))
        weight = weight_of(rng, (outputs, channels // groups, *kernel), rng.random() < 0.4)
        scale = scale_of(rng, x.scale * math.sqrt(depth + 1) * 2)
        geometry = (int(pick(rng, 1, 1, 2, 3)), tuple(padding), dilation, groups)
        zero_point = zero_point_of(rng, refquant.quint8)
        bias = bias_of(rng, outputs, float(np.mean(weight.scale)) * x.scale)
        return Call(_convolved, x, (weight, bias, geometry, pick(rng, *names), scale, zero_point))


enter_convolution("bytes", 2, ("conv2d", "conv2d_relu"))
enter_convolution("volume", 3, ("conv3d", "conv3d_relu"))


def _multiplied(x, weight, bias, name, scale, zero_point):
    return getattr(ops, name)(x, ops.linear_prepack(weight, bias), scale, zero_point)


@operation("rows", name="linear")
def linear(rng, x):
    depth, outputs = x.array.shape[-1], int(pick(rng, 1, 3, 4, 8, 15, 17, 33, 65))
    weight = weight_of(rng, (outputs, depth), rng.random() < 0.4)
    scale = scale_of(rng, x.scale * math.sqrt(depth + 1) * 2)
    zero_point = zero_point_of(rng, refquant.quint8)
    bias = bias_of(rng, outputs, float(np.mean(weight.scale)) * x.scale)
    return Call(
        _multiplied, x, (weight, bias, pick(rng, "linear", "linear_relu"), scale, zero_point)
    )
