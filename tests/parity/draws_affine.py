"""Arguments for the twins of the family `affine`."""

import numpy as np
from cases.operands import RANGES, SIZES, floats, integers, quantizers, ties
from parity.draws import draws, draws_large

from refquant.engines import Split
from refquant.engines.rules import quantize as rules
from refquant.reference.operands import Output, Quantizer

QUANTIZING = (
    rules.ROUND_THEN_ADD,
    rules.ADD_THEN_ROUND,
    rules.ADD_THEN_ROUND_INVERTED,
    rules.FUSED,
    rules.FUSED_CLAMP_THEN_ROUND,
    rules.DIVIDE_THEN_ROUND,
    rules.DIVIDE_THEN_ROUND_WIDE,
    rules.FUSED_CONVERT,
    rules.ROUND_THEN_ADD_DOUBLE,
    rules.FUSED_CONVERT_DOUBLE,
)
DEQUANTIZING = (rules.SUBTRACT, rules.SUBTRACT_FUSED, rules.SUBTRACT_DOUBLE)


def limits(rng, storage):
    """The range of a storage type, sometimes a narrower one."""
    if storage == "int32" or rng.random() < 0.7:
        return RANGES[storage]
    return (0, 15) if storage == "uint8" else (-8, 7)


@draws("quantize_per_tensor")
def quantize_per_tensor(rng):
    for storage in RANGES:
        for scale, zero_point in quantizers(rng, storage):
            for rule in QUANTIZING:
                size = int(rng.choice(SIZES))
                low, high = limits(rng, storage)
                vectors = int(rng.choice([0, size - size % 8, size]))
                tail = rule if rng.random() < 0.5 else rng.choice(QUANTIZING)
                x = floats(rng, size, scale, zero_point, storage)
                output = Output(scale, zero_point, low, high)
                yield x, output, np.dtype(storage), vectors, Split(rule, tail)
    for size in SIZES:
        x = floats(rng, size, 0.1, 3)
        split = Split(rules.FUSED_CLAMP_THEN_ROUND, rules.DIVIDE_THEN_ROUND)
        yield x, Output(0.1, 3, 0, 255), np.dtype("uint8"), size - size % 8, split


@draws_large("quantize_per_tensor")
def quantize_per_tensor_large(rng):
    size = 1_000_003
    for storage in RANGES:
        for rule in QUANTIZING:
            scale, zero_point = 0.1, int(rng.integers(-128, 128)) % 128
            half = size // 2
            x = np.concatenate(
                [
                    ties(rng, half, scale, zero_point, storage),
                    floats(rng, size - half, scale, zero_point, storage),
                ]
            )
            output = Output(scale, zero_point, *RANGES[storage])
            yield x, output, np.dtype(storage), size - 3, Split.uniform(rule)


@draws("dequantize_per_tensor")
def dequantize_per_tensor(rng):
    for storage in RANGES:
        for scale, zero_point in quantizers(rng, storage):
            for rule in DEQUANTIZING:
                q = integers(rng, int(rng.choice(SIZES)), storage)
                yield q, Quantizer(scale, zero_point), rule
    for size in SIZES:
        yield integers(rng, size), Quantizer(1 / 3, 7), rules.SUBTRACT


@draws_large("dequantize_per_tensor")
def dequantize_per_tensor_large(rng):
    for storage in RANGES:
        for rule in DEQUANTIZING:
            yield integers(rng, 1_000_003, storage), Quantizer(0.0123, 5), rule


SHAPES = (
    (1, 1, 1),
    (1, 3, 5),
    (2, 3, 0),
    (0, 3, 4),
    (2, 0, 4),
    (3, 4, 1),
    (5, 2, 17),
    (2, 7, 33),
    (1, 16, 64),
    (33, 3, 1),
    (700, 5, 1),
    (41, 9, 7),
    (3, 600, 2),
)


def channels(rng, shape, storage):
    pairs = list(quantizers(rng, storage))
    chosen = [pairs[i] for i in rng.integers(len(pairs), size=shape[1])]
    scales = np.array([s for s, _ in chosen], np.float64)
    return scales, np.array([z for _, z in chosen], np.int64)


@draws("quantize_per_channel")
def quantize_per_channel(rng):
    for storage in RANGES:
        for rule in QUANTIZING:
            for shape in SHAPES:
                scales, zero_points = channels(rng, shape, storage)
                x = np.empty(shape, np.float32)
                for c in range(shape[1]):
                    size = shape[0] * shape[2]
                    drawn = floats(rng, size, scales[c], int(zero_points[c]), storage)
                    x[:, c] = drawn.reshape(shape[0], shape[2])
                low, high = limits(rng, storage)
                yield x, scales, zero_points, low, high, np.dtype(storage), rule


@draws_large("quantize_per_channel")
def quantize_per_channel_large(rng):
    for storage in RANGES:
        for rule in QUANTIZING:
            scales, zero_points = channels(rng, (7, 11, 13001), storage)
            x = ties(rng, (7, 11, 13001), 0.1, 0)
            low, high = RANGES[storage]
            yield x, scales, zero_points, low, high, np.dtype(storage), rule


@draws("dequantize_per_channel")
def dequantize_per_channel(rng):
    for storage in RANGES:
        for rule in DEQUANTIZING:
            for shape in SHAPES:
                scales, zero_points = channels(rng, shape, storage)
                yield integers(rng, shape, storage), scales, zero_points, rule


@draws_large("dequantize_per_channel")
def dequantize_per_channel_large(rng):
    for storage in RANGES:
        for rule in DEQUANTIZING:
            scales, zero_points = channels(rng, (7, 11, 13001), storage)
            yield integers(rng, (7, 11, 13001), storage), scales, zero_points, rule


@draws("quantize_few_bits")
def quantize_few_bits(rng):
    for high in (15, 3):
        for scale, zero_point in quantizers(rng, "uint8"):
            for size in SIZES:
                yield (
                    floats(rng, size, scale, zero_point),
                    Output(scale, zero_point % high, 0, high),
                )


FLOAT_RANGES = (("uint8", 0, 255), ("int8", -128, 127), ("uint8", 0, 15), ("uint8", 0, 3))
FLOAT_SHAPES = ((0, 3, 4), (2, 0, 4), (2, 3, 0), (1, 1, 1), (2, 3, 17), (1, 5, 33), (7, 2, 1))


@draws("quantize_per_channel_float")
def quantize_per_channel_float(rng):
    for storage, low, high in FLOAT_RANGES:
        for shape in FLOAT_SHAPES:
            scales = np.exp(rng.uniform(-9, 3, shape[1])).astype(np.float32)
            zeros = floats(rng, shape[1], 1.0, 0, storage, special=False)
            yield floats(rng, shape, 0.1, 3), scales, zeros, low, high, np.dtype(storage)


@draws_large("quantize_per_channel_float")
def quantize_per_channel_float_large(rng):
    for storage, low, high in FLOAT_RANGES:
        scales = np.exp(rng.uniform(-9, 3, 13)).astype(np.float32)
        x = floats(rng, (5, 13, 5003), 0.1, 3)
        yield x, scales, rng.normal(size=13).astype(np.float32), low, high, np.dtype(storage)


@draws("dequantize_per_channel_float")
def dequantize_per_channel_float(rng):
    for storage in ("uint8", "int8"):
        for shape in FLOAT_SHAPES:
            scales = np.exp(rng.uniform(-9, 3, shape[1])).astype(np.float32)
            yield integers(rng, shape, storage), scales, floats(rng, shape[1], special=False)
