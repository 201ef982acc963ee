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
    return [d.call(".clamp", x, *ends), d.call("nn.functional.hardtanh", x, *ends)]


@operation(
    "integers",
    releases=("2.13",),
    pointwise=True,
    recorded=20,
    keeps_format=False,
    benchmark=SIZES,
    refuses=(
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


SLOPES = (0.01, 0.1, 0.25, 0.5, 1 / 3.0, 0.0, -1.0)


@operation(
    "integers",
    releases=("2.13",),
    pointwise=True,
    benchmark=SIZES,
    refuses=(
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
