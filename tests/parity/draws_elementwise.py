"""Arguments for the twins of the family `elementwise`."""

import numpy as np
from cases.operands import RANGES, SIZES, integers, quantizers
from parity.draws import draws, draws_large

from refquant.engines import Split
from refquant.engines.rules import elementwise as products
from refquant.engines.rules import quantize as rules
from refquant.reference.operands import Output, Quantizer, Runs

QUANTIZE_8 = (
    Split(rules.ROUND_THEN_ADD, rules.ADD_THEN_ROUND, block=64),
    Split(rules.FUSED_CONVERT, rules.DIVIDE_THEN_ROUND_WIDE, block=64),
    Split(rules.ROUND_THEN_ADD_DOUBLE, rules.ADD_THEN_ROUND, block=8),
    Split(rules.FUSED_CONVERT_DOUBLE, rules.DIVIDE_THEN_ROUND_WIDE, block=32),
    Split(rules.FUSED_CLAMP_THEN_ROUND, rules.DIVIDE_THEN_ROUND, block=8),
    Split.uniform(rules.FUSED),
)
QUANTIZE_32 = (
    Split(rules.ADD_THEN_ROUND, rules.ADD_THEN_ROUND, block=16),
    Split.uniform(rules.DIVIDE_THEN_ROUND_WIDE),
    Split(rules.ROUND_THEN_ADD, rules.FUSED_CONVERT, block=16),
    Split.uniform(rules.DIVIDE_THEN_ROUND),
)
DEQUANTIZE = (
    Split(rules.SUBTRACT_FUSED, rules.SUBTRACT, block=64),
    Split.uniform(rules.SUBTRACT),
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
    """Draw a number of elements and their runs: one run of every size, and several of some."""
    for size in SIZES:
        yield size, Runs(size, size - size % 64)
    for run in (1, 5, 64, 70, 129):
        count = int(rng.integers(2, 9))
        yield run * count, Runs(run, int(rng.choice([0, run - run % 16, run])))


def quantizer(rng, storage):
    pairs = list(quantizers(rng, storage))
    scale, zero_point = pairs[rng.integers(len(pairs))]
    if rng.random() < 0.3:
        scale = float(rng.choice(EXTREME))
    return Quantizer(scale, zero_point)


def pairs_of_operands(rng):
    """Draw (storage, operands and their quantizers, that of the result, runs)."""
    for storage in RANGES:
        for size, runs in walks(rng):
            for _ in range(2):
                a, b = (integers(rng, size, storage) for _ in range(2))
                of_a, of_b, of_result = (quantizer(rng, storage) for _ in range(3))
                if rng.random() < 0.4:  # many ties
                    of_b = of_b._replace(scale=of_a.scale)
                    of_result = of_result._replace(scale=2 * of_a.scale)
                yield storage, (a, of_a, b, of_b), of_result, runs


def reals(rng):
    for storage, operands, of_result, runs in pairs_of_operands(rng):
        splits = quantize_splits(storage)
        quantize = splits[rng.integers(len(splits))]
        dequantize = DEQUANTIZE[rng.integers(len(DEQUANTIZE))]
        output = Output(*of_result, *RANGES[storage])
        yield *operands, output, bool(rng.integers(2)), runs, dequantize, quantize


SIZE = 300_007
LARGE_RUNS = Runs(SIZE, SIZE - SIZE % 64)


def large(rng, storage):
    """Draw large operands and their quantizers, and the output."""
    a, b = (integers(rng, SIZE, storage) for _ in range(2))
    output = Output(0.1, 5, *RANGES[storage])
    return (a, Quantizer(0.05, 3), b, Quantizer(0.1, 7)), output


@draws("add")
def add(rng):
    yield from reals(rng)


@draws("multiply")
def multiply(rng):
    yield from reals(rng)


def reals_large(rng):
    for storage in RANGES:
        for quantize in quantize_splits(storage):
            operands, output = large(rng, storage)
            yield *operands, output, False, LARGE_RUNS, DEQUANTIZE[0], quantize
    # The size has no divisor below 547: a run of 43 takes the first 6976 * 43 elements.
    (a, of_a, b, of_b), output = large(rng, "uint8")
    a, b = (np.ascontiguousarray(q[: SIZE - SIZE % 43]) for q in (a, b))
    yield a, of_a, b, of_b, output, True, Runs(43, 40), DEQUANTIZE[0], QUANTIZE_8[0]


@draws_large("add")
def add_large(rng):
    yield from reals_large(rng)


@draws_large("multiply")
def multiply_large(rng):
    yield from reals_large(rng)


@draws("requantize")
def requantize(rng):
    for a, of_a, _, _, *others in reals(rng):
        yield a, of_a, *others


@draws_large("requantize")
def requantize_large(rng):
    for a, of_a, _, _, *others in reals_large(rng):
        yield a, of_a, *others


def joined(rng, storage, count, widths):
    """Draw pieces, some with the parameters of the result, and how they are joined."""
    pairs = list(quantizers(rng, storage))
    pairs = [pairs[i] for i in rng.integers(len(pairs), size=3)]
    chosen = [pairs[i] for i in rng.integers(3, size=len(widths))]
    dequantize = DEQUANTIZE[rng.integers(len(DEQUANTIZE))]
    for quantize in quantize_splits(storage):
        yield (
            tuple(integers(rng, (count, width), storage) for width in widths),
            tuple(Quantizer(*pair) for pair in chosen),
            Output(*pairs[0], *RANGES[storage]),
            bool(rng.random() < 0.5),
            bool(rng.random() < 0.7),
            tuple(int(rng.choice([0, width - width % 8, width])) for width in widths),
            dequantize,
            quantize,
        )


@draws("join")
def join(rng):
    for storage in RANGES:
        for widths in ((1,), (3, 5), (64, 65), (16, 0, 130), (7, 1, 3000)):
            for count in (0, 1, 19):
                yield from joined(rng, storage, count, widths)


@draws_large("join")
def join_large(rng):
    for storage in RANGES:
        yield from joined(rng, storage, 7001, (64, 96))
        yield from joined(rng, storage, 1, (400_001, 500_000))


@draws("add_fixed_point")
def add_fixed_point(rng):
    for _ in range(6):
        for size in SIZES:
            a, b = (integers(rng, size) for _ in range(2))
            scale = float(np.exp(rng.uniform(-9, 3)))
            ratios = np.exp2(rng.uniform(-14, 8, size=2))
            if rng.random() < 0.5:
                ratios = np.exp2(rng.integers(-14, 8, size=2))
            zeros = (int(z) for z in rng.integers(0, 256, size=2))
            of_a, of_b = (
                Quantizer(float(np.float32(scale) * r), z)
                for r, z in zip(ratios, zeros, strict=True)
            )
            zero_point = int(rng.integers(0, 256))
            least = zero_point if rng.random() < 0.5 else 0
            yield a, of_a, b, of_b, Output(scale, zero_point, least, 255)


@draws_large("add_fixed_point")
def add_fixed_point_large(rng):
    operands, output = large(rng, "uint8")
    yield *operands, output


def integer_output(rng, storage, of_result):
    """Draw the range of a result: that of its type, or that after ReLU."""
    low, high = RANGES[storage]
    return Output(*of_result, of_result.zero_point if rng.random() < 0.3 else low, high)


@draws("multiply_integers")
def multiply_integers(rng):
    for storage, operands, of_result, runs in pairs_of_operands(rng):
        output = integer_output(rng, storage, of_result)
        yield *operands, output, runs, REQUANTIZE[rng.integers(len(REQUANTIZE))]


@draws_large("multiply_integers")
def multiply_integers_large(rng):
    for storage in RANGES:
        for split in REQUANTIZE:
            operands, output = large(rng, storage)
            yield *operands, output, LARGE_RUNS, split


@draws("add_scalar")
def add_scalar(rng):
    for storage, (a, of_a, _, _), of_result, runs in pairs_of_operands(rng):
        output = integer_output(rng, storage, of_result)
        extremes = [2**31 - 5, -(2**31), 2**31, 2**32 - 1, -(2**32) + 1]  # less a zero point
        offset = int(rng.choice([0, -1, 300, *extremes, int(rng.integers(-9999, 9999))]))
        split = REQUANTIZE[rng.integers(len(REQUANTIZE))]
        yield a, offset, of_a.scale, output, runs, split


@draws_large("add_scalar")
def add_scalar_large(rng):
    for storage in RANGES:
        a, output = integers(rng, SIZE, storage), Output(0.15, 3, *RANGES[storage])
        yield a, 77, 0.1, output, LARGE_RUNS, REQUANTIZE[0]


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
