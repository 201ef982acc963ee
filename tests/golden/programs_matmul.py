"""Programs of recorded answers for the family `matmul`: linear layers, static and dynamic."""

import numpy as np
from golden import programs as p

SHAPES = ((1, 1, 1), (3, 5, 4), (2, 16, 9), (5, 63, 17), (4, 65, 33), (1, 130, 66), (9, 31, 5))


def integers(rng, shape, low, high):
    """Draw integers of a range, its ends included and likely."""
    drawn = rng.randint(low, high + 1, size=shape)
    ends = np.where(rng.randint(0, 2, size=shape) == 0, low, high)
    return np.where(rng.randint(0, 8, size=shape) == 0, ends, drawn)


def input_tensor(T, ints, scale, zero_point):
    """Make a quint8 tensor of these integers; returns also the integers that it holds."""
    x = ((ints - zero_point) * np.float64(np.float32(scale))).astype(np.float32)
    q = T.quantize_per_tensor(p.tensor(T, x), scale, zero_point, T.quint8)
    return q, p.plain(q.int_repr()).astype(np.int64)


def weight_tensor(T, ints, scales, zero_points):
    """Make a qint8 tensor, per channel if `scales` is an array; returns also its integers."""
    axes = (-1,) + (1,) * (ints.ndim - 1)
    if isinstance(scales, float):
        x = ((ints - zero_points) * np.float64(np.float32(scales))).astype(np.float32)
        q = T.quantize_per_tensor(p.tensor(T, x), scales, zero_points, T.qint8)
    else:
        s, z = scales.reshape(axes), zero_points.reshape(axes)
        x = ((ints - z) * s.astype(np.float32).astype(np.float64)).astype(np.float32)
        q = T.quantize_per_channel(
            p.tensor(T, x), p.tensor(T, scales), p.tensor(T, zero_points), 0, T.qint8
        )
    return q, p.plain(q.int_repr()).astype(np.int64)


def weight_scales(rng, outputs, per_channel):
    """Draw scales and zero points of a weight."""
    if not per_channel:
        return float([0.0078125, 0.01, 0.003][rng.randint(3)]), int([0, 0, 5, -7][rng.randint(4)])
    scales = np.array([np.ldexp(1.0 + p.fraction(rng), -9) for _ in range(outputs)])
    return scales, rng.randint(-3, 4, size=outputs).astype(np.int64)


def output_scale(acc, factor):
    """Choose a scale for which most sums lie inside the range; never a multiplier of 1 and more."""
    reach = float(np.abs(acc).max()) + 1.0
    return max(float(np.float32(reach / 180.0)), 1.25) * float(np.max(factor))


def bias_on_ties(rng, sums, factor, scale):
    """Choose biases with which a sum of each column lies on a half step of the output."""
    half = rng.randint(0, 511, size=sums.shape).astype(np.float64) / 2.0
    return (half * scale - sums * factor).astype(np.float32)


def layers(T, rng, per_channel):
    """Draw (input, weight, bias or None, output scale, output zero point)."""
    for m, k, n in SHAPES * 3:
        sx, zx = float([0.02, 0.03125][rng.randint(2)]), int([0, 3, 128, 255][rng.randint(4)])
        sw, zw = weight_scales(rng, n, per_channel)
        q, xi = input_tensor(T, integers(rng, (m, k), 0, 255), sx, zx)
        w, wi = weight_tensor(T, integers(rng, (n, k), -128, 127), sw, zw)
        zeros = zw.reshape(-1, 1) if per_channel else zw
        acc = (xi - zx).dot((wi - zeros).T)
        factor = sx * (sw if per_channel else np.full(n, sw))
        so = output_scale(acc, factor)
        bias = bias_on_ties(rng, acc[rng.randint(m)], factor, so)
        zo = int([0, 1, 77, 128, 255][rng.randint(5)])
        yield q, w, p.tensor(T, bias), so, zo
        yield q, w, None, so, zo


def linear_answers(T, rng, per_channel):
    ops, made = T.ops.quantized, []
    for q, w, bias, so, zo in layers(T, rng, per_channel):
        # A fresh packed weight for every call: QNNPACK keeps the scales of the first.
        made.append(ops.linear(q, ops.linear_prepack(w, bias), so, zo).int_repr())
        made.append(ops.linear_relu(q, ops.linear_prepack(w, bias), so, zo).int_repr())
    return {"int": p.joined(made)}


@p.program()
def linear_per_tensor(T, rng):
    """One scale for the weight; biases on ties, zero points, ReLU."""
    return linear_answers(T, rng, per_channel=False)


@p.program(engines=("fbgemm",))
def linear_per_channel(T, rng):
    """A scale for each output."""
    return linear_answers(T, rng, per_channel=True)


@p.program(releases=("2.13",), engines=("qnnpack",))
def linear_per_channel_qnnpack(T, rng):
    """A scale for each output, which QNNPACK has not had from the start."""
    return linear_answers(T, rng, per_channel=True)


@p.program(engines=("fbgemm",))
def linear_extremes(T, rng):
    """Multipliers so large that int32 overflows, or so small that nothing is left."""
    ops, made = T.ops.quantized, []
    q, _ = input_tensor(T, integers(rng, (3, 40), 0, 255), 0.02, 100)
    w, _ = weight_tensor(T, integers(rng, (9, 40), -128, 127), 0.01, 0)
    for so in (1e-12, 1e-9, 1e-7, 1.0, 1e20):
        for bias in (None, p.tensor(T, np.linspace(-9, 9, 9).astype(np.float32))):
            made.append(ops.linear(q, ops.linear_prepack(w, bias), so, 7).int_repr())
    return {"int": p.joined(made)}


@p.program()
def functional_linear(T, rng):
    """The quantizer of the output is that of the input unless it is given; a batch of rows."""
    q, _ = input_tensor(T, integers(rng, (2, 12), 0, 255), 0.5, 9)
    w, _ = weight_tensor(T, integers(rng, (5, 12), -128, 127), 0.003, 0)
    y = T.nn.quantized.functional.linear(q, w)
    return p.pack(y)


def dynamic_answers(T, rng, per_channel, **keywords):
    ops, made = T.ops.quantized, []
    for m, k, n in SHAPES * 2:
        x = (rng.randint(-20, 30, size=(m, k)) / 8.0).astype(np.float32)
        sw, zw = weight_scales(rng, n, per_channel)
        w, _ = weight_tensor(T, integers(rng, (n, k), -128, 127), sw, zw)
        bias = p.tensor(T, (rng.randint(-99, 99, size=n) / 7.0).astype(np.float32))
        for b in (bias, None):
            packed = ops.linear_prepack(w, b)
            made.append(ops.linear_dynamic(p.tensor(T, x), packed, **keywords))
            made.append(ops.linear_relu_dynamic(p.tensor(T, x), packed, **keywords))
    return {"y": p.joined(made)}


@p.program(engines=("fbgemm",))
def linear_dynamic_per_tensor(T, rng):
    """Float in and out; inputs on a grid, which lie on ties."""
    return dynamic_answers(T, rng, per_channel=False)


@p.program(engines=("fbgemm",))
def linear_dynamic_per_channel(T, rng):
    """The same with a scale for each output."""
    return dynamic_answers(T, rng, per_channel=True)


@p.program(releases=("2.13",), engines=("fbgemm",))
def linear_dynamic_reduced(T, rng):
    """The quantizer of the input for seven bits."""
    return dynamic_answers(T, rng, per_channel=False, reduce_range=True)


@p.program(releases=("2.13",), engines=("qnnpack",))
def linear_dynamic_qnnpack(T, rng):
    """QNNPACK rounds the product and the sum."""
    return dynamic_answers(T, rng, per_channel=False)
