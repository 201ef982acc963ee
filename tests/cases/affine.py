"""Between real numbers and integers; views and copies of quantized tensors."""

import numpy as np
from cases.operands import DTYPES, ENDS, SPECIAL, floats
from cases.registry import operation


@operation("real", pointwise=True, recorded=15)
def quantize_per_tensor(d, x):
    dtype = d.pick(*DTYPES)
    parameters = d.scale(), d.zero_point(dtype), getattr(d.T, dtype)
    own = d.tensor(floats(d.rng, tuple(x.shape), *parameters[:2], dtype))
    return [d.call("quantize_per_tensor", real, *parameters) for real in (x, own)]


@operation(None, recorded=20)
def quantize_extremes(d, x):
    dtype, scale = d.pick(*DTYPES), d.pick(0.1, 1e-6, 1e30)
    x = d.tensor(np.concatenate([SPECIAL, SPECIAL[: d.whole(0, 7)]]))
    return d.call("quantize_per_tensor", x, scale, d.zero_point(dtype), getattr(d.T, dtype))


@operation(None, recorded=5)
def quantize_layouts(d, x):
    """Transposed, with gaps, of one element, of none."""
    x = d.tensor(floats(d.rng, (3, 5, 3, 7), 0.1, 100))
    views = x.permute(1, 0, 3, 2), x[1:, ::2], x[0, 0, 0, 0], x[:0]
    return [d.call("quantize_per_tensor", view, 0.1, 100, d.T.quint8) for view in views]


@operation("real", recorded=12)
def quantize_per_channel(d, x):
    if x.dim() == 0:
        x = x.reshape(1)
    dtype, axis = d.pick(*DTYPES), d.whole(0, x.dim() - 1)
    if d.peer and axis > 1:  # PyTorch rejects channels-last images
        x = x.contiguous()
    parameters = (*d.channels(x.shape[axis], dtype), axis, getattr(d.T, dtype))
    calls = [d.call("quantize_per_channel", x, *parameters)]
    q = d.T.quantize_per_channel(x, *parameters)
    return [*calls, *(d.call(name, q) for name in (".dequantize", ".q_per_channel_scales"))]


@operation("integers", recorded=10)
def dequantize(d, x):
    return d.call(".dequantize", x)


@operation("channels", recorded=6)
def dequantize_channels(d, x):
    names = (".dequantize", ".int_repr", ".q_per_channel_scales", ".q_per_channel_zero_points")
    return [d.call(name, x) for name in (*names, ".q_per_channel_axis", *[".clone"] * (not d.old))]


@operation(None, recorded=24)
def dequantize_every_byte(d, x):
    dtype = d.pick("quint8", "qint8")
    low, high = ENDS[dtype]
    x = d.tensor(np.arange(low, high + 1).astype(np.uint8 if low == 0 else np.int8))
    q = d.T._make_per_tensor_quantized_tensor(x, d.scale(), d.zero_point(dtype))
    return d.call(".dequantize", q)


@operation(None, recorded=20)
def dequantize_wrapping(d, x):
    """The difference between integer and zero point wraps."""
    real = [0.0, 1.0, -1.0, 1e9, -1e9, 3e9, -3e9, 4.2e9, -4.2e9, 16777217.0, 5e9]
    zero_point = d.pick(0, 7, -(2**31), 2**31 - 1, 2**24 + 1)
    q = d.T.quantize_per_tensor(d.tensor(np.array(real, np.float32)), 1.0, zero_point, d.T.qint32)
    return [d.call(".dequantize", q), d.call(".int_repr", q)]


@operation("real", recorded=10)
def copy_(d, x):
    target = d.quantized(tuple(x.shape), d.pick(*DTYPES), dense=True)
    return d.call(".copy_", target, x.contiguous() if d.peer else x)


@operation("integers", recorded=20)
def requantization(d, x):
    dtype = d.pick(*DTYPES)
    parameters = d.scale(x.q_scale()), d.zero_point(dtype), getattr(d.T, dtype)
    return d.call("quantize_per_tensor", x.dequantize(), *parameters)


@operation("integers", recorded=10)
def views(d, x):
    rank = x.dim()
    dense = x.contiguous() if d.peer else x  # PyTorch clones into row-major memory
    calls = [d.call(".clone", dense), d.call(".contiguous", x), d.call(".int_repr", x)]
    if rank:
        calls.append(d.call(".permute", x, *(int(n) for n in d.rng.permutation(rank))))
        dim = d.whole(0, rank - 1)
        calls.append(d.call(".narrow", x, dim, 0, x.shape[dim] // 2))
    return calls


# -- fewer than 8 bits, and float zero points ----------------------------------------------------

NEW = {"releases": ("2.13",)}
RANGES = {"quint8": (0, 255), "qint8": (-128, 127), "quint4x2": (0, 15), "quint2x4": (0, 3)}


def in_parts(quantize, *arguments):
    """Quantize; returns the integers as they are stored, and real numbers."""
    q = quantize(*arguments)
    return [q.int_repr(), q.dequantize()]


@operation(None, recorded=40, **NEW)
def quantize_few_bits(d, x):
    """Ties, range ends, and numbers that 64 bits do not hold."""
    name = d.pick("quint4x2", "quint2x4")
    scale, zero_point = d.scale(), d.whole(0, RANGES[name][1])
    shape = d.pick((7,), (3, 5), (2, 3, 4), (1, 33), (65,))
    halves = d.rng.randint(-9, 2 * RANGES[name][1] + 10, size=shape)
    with np.errstate(over="ignore"):
        x = ((halves / 2.0 - zero_point) * np.float64(np.float32(scale))).astype(np.float32)
    if d.chance(0.5):
        x = floats(d.rng, shape, scale, zero_point, "quint8")
    path = "quantize_per_tensor"
    arguments = d.tensor(x), scale, zero_point, getattr(d.T, name)
    return d.by(path, in_parts, d.call(path).function, *arguments)


@operation(None, recorded=60, **NEW)
def float_zero_points(d, x):
    """Zero points that are no integers, also outside the range."""
    name, shape = d.pick(*sorted(RANGES)), d.pick((3, 5), (2, 3, 4), (4, 33), (7,), (1, 65))
    low, high = RANGES[name]
    axis = d.whole(0, len(shape) - 1)
    count = shape[axis]
    scales = np.array([d.scale() for _ in range(count)], np.float32)
    halves = d.rng.randint(2 * low - 9, 2 * high + 10, size=count)
    zeros = (halves / d.pick(2.0, 4.0, 3.0)).astype(np.float32)
    wide = [count if n == axis else 1 for n in range(len(shape))]
    steps = d.rng.randint(2 * low - 9, 2 * high + 10, size=shape) / 2.0
    x = (steps - zeros.reshape(wide)) * scales.reshape(wide).astype(np.float64)
    x = np.where(d.rng.randint(0, 20, size=shape) == 0, SPECIAL[d.rng.randint(0, 10)], x)
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    path = "quantize_per_channel"
    arguments = d.tensor(x), d.tensor(scales), d.tensor(zeros), axis
    return d.by(path, in_parts, d.call(path).function, *arguments, getattr(d.T, name))
