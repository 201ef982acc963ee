"""Activations: clamping and exponentials."""

import math

import numpy as np
from cases.registry import SIZES, operation


def on(x, d):
    """Return the operand that QNNPACK clamps: it scrambles channels-last images."""
    return x.contiguous() if d.qnnpack else x


@operation("integers", pointwise=True, recorded=15, benchmark=SIZES)
def relu(d, x):
    paths = ["relu", "nn.functional.relu", ".relu"]
    if d.old or not d.peer:  # 2.13 has it no more
        paths.append("nn.quantized.functional.relu")
    return [d.call(path, x) for path in paths]


@operation("integers", pointwise=True)
def relu6(d, x):
    return d.call("ops.quantized.relu6", on(x, d), False)


@operation("integers", releases=("2.13",), pointwise=True, recorded=20)
def clamp(d, x):
    ends = sorted(x.q_scale() * v / 2.0 for v in d.pair(-400, 400))
    if not d.peer and d.chance(0.2):
        ends = d.pick([-math.inf, ends[1]], [ends[0], math.inf], [-1e38, 1e38])
    x = on(x, d)
    paths = "ops.quantized.clamp", "nn.quantized.functional.clamp"
    hardtanh = d.pick("nn.functional.hardtanh", "nn.quantized.functional.hardtanh")
    calls = [d.call(d.pick(".clamp", *paths), x, *ends), d.call(hardtanh, x, *ends)]
    return [*calls, d.call("nn.functional.hardtanh_", x.contiguous().clone(), *ends)]


@operation(
    "integers",
    releases=("2.13",),
    pointwise=True,
    recorded=20,
    keeps_format=False,
    benchmark=SIZES,
    rejects=(
        ("alpha", math.nan, "ArgumentError"),
        ("scale", math.inf, "ArgumentError"),
        ("input_scale", "much", "ArgumentTypeError"),
    ),
)
def elu(d, x):
    scale = d.pick(2 / 3.0, 1 / 3.0, 0.5, 1 / 128.0, d.scale(x.q_scale()))
    factors = d.pick(1.0, 1.67326, 0.5, -1.0), d.pick(1.0, 1.05, 2.0), d.pick(1.0, 0.5)
    if d.peer:  # else the last bit of the exponential function of the C library would show
        scale = max(scale, 2.0**-10)
    zero_point = d.zero_point(x.dtype)
    if d.chance(0.2):
        return d.call("nn.quantized.functional.elu", x, scale, zero_point, factors[0])
    return d.call("ops.quantized.elu", x, scale, zero_point, *factors)


@operation(
    "integers",
    releases=("2.13",),
    pointwise=True,
    recorded=15,
    keeps_format=False,
    tolerance=2.0**-23,
    why="beside whole vectors the C library's expm1 may err by the last bit, which 32 bits show",
    rejects=(("alpha", 0.0, "ArgumentError"), ("alpha", math.nan, "ArgumentError")),
)
def celu(d, x):
    scale = d.pick(2 / 3.0, 0.5, 1 / 128.0, d.scale(x.q_scale()))
    if d.peer:  # as of elu
        scale = max(scale, 2.0**-10)
    alpha = d.pick(1.0, 1.5, 0.3, -2.0)
    path = d.pick("ops.quantized.celu", "nn.quantized.functional.celu")
    return d.call(path, x, scale, d.zero_point(x.dtype), alpha)


def eight_bits(d, x):
    """Return an operand whose result does not show the last bit of the C library's functions."""
    if d.peer and "qint32" in str(x.dtype):
        return d.quantized(d.shape(), d.pick("quint8", "qint8"))
    return x


@operation("integers", releases=("2.13",), pointwise=True, recorded=20, benchmark=SIZES)
def sigmoid(d, x):
    x = eight_bits(d, x)
    given = d.scale(1 / 256.0), d.zero_point(x.dtype)
    calls = [d.call(d.pick("sigmoid", ".sigmoid", "nn.functional.sigmoid"), x)]
    if not (d.qnnpack and "quint8" in str(x.dtype)):  # whose table has one quantizer
        calls.append(d.call("ops.quantized.sigmoid", x, *given))
    return calls


@operation("integers", releases=("2.13",), pointwise=True, recorded=20, benchmark=SIZES)
def tanh(d, x):
    return d.call(d.pick("tanh", ".tanh", "nn.functional.tanh"), eight_bits(d, x))


@operation(None, releases=("2.13",), recorded=0, why="a few hundred thousand integers")
def functions_to_the_last_bit(d, x):
    """Steps of 2**-32 and 2**-31 show the bits of vectors."""
    q = d.tensor(np.arange(-(2**13), 2**13, dtype=np.int32) * d.pick(1, 3, 5, 7))
    x = d.T._make_per_tensor_quantized_tensor(q, 2.0 ** d.pick(-16, -14, -12), d.pick(0, 3))
    fine = d.T._make_per_tensor_quantized_tensor(q, 2.0 ** d.pick(-28, -26, -24, -12), 0)
    calls = [d.call("sigmoid", x), d.call("tanh", x), d.call("nn.functional.gelu", fine)]
    return [*calls, d.call("nn.functional.gelu", fine, approximate="tanh")]


@operation("integers", releases=("2.13",), pointwise=True, recorded=20, benchmark=SIZES)
def hardsigmoid(d, x):
    paths = "nn.functional.hardsigmoid", "nn.quantized.functional.hardsigmoid"
    own = x.contiguous().clone()
    return [d.call(d.pick(*paths), x), d.call(d.pick(*paths), own, True)]


@operation("integers", releases=("2.13",), pointwise=True, recorded=20, benchmark=SIZES)
def hardswish(d, x):
    path = d.pick("ops.quantized.hardswish", "nn.quantized.functional.hardswish")
    return d.call(path, x, d.scale(x.q_scale()), d.zero_point(x.dtype))


@operation(
    "integers",
    releases=("2.13",),
    pointwise=True,
    recorded=20,
    benchmark=SIZES,
    rejects=(("approximate", "erf", "ArgumentError"),),
)
def gelu(d, x):
    return d.call("nn.functional.gelu", x, approximate=d.pick("none", "tanh"))


@operation(
    "integers",
    releases=("2.13",),
    pointwise=True,
    recorded=20,
    benchmark=SIZES,
    rejects=(("threshold", math.nan, "ArgumentError"), ("value", "much", "ArgumentTypeError")),
)
def threshold(d, x):
    ends = d.number(x.q_scale()), d.number(x.q_scale())
    ends = [end if abs(end) < 1e38 else 0.5 for end in ends]
    paths = "nn.functional.threshold", "nn.quantized.functional.threshold"
    return d.call(d.pick("threshold", "ops.quantized.threshold", *paths), x, *ends)


@operation("integers", releases=("2.13",), recorded=30, benchmark=SIZES)
def prelu(d, x):
    channels = x.shape[1] if x.dim() > 1 else 1
    count = d.pick(1, max(channels, 1))
    w = d.quantized((count,), x.dtype, dense=True)
    given = d.scale(x.q_scale()), d.zero_point(x.dtype)
    return [
        d.call("ops.quantized.prelu", x, w, *given),
        d.call("prelu", x, w),
        d.call("_prelu_kernel", x, w),
    ]


@operation("integers", releases=("2.13",), recorded=30, rejects=(("dim", 9, "IndexRangeError"),))
def softmax(d, x):
    scale = d.pick(1 / 256.0, 1 / 256.0, 0.05, 0.1)
    zero_point = d.pick(0, 0, d.zero_point(x.dtype))
    if d.peer:  # whose QNNPACK reads gaps, and counts from the front
        x = x.contiguous()
    return d.call("ops.quantized.softmax", x, d.whole(0, max(x.dim() - 1, 0)), scale, zero_point)


@operation("integers", releases=("2.13",), pointwise=True, recorded=5)
def dropout(d, x):
    return d.call("ops.quantized.dropout", x, 0.1, 3, 0.5, d.chance(0.5))


SLOPES = (0.01, 0.1, 0.25, 0.5, 1 / 3.0, 0.0, -1.0)


@operation(
    "integers",
    releases=("2.13",),
    pointwise=True,
    benchmark=SIZES,
    rejects=(
        ("negative_slope", math.nan, "ArgumentError"),
        ("inplace", "yes", "ArgumentTypeError"),
    ),
)
def leaky_relu(d, x):
    slope, given = d.pick(*SLOPES), (d.scale(x.q_scale()), d.zero_point(x.dtype))
    return [
        d.call("ops.quantized.leaky_relu", x, slope, False, *given),
        d.call("nn.functional.leaky_relu", x, slope),
    ]


@operation("integers", releases=("2.13",), pointwise=True, keeps_format=False, recorded=20)
def leaky_relu_row_major(d, x):
    given = d.pick(x.q_scale(), d.scale(x.q_scale())), d.zero_point(x.dtype)
    return d.call("nn.quantized.functional.leaky_relu", x, d.pick(*SLOPES), False, *given)


@operation(None, releases=("2.13",), recorded=0, why="a few hundred thousand integers")
def elu_to_the_last_bit(d, x):
    """Where steps are finer than float32, the bits of vectors of exponentials are seen."""
    q = d.tensor(-np.arange(2**14, dtype=np.int32) * d.pick(1, 2, 3, 5, 7))
    x = d.T._make_per_tensor_quantized_tensor(q, 2.0 ** d.pick(-20, -17, -15, -12), 0)
    return d.call("ops.quantized.elu", x, 2.0**-30, 0)
