"""Arguments for the twins of the family `elementwise`."""

import numpy as np
from parity.draws import draws, draws_large
from strategies import RANGES, SIZES, integers, quantizers

from refquant.engines import Split
from refquant.engines import elementwise as products
from refquant.engines import quantization as rules

QUANTIZE_8 = (
    Split(rules.ROUND_THEN_ADD, rules.ADD_THEN_ROUND, block=64),
    Split(rules.FUSED_CONVERT, rules.DIVIDE_THEN_ROUND_WIDE, block=64),
    Split(rules.ROUND_THEN_ADD_DOUBLE, rules.ADD_THEN_ROUND, block=8),
    Split(rules.FUSED_CONVERT_DOUBLE, rules.DIVIDE_THEN_ROUND_WIDE, block=32),
    Split(rules.FUSED_CLAMP_THEN_ROUND, rules.DIVIDE_THEN_ROUND, block=8),
    Split.everywhere(rules.FUSED),
)
QUANTIZE_32 = (
    Split(rules.ADD_THEN_ROUND, rules.ADD_THEN_ROUND, block=16),
    Split.everywhere(rules.DIVIDE_THEN_ROUND_WIDE),
    Split(rules.ROUND_THEN_ADD, rules.FUSED_CONVERT, block=16),
    Split.everywhere(rules.DIVIDE_THEN_ROUND),
)
DEQUANTIZE = (
    Split(rules.SUBTRACT_FUSED, rules.SUBTRACT, block=64),
    Split.everywhere(rules.SUBTRACT),
    Split(rules.SUBTRACT, rules.SUBTRACT_DOUBLE, block=8),
)
REQUANTIZE = (
    Split(products.CONVERT_THEN_ADD, products.WIDEN_THEN_ADD, block=64),
    Split(products.WIDEN_THEN_ADD, products.CONVERT_THEN_ADD, block=16),
)
# Far apart enough that sums and products leave int32, int64 and float32.
EXTREME = (1e-36, 1e-20, 3e-9, 1.0, 2e6, 5e12, 1e20, 1e38)


def quantize_splits(storage):
    return QUANTIZE_32 if storage == "int32" else QUANTIZE_8


def walks(rng):
    """Draw (run, runs, body): one run of every size, and several of some."""
    for size in SIZES:
        yield size, 1, size - size % 64
    for run in (1, 5, 64, 70, 129):
        runs = int(rng.integers(2, 9))
        yield run, runs, int(rng.choice([0, run - run % 16, run]))


def quantizer(rng, storage):
    pairs = list(quantizers(rng, storage))
    scale, zero_point = pairs[rng.integers(len(pairs))]
    if rng.random() < 0.3:
        scale = float(rng.choice(EXTREME))
    return scale, zero_point


def pairs_of_operands(rng):
    for storage in RANGES:
        for run, runs, body in walks(rng):
            for _ in range(2):
                a, b = (integers(rng, run * runs, storage) for _ in range(2))
                a_scale, a_zero = quantizer(rng, storage)
                b_scale, b_zero = quantizer(rng, storage)
                scale, zero_point = quantizer(rng, storage)
                if rng.random() < 0.4:  # many ties
                    b_scale, scale = a_scale, 2 * a_scale
                yield (
                    storage,
                    (a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point),
                    run,
                    body,
                )


def reals(rng):
    for storage, operands, run, body in pairs_of_operands(rng):
        splits = quantize_splits(storage)
        quantize = splits[rng.integers(len(splits))]
        dequantize = DEQUANTIZE[rng.integers(len(DEQUANTIZE))]
        relu = bool(rng.integers(2))
        yield *operands, *RANGES[storage], relu, run, body, dequantize, quantize


def large(rng, storage):
    size = 300_007
    a, b = (integers(rng, size, storage) for _ in range(2))
    return a, 0.05, 3, b, 0.1, 7, 0.1, 5


@draws("add")
def add(rng):
    yield from reals(rng)


@draws("multiply")
def multiply(rng):
    yield from reals(rng)


def reals_large(rng):
    for storage in RANGES:
        for quantize in quantize_splits(storage):
            operands = large(rng, storage)
            size = operands[0].size
            yield (
                *operands,
                *RANGES[storage],
                False,
                size,
                size - size % 64,
                DEQUANTIZE[0],
                quantize,
            )
    yield *large(rng, "uint8"), 0, 255, True, 43, 40, DEQUANTIZE[0], QUANTIZE_8[0]


@draws_large("add")
def add_large(rng):
    # 300007 has no divisor below 547: a run of 43 takes the first 299968 + 39 elements.
    for arguments in reals_large(rng):
        yield whole_runs(arguments, -4)


@draws_large("multiply")
def multiply_large(rng):
    for arguments in reals_large(rng):
        yield whole_runs(arguments, -4)


def whole_runs(arguments, place):
    """Cut arrays to a multiple of the length of a run, which is the argument at `place`."""
    run = arguments[place]
    return tuple(
        np.ascontiguousarray(v[: v.size - v.size % run]) if isinstance(v, np.ndarray) else v
        for v in arguments
    )


@draws("requantize")
def requantize(rng):
    for a, a_scale, a_zero, _, _, _, *others in reals(rng):
        yield a, a_scale, a_zero, *others


@draws_large("requantize")
def requantize_large(rng):
    for arguments in reals_large(rng):
        a, a_scale, a_zero, _, _, _, *others = whole_runs(arguments, -4)
        yield a, a_scale, a_zero, *others


@draws("add_fixed_point")
def add_fixed_point(rng):
    for _ in range(6):
        for size in SIZES:
            a, b = (integers(rng, size) for _ in range(2))
            scale = float(np.exp(rng.uniform(-9, 3)))
            ratios = np.exp2(rng.uniform(-14, 8, size=2))
            if rng.random() < 0.5:
                ratios = np.exp2(rng.integers(-14, 8, size=2))
            a_scale, b_scale = (float(np.float32(scale) * r) for r in ratios)
            a_zero, b_zero, zero_point = (int(z) for z in rng.integers(0, 256, size=3))
            lower = zero_point if rng.random() < 0.5 else 0
            yield a, a_scale, a_zero, b, b_scale, b_zero, scale, zero_point, lower, 255


@draws_large("add_fixed_point")
def add_fixed_point_large(rng):
    yield *large(rng, "uint8"), 0, 255


@draws("multiply_integers")
def multiply_integers(rng):
    for storage, operands, run, body in pairs_of_operands(rng):
        low, high = RANGES[storage]
        lower = operands[-1] if rng.random() < 0.3 else low
        yield *operands, lower, high, run, body, REQUANTIZE[rng.integers(len(REQUANTIZE))]


@draws_large("multiply_integers")
def multiply_integers_large(rng):
    for storage in RANGES:
        for split in REQUANTIZE:
            operands = large(rng, storage)
            size = operands[0].size
            yield *operands, *RANGES[storage], size, size - size % 64, split


@draws("add_number")
def add_number(rng):
    for storage, operands, run, body in pairs_of_operands(rng):
        a, a_scale, _, _, _, _, scale, zero_point = operands
        low, high = RANGES[storage]
        lower = zero_point if rng.random() < 0.3 else low
        extremes = [2**31 - 5, -(2**31), 2**31, 2**32 - 1, -(2**32) + 1]  # less a zero point
        offset = int(rng.choice([0, -1, 300, *extremes, int(rng.integers(-9999, 9999))]))
        split = REQUANTIZE[rng.integers(len(REQUANTIZE))]
        yield a, offset, a_scale, scale, zero_point, lower, high, run, body, split


@draws_large("add_number")
def add_number_large(rng):
    for storage in RANGES:
        a = integers(rng, 300_007, storage)
        yield a, 77, 0.1, 0.15, 3, *RANGES[storage], a.size, a.size - a.size % 64, REQUANTIZE[0]


@draws("clamp")
def clamp(rng):
    for storage, (low, high) in RANGES.items():
        for size in SIZES:
            lower, upper = sorted(int(v) for v in rng.integers(low, high, size=2, endpoint=True))
            yield integers(rng, size, storage), lower, upper
            yield integers(rng, size, storage), low, high


@draws_large("clamp")
def clamp_large(rng):
    for storage in RANGES:
        yield integers(rng, 1_000_003, storage), 3, 100
