"""Every operation on quantized tensors, drawn at random: shapes, layouts, parameters, ties.

An operation is a function ``operation(T, rng)`` written once against a namespace `T` that is
torch or refquant. It draws all it needs from the generator, in the same order for both, and
returns a list of results. Integers and parameters lie on coarse grids, so that many results are
ties.
"""

import numpy as np
from golden import programs as p

OPERATIONS = {}
STORAGE = {"quint8": np.uint8, "qint8": np.int8, "qint32": np.int32}
LENGTHS = (1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 130)


def operation(name=None, engines=("fbgemm", "qnnpack"), tolerance=0.0):
    """Enter a function into the table; floats may differ by this share of the largest."""

    def enter(function):
        function.engines, function.tolerance = engines, tolerance
        OPERATIONS[name or function.__name__] = function
        return function

    return enter


def on_qnnpack(T):
    return T.backends.quantized.engine == "qnnpack"


def pick(rng, *choices):
    return choices[rng.randint(len(choices))]


def pair(rng, low, high, count=2):
    return tuple(int(v) for v in rng.randint(low, high, size=count))


def zero_point(rng, dtype):
    """Draw a zero point; QNNPACK cannot clamp to a range of one number."""
    return min(p.zero_point(rng, dtype), 254)


def tensor(T, rng, shape, dtype="quint8", scale=None, largest=None):
    """Make a tensor of these extents, with gaps, transposed or channels-last."""
    low, high = p.RANGES[dtype] if dtype != "qint32" else (-1000, 1000)
    layout = rng.randint(5)
    own = list(shape)
    if layout == 1 and len(shape) > 1:
        own[0], own[-1] = own[-1], own[0]
    elif layout == 2:
        own[-1] += 2
    ints = rng.randint(low, (high if largest is None else largest) + 1, size=own)
    s, z = p.scale(rng) if scale is None else scale, zero_point(rng, dtype)
    made = T._make_per_tensor_quantized_tensor(p.tensor(T, ints.astype(STORAGE[dtype])), s, z)
    if layout == 1 and len(shape) > 1:
        return made.transpose(0, len(shape) - 1)
    if layout == 2:
        return made[..., 1:-1]
    if layout > 2 and len(shape) == 4:
        return made.contiguous(memory_format=T.channels_last)
    return made


def shape_of(rng):
    return pick(rng, (int(pick(rng, *LENGTHS)),), pair(rng, 1, 70), (2, 3, *pair(rng, 1, 12)))


def image_of(rng):
    return (int(rng.randint(1, 3)), int(pick(rng, 2, 7, 8, 9, 17, 33)), *pair(rng, 4, 9))


def dtype_of(rng):
    return pick(rng, "quint8", "qint8", "qint32")


def operands(T, rng):
    dtype, shape, scale = dtype_of(rng), shape_of(rng), p.scale(rng)
    a = tensor(T, rng, shape, dtype, scale)
    b = tensor(T, rng, shape, dtype, scale * pick(rng, 0.5, 1, 2, 1.37))
    return a, b, float(scale * pick(rng, 0.5, 1, 2, 3, 0.77)), zero_point(rng, dtype)


def enter_binary(name):
    @operation(name)
    def binary(T, rng):
        a, b, scale, zero = operands(T, rng)
        return [getattr(T.ops.quantized, name)(a, b, scale, zero)]

    @operation(name + "_out")
    def written(T, rng):
        a, b, scale, zero = operands(T, rng)
        out = getattr(T.ops.quantized, name)(a, b, scale, zero)
        return [getattr(T.ops.quantized, name + "_out")(b, a, out)]


def enter_scalar(name):
    def drawn(T, rng):
        scale = p.scale(rng)
        number = scale * rng.randint(-600, 600) / 2.0
        return tensor(T, rng, shape_of(rng), dtype_of(rng), scale), float(number or 1.0)

    @operation(name)
    def scalar(T, rng):
        return [getattr(T.ops.quantized, name)(*drawn(T, rng))]

    @operation(name + "_out")
    def written(T, rng):
        q, number = drawn(T, rng)
        out = getattr(T.ops.quantized, name)(q, number)
        return [getattr(T.ops.quantized, name + "_out")(q, number, out)]


def pieces_of(T, rng):
    dtype, shape, scale = dtype_of(rng), shape_of(rng), p.scale(rng)
    return [tensor(T, rng, shape, dtype, scale * f) for f in (1, 2, 1.37)], scale, dtype


def enter_joining(name):
    @operation(name)
    def joining(T, rng):
        pieces, scale, dtype = pieces_of(T, rng)
        dim = int(rng.randint(pieces[0].dim()))
        return [getattr(T.ops.quantized, name)(pieces, dim, scale, zero_point(rng, dtype))]

    @operation(name + "_out")
    def written(T, rng):
        pieces, scale, dtype = pieces_of(T, rng)
        dim = int(rng.randint(pieces[0].dim()))
        out = getattr(T.ops.quantized, name)(pieces, dim, scale, zero_point(rng, dtype))
        return [getattr(T.ops.quantized, name + "_out")(pieces[::-1], dim, out)]


for _name in ("add", "add_relu", "mul", "mul_relu"):
    enter_binary(_name)
for _name in ("add_scalar", "add_scalar_relu", "mul_scalar", "mul_scalar_relu"):
    enter_scalar(_name)
for _name in ("cat", "cat_relu"):
    enter_joining(_name)


@operation()
def elu(T, rng):
    dtype = dtype_of(rng)
    q = tensor(T, rng, shape_of(rng), dtype, float(pick(rng, 1 / 3, 0.5, 0.1, 0.02)))
    scale, zero = float(pick(rng, 2 / 3, 1 / 3, 0.5, 1 / 128)), zero_point(rng, dtype)
    return [T.ops.quantized.elu(q, scale, zero, float(pick(rng, 1, 1.67326, 0.5)))]


def clamped(T, rng):
    """Draw what to clamp; QNNPACK scrambles channels-last images."""
    q = tensor(T, rng, shape_of(rng), dtype_of(rng))
    return q.contiguous() if on_qnnpack(T) else q


@operation()
def relu6(T, rng):
    return [T.ops.quantized.relu6(clamped(T, rng), False)]


@operation()
def relu(T, rng):
    q = tensor(T, rng, shape_of(rng), dtype_of(rng))
    return [T.relu(q), T.nn.functional.relu(q), q.relu()]


@operation("clamp, hardtanh")
def clamp(T, rng):
    q = clamped(T, rng)
    ends = sorted(float(v) * q.q_scale() / 2 for v in rng.randint(-400, 400, size=2))
    return [q.clamp(*ends), T.nn.functional.hardtanh(q, *ends)]


@operation("max, min, sort, topk")
def order(T, rng):
    # Equal values could come in any order: each once.
    ints = rng.permutation(256)[: int(pick(rng, *LENGTHS))].astype(np.uint8)
    q = T._make_per_tensor_quantized_tensor(p.tensor(T, ints), p.scale(rng), 7)
    return [q.max(), q.min(), *q.sort(0, True), *q.topk(1, 0)]


@operation("eq, ne, lt, le, gt, ge")
def comparisons(T, rng):
    a, b, _, _ = operands(T, rng)
    return [getattr(T, name)(a, b) for name in ("eq", "ne", "lt", "le", "gt", "ge")]


@operation()
def mean(T, rng):
    q = tensor(T, rng, image_of(rng), pick(rng, "quint8", "qint8"))
    dims = pick(rng, (0,), (1,), (0, 1), (0, 2), (1, 3), (0, 2, 3))
    return [q.contiguous().mean((2, 3)), T.mean(q.contiguous(), (1, 2, 3)), q.mean(dims)]


@operation()
def quantize_per_tensor(T, rng):
    dtype = dtype_of(rng)
    scale, zero = p.scale(rng), p.zero_point(rng, dtype)
    x = p.tensor(T, p.floats(rng, shape_of(rng), scale, zero, dtype))
    return [T.quantize_per_tensor(x, scale, zero, getattr(T, dtype))]


def channels_of(T, rng):
    dtype, shape = dtype_of(rng), shape_of(rng)
    axis = int(rng.randint(len(shape)))
    scales = np.array([p.scale(rng) for _ in range(shape[axis])])
    zeros = rng.randint(0, 100, size=shape[axis]).astype(np.int64)
    x = p.tensor(T, p.floats(rng, shape, float(scales[0]), int(zeros[0]), dtype))
    return x, p.tensor(T, scales), p.tensor(T, zeros), axis, getattr(T, dtype)


@operation()
def quantize_per_channel(T, rng):
    return [T.quantize_per_channel(*channels_of(T, rng))]


@operation()
def dequantize(T, rng):
    q = tensor(T, rng, shape_of(rng), dtype_of(rng))
    return [q.dequantize(), T.quantize_per_channel(*channels_of(T, rng)).dequantize()]
