"""Arithmetic and comparison, element by element."""

import math

import numpy as np
from cases.operands import ENDS, STORAGE, integers
from cases.registry import SIZES, operation

BAD_NUMBERS = (
    ("number", math.nan, "ArgumentError"),
    ("number", math.inf, "ArgumentError"),
    ("number", None, "ArgumentTypeError"),
)


def binary(name, **facts):
    @operation("integers", name, pointwise=True, **facts)
    def call(d, x):
        y = d.broadcasting(x)
        pair = (x, y)
        if d.chance(0.3):  # PyTorch resizes what a smaller first operand has made it allocate
            pair = (y, x.contiguous() if d.peer and y.dim() < x.dim() else x)
        return d.call("ops.quantized." + name, *pair, d.scale(x.q_scale()), d.zero_point(x.dtype))

    @operation("integers", name + "_out", pointwise=True, recorded=20)
    def written(d, x):
        y = d.like(x)
        out = getattr(d.T.ops.quantized, name)(x, y, d.scale(x.q_scale()), d.zero_point(x.dtype))
        return d.call("ops.quantized." + name + "_out", y, x, out)


binary("add", benchmark=SIZES)
binary("add_relu", benchmark={"large": SIZES["large"]})
binary("mul", benchmark=SIZES)
binary("mul_relu")


def with_number(name, rejects):
    @operation("integers", name, pointwise=True, recorded=25, rejects=rejects)
    def call(d, x):
        return d.call("ops.quantized." + name, x, d.number(x.q_scale()) or 1.0)

    @operation("integers", name + "_out", pointwise=True, recorded=20)
    def written(d, x):
        number = d.number(x.q_scale()) or 1.0
        out = d.T.ops.quantized.add_scalar(x, 0.0)
        return d.call("ops.quantized." + name + "_out", x, number, out)


for _name in ("add_scalar", "add_scalar_relu"):
    with_number(_name, (*BAD_NUMBERS, ("number", 1e10, "ArgumentError")))
for _name in ("mul_scalar", "mul_scalar_relu"):
    with_number(
        _name,
        (
            *BAD_NUMBERS,
            ("number", 1e300, "QuantizationParameterError"),
            ("number", 1e-300, "QuantizationParameterError"),
        ),
    )


@operation("integers", releases=("2.13",), pointwise=True, recorded=10)
def with_numbers(d, x):
    """The forms of two tensors take numbers, too, on either side, and a tensor to write into."""
    name, number = d.pick("add", "add_relu", "mul", "mul_relu"), d.number(x.q_scale()) or 1.0
    path, out = "ops.quantized." + name, d.T.ops.quantized.add_scalar(x, 0.0)
    # With a number in a tensor PyTorch forgets the ReLU of sums.
    scalar = "ops.quantized." + ("mul_scalar_relu" if name == "mul_relu" else name[:3] + "_scalar")
    return [
        d.call(path, x, number),
        d.call(path, number, x),
        d.call(scalar, x, d.tensor(np.array([number], np.float64))),
        d.call(path, x, number, out=out),
        d.call(path, x, d.like(x), out=d.like(x)),
    ]


# -- scales and integers so far apart that sums and products overflow ----------------------------


def far(d, exponents):
    dtype, exponent = d.pick(*STORAGE), d.pick(*exponents)
    most = 1000 if dtype == "qint32" else None
    return dtype, exponent, most


@operation(None, recorded=270)
def mul_far(d, x):
    dtype, exponent, most = far(d, (-120, -30, 0, 15, 22, 30, 40, 52, 63, 80, 120))
    x, y = (d.quantized((70,), dtype, 2.0 ** (exponent // 2), z, most) for z in (3, 7))
    name = d.pick("ops.quantized.mul", "ops.quantized.mul_relu")
    return d.call(name, x, y, 2.0 ** -(exponent % 7), d.zero_point(dtype))


@operation(None, recorded=200, engines=("fbgemm",))
def add_far(d, x):
    dtype, exponent, most = far(d, (-120, -30, 0, 20, 26, 33, 50, 60, 66, 100, 126))
    x = d.quantized((70,), dtype, 2.0**exponent, 3, most)
    y = d.quantized((70,), dtype, 2.0 ** (exponent - 3), 7, most)
    name = d.pick("ops.quantized.add", "ops.quantized.add_relu")
    return d.call(name, x, y, 2.0 ** -(exponent % 7), d.zero_point(dtype))


def whole(d, size, scale, zero_point=None):
    """Draw any int32 with any zero point."""
    q = d.tensor(integers(d.rng, (size,), "qint32"))
    zero_point = d.whole(-(2**31), 2**31 - 1) if zero_point is None else zero_point
    return d.T._make_per_tensor_quantized_tensor(q, scale, zero_point)


@operation(None, recorded=20)
def whole_int32(d, x):
    """Differences and products wrap, or are rounded."""
    pair = whole(d, 35, 0.5), whole(d, 35, 0.25)
    output = 2.0 ** d.whole(-3, 29), d.whole(-(2**31), 2**31 - 1)
    return [d.call("ops.quantized." + name, *pair, *output) for name in ("add", "mul", "mul_relu")]


def odd_scale(d, power):
    """Draw a scale whose float32 has bits to the end."""
    return math.ldexp(1 + d.whole(1, 2**23 - 1) * 2.0**-23, power)


@operation(None, recorded=200)
def long_products(d, x):
    """Products of more than 24 bits, in vectors and in tails."""
    size = d.pick(1, 3, 15, 16, 17, 31)
    pair = [
        d.quantized((size,), "qint32", odd_scale(d, p), d.whole(-9, 8), 40000) for p in (-3, -5)
    ]
    output = odd_scale(d, d.whole(-12, 2)), d.whole(-99, 98)
    return [d.call("ops.quantized." + name, *pair, *output) for name in ("mul", "mul_relu")]


@operation(None, recorded=240)
def moved(d, x):
    """Integers of more than 24 bits and a number that the zero point cannot hold."""
    scale, size = odd_scale(d, -4), d.pick(1, 3, 15, 16, 17, 31)
    x = whole(d, size, scale, -(2**31) + d.whole(0, 2**20))
    number = float(scale * d.whole(2**20, 2**31 - 1))
    return [d.call("ops.quantized." + n, x, number) for n in ("add_scalar", "add_scalar_relu")]


@operation(None, recorded=300)
def ends_of_zero_points(d, x):
    """A number added to tensors whose zero points are the ends of their range."""
    dtype = d.pick(*STORAGE)
    low, high = ENDS[dtype]
    steps = d.pick(-(2**31), -(2**31) + 1, -300, -1, 0, 1, 300, 2**31 - 2, 2**31 - 1)
    q = d.tensor(np.array([low, low + 1, 1, high - 1, high]).astype(STORAGE[dtype]))
    zero_point = max(low, d.pick(low, low + 1, -1, 0, 1, high - 1, high))
    x = d.T._make_per_tensor_quantized_tensor(q, 0.125, zero_point)
    return [
        d.call("ops.quantized." + name, x, steps * 0.125)
        for name in ("add_scalar", "add_scalar_relu")
    ]


BROADCAST = [
    ((), ()), ((4, 70), (1, 70)), ((4, 70), (4, 1)), ((4, 70), (1, 1)), ((4, 70), (70,)),
    ((4, 70), ()),
    ((2, 3, 70), (1, 3, 70)), ((2, 3, 70), (2, 1, 70)), ((2, 3, 70), (2, 1, 1)),
    ((2, 3, 70), (2, 3, 1)), ((1, 70), (4, 70)), ((4, 1), (4, 70)), ((70,), (4, 70)),
    ((2, 1, 70), (1, 3, 1)), ((1,), (130,)), ((), (130,)), ((1, 1), (1, 1)),
    ((2, 70, 3, 3), (1, 70, 1, 1)), ((2, 70, 3, 3), (2, 1, 3, 3)), ((0, 3), (1, 3)),
]  # fmt: skip


@operation(None, releases=("2.13",), recorded=40)
def broadcasting(d, x):
    """Every way in which two shapes broadcast; QNNPACK rejects two tensors without dimensions."""
    a, b = d.pick(*BROADCAST[d.qnnpack :])
    dtype, last = d.pick(*STORAGE), d.chance(0.5) and len(a) == len(b) == 4
    x = d.quantized(a, dtype, dense=True)
    y = d.quantized(b, dtype, d.scale(x.q_scale()), dense=True)
    if last:
        x, y = (q.contiguous(memory_format=d.T.channels_last) for q in (x, y))
    output = d.scale(x.q_scale()), d.zero_point(dtype)
    return [d.call("ops.quantized." + name, x, y, *output) for name in ("add", "mul")]


# -- comparison ------------------------------------------------------------------------------------


@operation("integers", recorded=6)
def comparisons(d, x):
    y, number = d.broadcasting(x), x.q_scale() * d.whole(-20, 20)
    names = ("eq", "ne", "lt", "le", "gt", "ge")
    return [d.call(name, x, other) for name in names for other in (y, x, number)]
