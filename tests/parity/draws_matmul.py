"""Arguments for the twins of the family `matmul`."""

import numpy as np
from cases.operands import SPECIAL, integers
from parity.draws import draws, draws_large

from refquant.engines.rules import pipeline
from refquant.engines.rules import requantize as rules
from refquant.engines.rules.accumulate import BORDER_OF_ZERO_POINT, WRAPPED
from refquant.reference.matmul import pack_panels, pack_rows
from refquant.reference.operands import (
    FUNCTIONS,
    Output,
    PostOps,
    ProductRules,
    Quantizer,
    Weight,
)

BIAS = (
    rules.NO_BIAS,
    rules.BIAS_FUSED,
    rules.BIAS_DIVIDED,
    rules.BIAS_ROUNDED,
    rules.BIAS_ROUNDED_QUOTIENT,
)
MULTIPLIER = (rules.QUOTIENT, rules.TIMES_RECIPROCAL)
ROUNDING = (rules.FLOAT_PRODUCT, rules.DOUBLE_PRODUCT, rules.FIXED_POINT)
RELU = (None, rules.RELU_OF_NEGATIVE, pipeline.RELU_OF_POSITIVE)
OUTPUT = (
    rules.OUTPUT_FUSED,
    rules.OUTPUT_ROUNDED_TWICE,
    pipeline.OUTPUT_IN_TURN,
    pipeline.OUTPUT_IN_TURN_CHANNELS,
)
AT_ONCE = (
    pipeline.LINEAR,
    pipeline.LINEAR_CHANNELS,
    pipeline.LINEAR_DIVIDED,
    pipeline.LINEAR_CHANNELS_DIVIDED,
    pipeline.CONVOLUTION,
    pipeline.CONVOLUTION_PRODUCT_FIRST,
    pipeline.CONVOLUTION_DIVIDED,
)

# (rows, depth, outputs): around tiles of 4 and 6, parts of 512, chunks of 64, slices of 256 and
# blocks of rows.
SHAPES = (
    (1, 1, 1),
    (1, 16, 16),
    (2, 5, 3),
    (3, 63, 5),
    (4, 64, 4),
    (5, 65, 63),
    (7, 31, 64),
    (8, 33, 65),
    (9, 127, 17),
    (63, 2, 9),
    (64, 128, 8),
    (65, 129, 31),
    (130, 9, 66),
    (3, 17, 257),
    (12, 513, 20),
    (3, 1030, 40),
    (1, 300, 515),
    (5, 0, 3),
    (0, 5, 3),
    (5, 5, 0),
)


def bias_on_ties(rng, acc, weight_scales, input_scale, multiplier):
    """Choose biases for which the first sums of a column round near a tie."""
    outputs = weight_scales.shape[0]
    half = rng.integers(0, 510, size=outputs) / 2
    start = acc[rng.integers(acc.shape[0])] if acc.shape[0] else np.zeros(outputs)
    aw = input_scale * weight_scales
    return ((half / multiplier - start) * aw).astype(np.float32)


def operands(rng, shape, kind):
    """Draw integers of input and weight and their quantizers."""
    m, depth, outputs = shape
    x, w = integers(rng, (m, depth)), integers(rng, (outputs, depth), "int8")
    if kind == "extreme":  # sums as large as they get
        x, w = np.full_like(x, 255), np.where(rng.random(w.shape) < 0.01, -127, w // 8 - 111)
        w = w.astype(np.int8)
    input_scale, input_zero_point = (
        float(rng.choice([0.02, 0.5, 1 / 3])),
        int(rng.choice([0, 3, 128, 255])),
    )
    scales = np.exp(rng.uniform(-7, -2, size=outputs))
    if kind != "per_channel":
        scales[:] = scales[:1]
    zeros = np.zeros(outputs, np.int32)
    if rng.random() < 0.5:
        zeros = rng.integers(-128, 128, size=outputs).astype(np.int32)
    return x, w, input_scale, input_zero_point, scales, zeros


def finishing(rng, x, w, scales, zeros, input_scale, input_zero_point, bias_rule, rule):
    """Choose the quantizer of the output and a bias for which results lie on ties."""
    acc = (x.astype(np.int64) - input_zero_point) @ (w.astype(np.int64) - zeros[:, None]).T
    reach = float(np.abs(acc * scales).max(initial=1.0)) * input_scale
    output_scale = max(reach / 200, 1e-6)
    largest = float((input_scale * scales).max(initial=1e-6))
    if rule is rules.FIXED_POINT and rng.random() < 0.8:  # others are outside its domain
        output_scale = max(output_scale, largest * 1.01)
    elif rng.random() < 0.2:
        output_scale = float(rng.choice([1e-20, 1e20, largest * 2.0**-31]))
    multiplier = input_scale * scales / output_scale
    bias = np.zeros(w.shape[0], np.float32)
    if bias_rule is not rules.NO_BIAS:
        bias = bias_on_ties(rng, acc, scales, input_scale, multiplier)
        odd = rng.random(bias.shape) < 0.05
        bias = np.where(odd, rng.choice(SPECIAL, size=bias.shape), bias)
    return bias, output_scale


def cases(rng):
    for shape in SHAPES:
        for kind in ("per_tensor", "per_channel", "extreme"):
            for bias_rule in BIAS:
                for rule in ROUNDING:
                    yield shape, kind, bias_rule, rule


def packed(rng, w, groups=1, rows=pack_rows):
    """Lay out a weight in rows or in panels, which give the same products."""
    if rng.random() < 0.5:
        return pack_panels(w.reshape(len(w), int(np.prod(w.shape[1:]))), groups)
    return rows(w)


@draws("pack_panels")
def pack_in_panels(rng):
    for _, depth, outputs in SHAPES:
        for groups in (1, 3):
            yield integers(rng, (groups * outputs, depth), "int8"), groups


@draws("pack_rows")
def pack(rng):
    for _, depth, outputs in SHAPES:
        yield (integers(rng, (outputs, depth), "int8"),)


@draws("linear")
def linear(rng):
    for shape, kind, bias_rule, rule in cases(rng):
        x, w, input_scale, zx, scales, zeros = operands(rng, shape, kind)
        bias, output_scale = finishing(rng, x, w, scales, zeros, input_scale, zx, bias_rule, rule)
        multiplier = MULTIPLIER[int(rng.integers(2))]
        yield (
            x, Quantizer(input_scale, zx), Weight(*packed(rng, w), scales, zeros),
            bias.astype(np.float32), quint8_output(rng, output_scale),
            in_steps(bias_rule, multiplier, rule), PostOps(),
        )  # fmt: skip
    yield from linear_at_once(rng)


def in_steps(bias_rule, multiplier, rule):
    return ProductRules(
        WRAPPED, BORDER_OF_ZERO_POINT, pipeline.IN_STEPS, bias_rule, multiplier, rule
    )


def at_once(product):
    return in_steps(rules.NO_BIAS, rules.QUOTIENT, rules.FLOAT_PRODUCT)._replace(product=product)


def post_of(rng, shape, product):
    """Draw a function, and often what is added."""
    name = str(rng.choice(FUNCTIONS))
    slope = float(rng.choice([0.01, 0.3, -2.0]))
    if rng.random() < 0.5:
        return PostOps(name, slope)
    scale = float(rng.choice([1.0, 0.1, np.exp(rng.uniform(-7, 1))]))
    return PostOps(name, slope, integers(rng, shape), scale, int(rng.choice([0, 3, 255])))


def output_at_once(rng, scale):
    """Draw an output of either signedness; its zero point may lie outside."""
    if rng.random() < 0.3:
        return Output(scale, int(rng.integers(-128, 128)), -128, 127)
    return quint8_output(rng, scale)


def linear_at_once(rng):
    for shape in SHAPES:
        for kind in ("per_tensor", "per_channel", "extreme"):
            for product in AT_ONCE:
                x, w, input_scale, zx, scales, zeros = operands(rng, shape, kind)
                bias, output_scale = finishing(
                    rng, x, w, scales, zeros, input_scale, zx, rules.BIAS_DIVIDED, product
                )
                yield (
                    x, Quantizer(input_scale, zx), Weight(*packed(rng, w), scales, zeros),
                    bias.astype(np.float32), output_at_once(rng, output_scale), at_once(product),
                    post_of(rng, (shape[0], shape[2]), product),
                )  # fmt: skip


def quint8_output(rng, scale):
    """Draw a quint8 output, with or without ReLU; kernels keep to narrower ranges too."""
    zero_point = int(rng.choice([0, 1, 77, 128, 255]))
    least = int(rng.choice([0, zero_point]))
    return Output(scale, zero_point, least, 255 if rng.random() < 0.8 else max(least, 127))


@draws_large("linear")
def linear_large(rng):
    for shape in ((1031, 70, 130), (40, 1000, 700)):
        for bias_rule in (rules.BIAS_FUSED, rules.BIAS_DIVIDED, rules.BIAS_ROUNDED):
            x, w, input_scale, zx, scales, zeros = operands(rng, shape, "per_channel")
            rule = rules.FLOAT_PRODUCT
            bias, output_scale = finishing(
                rng, x, w, scales, zeros, input_scale, zx, bias_rule, rule
            )
            yield (
                x, Quantizer(input_scale, zx), Weight(*packed(rng, w), scales, zeros),
                bias.astype(np.float32), Output(output_scale, 3, 0, 255),
                in_steps(bias_rule, rules.QUOTIENT, rule), PostOps(),
            )  # fmt: skip


@draws("linear_dynamic")
def linear_dynamic(rng):
    for shape in SHAPES:
        for kind in ("per_tensor", "per_channel", "extreme"):
            for rule in OUTPUT:
                x, w, input_scale, zx, scales, zeros = operands(rng, shape, kind)
                bias = rng.normal(size=w.shape[0]).astype(np.float32)
                bias = np.where(rng.random(bias.shape) < 0.1, rng.choice(SPECIAL, bias.shape), bias)
                yield (
                    x, Quantizer(input_scale, zx), Weight(*packed(rng, w), scales, zeros),
                    bias.astype(np.float32), RELU[rng.integers(3)], WRAPPED, rule,
                )  # fmt: skip


@draws("linear_half")
def linear_half(rng):
    for m, depth, outputs in (*SHAPES, (2, 511, 3), (3, 513, 70), (1, 1100, 130)):
        x, weight = (
            (rng.integers(-4000, 4000, size=size) / 1024.0).astype(np.float32)
            for size in ((m, depth), (depth, outputs))
        )
        x = np.where(rng.random(x.shape) < 0.002, rng.choice(SPECIAL, size=x.shape), x)
        x[: m // 2] = -np.abs(x[: m // 2])
        weight[:, ::3] = 0.0  # sums of -0 alone
        bias = rng.choice([-0.0, -1.5, 1e-3], size=outputs).astype(np.float32)
        yield (
            x.astype(np.float32), weight.astype(np.float16).astype(np.float32),
            bias if rng.random() < 0.8 else None, bool(rng.integers(2)),
        )  # fmt: skip
