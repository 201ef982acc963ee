"""Programs of recorded answers for the family `elementwise` and other operations on integers."""

import numpy as np
from golden import programs as p

DTYPES = ("quint8", "qint8", "qint32")
SIZES = (1, 7, 8, 15, 16, 17, 33, 63, 64, 65, 130)


def _made(T, ints, scale, zero_point, dtype):
    storage = {"quint8": np.uint8, "qint8": np.int8, "qint32": np.int32}[dtype]
    return T._make_per_tensor_quantized_tensor(
        p.tensor(T, np.ascontiguousarray(ints.astype(storage))), scale, zero_point
    )


def _drawn(rng, shape, dtype):
    low, high = p.RANGES[dtype] if dtype != "qint32" else (-1000, 1000)
    return rng.randint(low, high + 1, size=shape)


def _quantizers(rng, dtype):
    """Draw parameters of two operands and of a result; many sums fall on ties."""
    a = p.scale(rng)
    b = (a, 2 * a, a * (1 + p.fraction(rng)))[rng.randint(3)]
    out = (a, 2 * a, a + b, a * (0.5 + 2 * p.fraction(rng)))[rng.randint(4)]
    zero_points = [p.zero_point(rng, dtype) for _ in range(3)]
    # QNNPACK cannot clamp to a range of one number, as relu to zero point 255 is.
    zero_points[2] = min(zero_points[2], 254)
    return a, b, float(out), zero_points


def _pair(T, rng, shape, dtype):
    a, b, out, zeros = _quantizers(rng, dtype)
    x = _made(T, _drawn(rng, shape, dtype), a, zeros[0], dtype)
    y = _made(T, _drawn(rng, shape, dtype), b, zeros[1], dtype)
    return x, y, out, zeros[2]


def _binary(T, rng, names):
    answers = {}
    for name in names:
        for dtype in DTYPES:
            made = []
            for size in SIZES:
                for _ in range(3):
                    x, y, scale, zero_point = _pair(T, rng, (size,), dtype)
                    made.append(getattr(T.ops.quantized, name)(x, y, scale, zero_point).int_repr())
            answers[name + "." + dtype] = p.joined(made)
    return answers


@p.program()
def add(T, rng):
    """Sums, in vectors and in tails of every length."""
    return _binary(T, rng, ("add", "add_relu"))


@p.program()
def mul(T, rng):
    """Products, in vectors and in tails of every length."""
    return _binary(T, rng, ("mul", "mul_relu"))


@p.program()
def multiply_far(T, rng):
    """Products whose scales are so far apart that integers overflow."""
    answers = {}
    for name in ("mul", "mul_relu"):
        for dtype in DTYPES:
            made = []
            for exponent in (-120, -30, 0, 15, 22, 30, 40, 52, 63, 80, 120):
                for zero_point in (0, 5, p.RANGES[dtype][0], p.RANGES[dtype][1]):
                    x = _made(T, _drawn(rng, (70,), dtype), 2.0 ** (exponent // 2), 3, dtype)
                    y = _made(T, _drawn(rng, (70,), dtype), 2.0 ** (exponent // 2), 7, dtype)
                    f = getattr(T.ops.quantized, name)
                    made.append(f(x, y, 2.0 ** -(exponent % 7), zero_point).int_repr())
            answers[name + "." + dtype] = p.joined(made)
    return answers


@p.program(engines=("fbgemm",))
def add_far(T, rng):
    """Sums whose scales are so far apart that integers and floats overflow."""
    answers = {}
    for name in ("add", "add_relu"):
        for dtype in DTYPES:
            made = []
            for exponent in (-120, -30, 0, 20, 26, 33, 50, 60, 66, 100, 127):
                for zero_point in (0, 5, p.RANGES[dtype][1]):
                    x = _made(T, _drawn(rng, (70,), dtype), 2.0**exponent, 3, dtype)
                    y = _made(T, _drawn(rng, (70,), dtype), 2.0 ** (exponent - 3), 7, dtype)
                    f = getattr(T.ops.quantized, name)
                    made.append(f(x, y, 2.0 ** -(exponent % 7), zero_point).int_repr())
            answers[name + "." + dtype] = p.joined(made)
    return answers


@p.program()
def whole_int32(T, rng):
    """Sums and products of any int32: differences and products wrap, or are rounded."""
    made = []
    for _ in range(20):
        ints = rng.randint(-(2**31), 2**31, size=(2, 35))
        zeros = [int(z) for z in rng.randint(-(2**31), 2**31, size=3)]
        x = _made(T, ints[0], 0.5, zeros[0], "qint32")
        y = _made(T, ints[1], 0.25, zeros[1], "qint32")
        scale = 2.0 ** rng.randint(-3, 30)
        for f in (T.ops.quantized.add, T.ops.quantized.mul, T.ops.quantized.mul_relu):
            made.append(f(x, y, scale, zeros[2]).int_repr())
    return {"int": p.joined(made)}


@p.program()
def strides(T, rng):
    """Operands that are transposed, sliced or channels-last; the output's strides."""
    answers = {}
    for name in ("add", "mul"):
        f = getattr(T.ops.quantized, name)
        x, y, scale, zero_point = _pair(T, rng, (67, 67), "quint8")
        for tag, a, b in (
            ("first", x.transpose(0, 1), y),
            ("second", x, y.transpose(0, 1)),
            ("both", x.transpose(0, 1), y.transpose(0, 1)),
            ("sliced", x[:, :65], y[:, 2:67]),
        ):
            q = f(a, b, scale, zero_point)
            answers.update(p.tagged(name + "." + tag, p.pack(q)))
    return answers


@p.program(releases=("2.13",))
def channels_last(T, rng):
    """Memory formats of operands and results."""
    answers = {}
    for tag, shape in (("image", (2, 5, 7, 3)), ("pixel", (2, 33, 1, 1)), ("gray", (3, 1, 9, 9))):
        x, y, scale, zero_point = _pair(T, rng, shape, "quint8")
        last_x = x.contiguous(memory_format=T.channels_last)
        last_y = y.contiguous(memory_format=T.channels_last)
        for pair, a, b in (("both", last_x, last_y), ("first", last_x, y), ("second", x, last_y)):
            for name in ("add", "mul"):
                q = getattr(T.ops.quantized, name)(a, b, scale, zero_point)
                answers.update(p.tagged(f"{tag}.{pair}.{name}", p.pack(q)))
    return answers


@p.program()
def scalars(T, rng):
    """A number added, and multiplied by: parameters follow from the operands."""
    answers = {}
    for name in ("add_scalar", "add_scalar_relu", "mul_scalar", "mul_scalar_relu"):
        for dtype in ("quint8", "qint8"):
            made, scales, zeros = [], [], []
            for size in SIZES:
                for _ in range(4):
                    scale, zero = p.scale(rng), p.zero_point(rng, dtype)
                    x = _made(T, _drawn(rng, (size,), dtype), scale, zero, dtype)
                    number = scale * rng.randint(-600, 600) / 2.0
                    if rng.randint(0, 8) == 0:
                        number = 0.0
                    q = getattr(T.ops.quantized, name)(x, number)
                    made.append(q.int_repr())
                    scales.append(q.q_scale())
                    zeros.append(q.q_zero_point())
            tag = name + "." + dtype
            answers[tag + ".int"] = p.joined(made)
            answers[tag + ".scale"] = np.array(scales)
            answers[tag + ".zero_point"] = np.array(zeros)
    return answers


@p.program()
def cat(T, rng):
    """Pieces with other parameters than the result, joined along every dimension."""
    answers = {}
    for name in ("cat", "cat_relu"):
        for dtype in ("quint8", "qint8"):
            made = []
            for dim in (0, 1, 2):
                for _ in range(4):
                    pieces = []
                    for _ in range(3):
                        shape = [3, 5, 4]
                        shape[dim] = int(rng.randint(1, 6))
                        a, _, out, zeros = _quantizers(rng, dtype)
                        pieces.append(_made(T, _drawn(rng, shape, dtype), a, zeros[0], dtype))
                    q = getattr(T.ops.quantized, name)(pieces, dim, out, zeros[2])
                    made.append(q.int_repr())
            answers[name + "." + dtype] = p.joined(made)
    return answers


@p.program()
def cat_channels(T, rng):
    """Channels-last images joined along their channels: other blocks, another reciprocal."""
    answers = {}
    for name in ("cat", "cat_relu"):
        for dtype in ("quint8", "qint8"):
            made = []
            for channels in ((1, 7), (8, 9), (31, 33), (40, 64), (65, 5)):
                for _ in range(4):
                    a, b, out, zeros = _quantizers(rng, dtype)
                    pieces = [
                        _made(T, _drawn(rng, (2, c, 2, 3), dtype), s, z, dtype).contiguous(
                            memory_format=T.channels_last
                        )
                        for c, s, z in ((channels[0], a, zeros[0]), (channels[1], b, zeros[1]))
                    ]
                    q = getattr(T.ops.quantized, name)(pieces, 1, out, zeros[2])
                    made.append(q.int_repr())
            answers[name + "." + dtype] = p.joined(made)
    return answers


@p.program()
def ranges(T, rng):
    """Relu and relu6."""
    answers = {}
    for dtype in DTYPES:
        made = []
        for size in SIZES:
            for _ in range(3):
                scale, zero = p.scale(rng), p.zero_point(rng, dtype)
                x = _made(T, _drawn(rng, (size,), dtype), scale, zero, dtype)
                made += [T.relu(x).int_repr(), T.ops.quantized.relu6(x, False).int_repr()]
        answers[dtype] = p.joined(made)
    return answers


@p.program()
def comparisons(T, rng):
    """Comparisons of tensors with other parameters, and with numbers."""
    answers = {}
    for dtype in DTYPES:
        made = []
        for _ in range(4):
            x, y, scale, _ = _pair(T, rng, (50,), dtype)
            number = scale * int(rng.randint(-20, 20))
            for name in ("eq", "ne", "lt", "le", "gt", "ge"):
                f = getattr(T, name)
                made += [f(x, y), f(x, x), f(x, number)]
        answers[dtype] = p.joined(made)
    return answers


@p.program()
def orders(T, rng):
    """Largest and smallest elements, sorted elements."""
    answers = {}
    for dtype in DTYPES:
        x = _made(T, _drawn(rng, (4, 6, 5), dtype), 0.1, 3, dtype)
        values, indices = T.sort(x, dim=1)
        found = {"max": x.max(), "min": x.min(), "max.dim": x.max(1)[0], "min.dim": x.min(2)[0]}
        found.update({"sort": values, "topk": T.topk(x, 3, dim=1)[0]})
        for name, q in found.items():
            answers.update(p.tagged(dtype + "." + name, p.pack(q)))
        answers[dtype + ".order"] = indices
    return answers


@p.program(releases=("2.13",))
def mean(T, rng):
    """Averages of integers over trailing dimensions, of all and of an image."""
    answers = {}
    for dtype in ("quint8", "qint8"):
        made = []
        for _ in range(10):
            scale, zero = p.scale(rng), p.zero_point(rng, dtype)
            x = _made(T, _drawn(rng, (3, 4, 5, 7), dtype), scale, zero, dtype)
            made += [x.mean([2, 3]), x.mean([3]), x.mean([1, 2, 3]), x.mean(), x.mean(-1, True)]
        answers[dtype] = p.joined([q.int_repr() for q in made])
    return answers


@p.program(releases=("1.4",), engines=("qnnpack",))
def mean_of_images(T, rng):
    """Averages over height and width, in fixed point."""
    made = []
    for _ in range(30):
        scale, zero = p.scale(rng), p.zero_point(rng, "quint8")
        shape = (2, 3, int(rng.randint(1, 9)), int(rng.randint(1, 9)))
        x = _made(T, _drawn(rng, shape, "quint8"), scale, zero, "quint8")
        made.append(x.mean([2, 3]).int_repr())
    return {"int": p.joined(made)}


@p.program(releases=("2.13",))
def elu(T, rng):
    """Exponential linear units; far negative numbers lie on ties of output scales 2/3 and 1/3."""
    answers = {}
    for dtype in DTYPES:
        made = []
        for size in SIZES:
            for scale in (2 / 3.0, 1 / 3.0, 0.5, 1 / 128.0):
                a_scale = float([1 / 3.0, 0.5, 0.1, 0.02][rng.randint(4)])
                zeros = [p.zero_point(rng, dtype) for _ in range(2)]
                x = _made(T, _drawn(rng, (size,), dtype), a_scale, zeros[0], dtype)
                factors = float([1.0, 1.67326, -0.5][rng.randint(3)]), float(rng.randint(1, 3))
                made.append(T.ops.quantized.elu(x, scale, zeros[1], *factors).int_repr())
        answers[dtype] = p.joined(made)
    return answers
