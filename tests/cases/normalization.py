"""Normalizations: of channels, groups, rows; the standard deviation."""

import numpy as np
from cases.registry import SIZES, operation


def floats(d, shape):
    """Draw float32 on eighths: products and sums of them often lie on ties."""
    return d.rng.randint(-16, 17, size=shape).astype(np.float32) / np.float32(8)


def vectors(d, count, signs="ww"):
    """Draw a tensor of so many numbers for each letter: any of them, positive ones for ``v``."""
    made = []
    for sign in signs:
        x = floats(d, count)
        made.append(d.tensor(np.abs(x) + np.float32(0.25) if sign == "v" else x))
    return made


def output(d, x):
    """Draw scale and zero point of a result with a deviation of about 1."""
    if "qint32" in str(x.dtype):
        return d.pick(2.0**-10, 0.01), d.zero_point(x.dtype)
    return d.pick(2.0**-5, 2.0**-4, 0.02, 0.03), d.zero_point(x.dtype)


def held(d, x):
    """Return an operand whose sums of squares no order of additions shows."""
    if d.peer and "qint32" in str(x.dtype):
        return d.quantized(tuple(x.shape), d.pick("quint8", "qint8"), dense=True)
    return x


BAD = (("eps", "small", "ArgumentTypeError"),)


@operation("image", releases=("2.13",), recorded=30, benchmark=SIZES, rejects=BAD)
def batch_norm(d, x):
    given = (*vectors(d, x.shape[1], "wwwv"), d.pick(1e-5, 0.0), *output(d, x))
    name = d.pick("batch_norm", "batch_norm_relu", "batch_norm2d", "batch_norm2d_relu")
    return [
        d.call("ops.quantized." + name, x, *given),
        d.call("quantized_batch_norm", x, *given),
    ]


@operation("volume", releases=("2.13",), recorded=10, rejects=BAD)
def batch_norm3d(d, x):
    given = (*vectors(d, x.shape[1], "wwwv"), d.pick(1e-5, 0.0), *output(d, x))
    name = d.pick("batch_norm3d", "batch_norm3d_relu")
    return d.call("ops.quantized." + name, x, *given)


@operation(None, releases=("2.13",), recorded=15)
def batch_norm1d(d, x):
    shape = d.pick((5, 9), (2, 17, 3), (3, 8, 5), (1, 40))
    x = d.quantized(shape, d.pick("quint8", "qint8", "qint32"))
    given = (*vectors(d, x.shape[1], "wwwv"), d.pick(1e-5, 0.0), *output(d, x))
    name = d.pick("batch_norm1d", "batch_norm1d_relu")
    return d.call("ops.quantized." + name, x, *given)


@operation("image", releases=("2.13",), recorded=40, benchmark=SIZES, rejects=BAD)
def group_norm(d, x):
    x, channels = held(d, x), max(x.shape[1], 1)
    groups = d.pick(*(g for g in (1, 2, 3, channels) if channels % g == 0))
    given = (*vectors(d, x.shape[1]), d.pick(1e-5, 1e-3), *output(d, x))
    return [
        d.call("ops.quantized.group_norm", x, groups, *given),
        d.call("ops.quantized.instance_norm", x, *given),
    ]


@operation(None, releases=("2.13",), recorded=4)
def group_norm_of_many_pixels(d, x):
    """From 512 pixels on, sums are those of float32."""
    x = d.quantized((1, d.pick(6, 36), 24, 23), d.pick("quint8", "qint8"), dense=True)
    x = x.contiguous(memory_format=d.T.channels_last)
    given = (*vectors(d, x.shape[1]), 1e-5, *output(d, x))
    return d.call("ops.quantized.group_norm", x, d.pick(1, 2, 6), *given)


@operation("integers", releases=("2.13",), recorded=40, benchmark=SIZES, rejects=BAD)
def layer_norm(d, x):
    x = held(d, x)
    if x.dim() == 0:
        x = x.reshape(1)
    count = d.whole(1, min(2, x.dim()))
    shape = [int(n) for n in x.shape[x.dim() - count :]]
    affine = d.pick((None, None), vectors(d, shape), (vectors(d, shape)[0], None))
    return d.call("ops.quantized.layer_norm", x, shape, *affine, 1e-5, *output(d, x))


@operation("integers", releases=("2.13",), recorded=30)
def std(d, x):
    x = held(d, x)
    dims = list(range(x.dim()))
    calls = [d.call("std", x), d.call(".std", x, unbiased=False)]
    if dims:
        calls += [d.call("std", x, -1, d.chance(0.5), d.chance(0.5))]
        calls += [d.call("std", x, dim=d.pick(dims[-2:], dims[:1]), correction=d.pick(0, 1, 2))]
    return calls
