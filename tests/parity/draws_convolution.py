"""Arguments for the twins of the family `convolution`."""

import numpy as np
from cases.operands import integers
from parity.draws import draws, draws_large
from parity.draws_matmul import (
    AT_ONCE,
    BIAS,
    MULTIPLIER,
    ROUNDING,
    at_once,
    finishing,
    in_steps,
    output_at_once,
    packed,
    post_of,
    quint8_output,
)

from refquant.engines.rules import requantize as rules
from refquant.reference.convolution import pack_depthwise, pack_filters
from refquant.reference.operands import Geometry, PostOps, Quantizer, Weight

# batch, image, channels, outputs, groups, kernel, stride, padding, dilation
CASES = (
    (1, (1, 1, 1), 1, 1, 1, (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    (2, (1, 5, 6), 3, 4, 1, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 7, 9), 8, 5, 1, (1, 3, 2), (1, 2, 1), (0, 2, 1), (1, 1, 1)),
    (1, (1, 9, 9), 4, 66, 1, (1, 3, 3), (1, 2, 2), (0, 2, 2), (1, 2, 2)),
    (2, (1, 6, 5), 6, 9, 3, (1, 2, 3), (1, 1, 2), (0, 0, 1), (1, 1, 1)),
    (1, (1, 8, 8), 16, 32, 2, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 4, 4), 64, 16, 1, (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    (1, (1, 5, 5), 65, 3, 1, (1, 1, 1), (1, 2, 2), (0, 1, 1), (1, 1, 1)),
    (3, (1, 3, 3), 2, 6, 2, (1, 1, 1), (1, 3, 2), (0, 0, 2), (1, 1, 1)),
    (1, (1, 2, 3), 3, 2, 1, (1, 5, 7), (1, 1, 1), (0, 4, 6), (1, 1, 1)),
    (1, (4, 5, 6), 3, 5, 1, (2, 3, 2), (1, 1, 1), (1, 1, 0), (1, 1, 1)),
    (2, (5, 4, 4), 4, 4, 2, (3, 2, 2), (2, 1, 2), (2, 0, 1), (2, 1, 2)),
    (1, (1, 1, 9), 5, 7, 1, (1, 1, 3), (1, 1, 2), (0, 0, 3), (1, 1, 3)),
    (1, (1, 5, 6), 70, 17, 1, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (0, (1, 5, 5), 3, 4, 1, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 3, 4), 0, 3, 1, (1, 2, 2), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    # More than one block of pixels, of whole and of padded length.
    (2, (1, 6, 13), 24, 17, 1, (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    (1, (1, 9, 15), 64, 65, 1, (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    (1, (2, 5, 7), 257, 33, 1, (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    # Groups whose columns are finished together, and that fill tiles in part.
    (1, (1, 5, 12), 64, 64, 4, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (2, (1, 4, 7), 12, 72, 3, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 7, 7), 10, 20, 5, (1, 3, 3), (1, 2, 1), (0, 1, 0), (1, 1, 2)),
    (1, (1, 4, 15), 5, 48, 1, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 3, 5), 30, 80, 2, (1, 2, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    # Groups whose filters of three columns go along lines: whole, cut, too short, of two steps.
    (1, (1, 3, 30), 32, 32, 2, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 2, 75), 6, 20, 2, (1, 2, 3), (1, 1, 1), (0, 1, 2), (1, 1, 1)),
    (2, (2, 5, 16), 15, 24, 3, (2, 1, 3), (1, 2, 1), (1, 0, 0), (1, 1, 1)),
    (1, (1, 4, 61), 8, 64, 4, (1, 3, 3), (1, 1, 2), (0, 2, 2), (1, 1, 2)),
)
DEPTHWISE = (
    (1, (1, 1, 1), 1, (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    (2, (1, 6, 7), 8, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 9, 8), 17, (1, 3, 3), (1, 2, 2), (0, 1, 1), (1, 1, 1)),
    (1, (1, 9, 9), 64, (1, 5, 5), (1, 1, 2), (0, 2, 2), (1, 1, 1)),
    (1, (1, 7, 7), 65, (1, 3, 2), (1, 1, 1), (0, 2, 2), (1, 2, 3)),
    (2, (1, 2, 2), 131, (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    (1, (4, 5, 5), 9, (3, 3, 3), (1, 2, 1), (1, 1, 1), (1, 1, 1)),
    (1, (1, 2, 2), 5, (1, 4, 4), (1, 1, 1), (0, 3, 3), (1, 1, 1)),
    (0, (1, 5, 5), 3, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 3, 11), 96, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 5, 14), 33, (1, 2, 5), (1, 1, 3), (0, 0, 2), (1, 1, 1)),
    # Filters of nine taps: lines that are summed in pieces, channels that fill vectors in part,
    # planes and lines and columns that lie outside the image, images narrower than the filter.
    (1, (1, 3, 140), 20, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 2, 131), 24, (1, 3, 3), (1, 1, 2), (0, 2, 3), (1, 1, 1)),
    (2, (1, 11, 9), 68, (1, 3, 3), (1, 2, 2), (0, 2, 1), (1, 1, 1)),
    (1, (2, 12, 7), 16, (1, 3, 3), (2, 1, 1), (1, 2, 3), (1, 2, 1)),
    (1, (2, 12, 7), 16, (1, 3, 3), (2, 1, 1), (1, 2, 3), (1, 2, 3)),
    (1, (1, 9, 20), 17, (1, 3, 3), (1, 1, 3), (0, 1, 1), (1, 1, 1)),
    (1, (1, 1, 1), 4, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (1, (1, 1, 2), 19, (1, 3, 3), (1, 2, 2), (0, 4, 6), (1, 1, 1)),
    (1, (1, 3, 2), 33, (1, 3, 3), (1, 1, 1), (0, 1, 5), (1, 1, 1)),
    (1, (1, 4, 3), 16, (1, 3, 3), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
)


def quantizers(rng, outputs):
    """Draw the quantizers of input and filters."""
    scales = np.exp(rng.uniform(-7, -2, size=outputs))
    zeros = np.zeros(outputs, np.int32)
    if rng.random() < 0.5:
        zeros = rng.integers(-128, 128, size=outputs).astype(np.int32)
    return float(rng.choice([0.02, 0.5, 1 / 3])), int(rng.choice([0, 3, 128, 255])), scales, zeros


def finished(rng, x, weight, quantizer, bias_rule, rule):
    """Choose bias, output and rules so that sums of the size that is to be expected lie on ties."""
    input_scale, zx, scales, zeros = quantizer
    flat = weight.reshape(weight.shape[0], int(np.prod(weight.shape[1:])))
    pixels = (
        rng.choice(x.reshape(-1), size=(3, flat.shape[1]))
        if x.size
        else np.zeros((0, flat.shape[1]), np.uint8)
    )
    bias, scale = finishing(rng, pixels, flat, scales, zeros, input_scale, zx, bias_rule, rule)
    if rule in AT_ONCE:
        return bias.astype(np.float32), output_at_once(rng, scale), at_once(rule)
    by = in_steps(bias_rule, MULTIPLIER[int(rng.integers(2))], rule)
    return bias.astype(np.float32), quint8_output(rng, scale), by


def with_large_bias(drawn):
    """Have biases that float32 does not hold when they are integers."""
    x, quantizer, weight, bias, *others = drawn
    large = (2.0**24 + np.arange(len(bias))) * quantizer.scale * weight.scales
    return x, quantizer, weight, large.astype(np.float32), *others


def with_post(rng, drawn, places):
    """Add what is done with the results, of which there are so many images and outputs."""
    x, geometry, rules_of_engine = drawn[0], drawn[4], drawn[-1]
    if rules_of_engine.product not in AT_ONCE:
        return *drawn, PostOps()
    shape = (x.shape[0], *geometry.extents(x.shape[1:4]), places)
    return *drawn, post_of(rng, shape, rules_of_engine.product)


def convolution(rng, case, bias_rule, rule):
    batch, image, channels, outputs, groups, *geometry = case
    x = integers(rng, (batch, *image, channels))
    weight = integers(rng, (outputs, *geometry[0], channels // groups), "int8")
    quantizer = quantizers(rng, outputs)
    bias, *others = finished(rng, x, weight, quantizer, bias_rule, rule)
    input_scale, zx, scales, zeros = quantizer
    by_filter = packed(rng, weight, groups, lambda w: pack_filters(w, groups))
    operand = Weight(*by_filter, scales, zeros)
    drawn = x, Quantizer(input_scale, zx), operand, bias, Geometry(*geometry), groups, *others
    return with_post(rng, drawn, outputs)


def depthwise(rng, case, bias_rule, rule):
    batch, image, channels, *geometry = case
    x = integers(rng, (batch, *image, channels))
    weight = integers(rng, (channels, *geometry[0], 1), "int8")
    quantizer = quantizers(rng, channels)
    bias, *others = finished(rng, x, weight, quantizer, bias_rule, rule)
    input_scale, zx, scales, zeros = quantizer
    packed = Weight(*pack_depthwise(weight, zeros), scales, zeros)
    drawn = x, Quantizer(input_scale, zx), packed, bias, Geometry(*geometry), *others
    return with_post(rng, drawn, channels)


@draws("pack_filters")
def pack(rng):
    for _, _, channels, outputs, groups, kernel, *_ in CASES:
        yield integers(rng, (outputs, *kernel, channels // groups), "int8"), groups


@draws("pack_depthwise")
def pack_each(rng):
    for _, _, channels, kernel, *_ in DEPTHWISE:
        zeros = rng.integers(-128, 128, size=channels).astype(np.int32)
        yield integers(rng, (channels, *kernel, 1), "int8"), zeros


@draws("convolve")
def convolve(rng):
    for case in CASES:
        for bias_rule in BIAS:
            for rule in ROUNDING:
                yield convolution(rng, case, bias_rule, rule)
            yield with_large_bias(convolution(rng, case, bias_rule, rules.FLOAT_PRODUCT))
        for rule in AT_ONCE:
            yield convolution(rng, case, rules.BIAS_DIVIDED, rule)


@draws_large("convolve")
def convolve_large(rng):
    large = (2, (1, 40, 41), 16, 24, 1, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1))
    grouped = (3, (1, 30, 31), 24, 48, 4, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 2, 2))
    for case in (large, grouped):
        yield convolution(rng, case, rules.BIAS_FUSED, rules.FLOAT_PRODUCT)


@draws("convolve_depthwise")
def convolve_depthwise(rng):
    for case in DEPTHWISE:
        for bias_rule in BIAS:
            for rule in ROUNDING:
                yield depthwise(rng, case, bias_rule, rule)
            yield with_large_bias(depthwise(rng, case, bias_rule, rules.FLOAT_PRODUCT))
        for rule in AT_ONCE:
            yield depthwise(rng, case, rules.BIAS_DIVIDED, rule)


@draws_large("convolve_depthwise")
def convolve_depthwise_large(rng):
    case = (2, (1, 61, 63), 72, (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1))
    yield depthwise(rng, case, rules.BIAS_DIVIDED, rules.FLOAT_PRODUCT)


@draws("interleave")
def interleave(rng):
    for channels in (0, 1, 2, 3, 4, 7, 64):
        for pixels in (0, 1, 15, 16, 33, 255, 256, 600):
            yield (integers(rng, (int(rng.integers(3)), channels, pixels)),)


@draws_large("interleave")
def interleave_large(rng):
    for shape in ((2, 3, 224 * 224), (3, 32, 9000)):
        yield (integers(rng, shape),)


@draws("spread")
def spread(rng):
    for batch, image, channels, *_ in CASES:
        for step, before, more in (
            ((1, 1, 1), (0, 0, 0), (0, 0, 0)),
            ((1, 2, 3), (0, 1, 2), (0, 3, 1)),
            ((2, 1, 2), (3, -1, -4), (1, 0, 2)),
            ((3, 5, 1), (-1, -7, 40), (0, -2, -1)),
        ):
            rows = zip(image, step, before, more, strict=True)
            extents = tuple(max((n - 1) * s + b + 1 + m, 0) for n, s, b, m in rows)
            x = integers(rng, (batch, *image, channels))
            yield x, int(rng.choice([0, 3, 128, 255])), step, before, extents
