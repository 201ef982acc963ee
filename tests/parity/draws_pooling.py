"""Arguments for the twins of the family `pooling`."""

import numpy as np
from cases.operands import RANGES, SIZES, integers, zero_points
from parity.draws import draws, draws_large

from refquant.engines import Split
from refquant.engines.rules import average as rules
from refquant.engines.rules import quantize as rules_of_one
from refquant.engines.rules.mean import MEAN_OF_INTEGERS
from refquant.reference.operands import Geometry, Output, Quantizer, Windows

RULES = (
    rules.AVERAGE_ADD_THEN_ROUND,
    rules.AVERAGE_ROUND_THEN_ADD,
    rules.AVERAGE_FUSED,
    rules.AVERAGE_DIVIDE_THEN_ROUND,
    rules.AVERAGE_OF_INTEGERS,
    rules.AVERAGE_OF_STEPS,
    rules.AVERAGE_IN_FIXED_POINT,
    MEAN_OF_INTEGERS,
)
DEQUANTIZING = (rules_of_one.SUBTRACT, rules_of_one.SUBTRACT_FUSED, rules_of_one.SUBTRACT_WIDE)
CHANNELS = (1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 65, 130)


def images(rng):
    """Draw images of every storage type: row-major (one element innermost) and channels-last."""
    for storage in RANGES:
        for inner in CHANNELS:
            shape = (int(rng.integers(1, 4)), *rng.integers(1, 12, size=2), inner)
            yield storage, integers(rng, shape, storage)
        for width in (1, 15, 16, 17, 33, 70):
            yield storage, integers(rng, (2, int(rng.integers(1, 9)), width, 1), storage)
    yield "uint8", np.empty((0, 4, 4, 1), np.uint8)
    yield "int8", np.empty((2, 4, 4, 0), np.int8)


@draws("max_pool")
def max_pool(rng):
    for _, image in images(rng):
        for _ in range(3):
            kernel, stride, dilation = (
                tuple(int(v) for v in rng.integers(1, 5, size=2)) for _ in range(3)
            )
            padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
            geometry = Geometry(kernel, stride, padding, dilation)
            counts = geometry.extents(image.shape[1:3])
            if min(counts) > 0:
                yield image, geometry, counts
    # Every tap of the window misses the only pixel.
    yield np.zeros((1, 1, 1, 3), np.uint8), Geometry((2, 2), (1, 1), (1, 1), (2, 2)), (1, 1)


def spans(rng, size):
    """Draw windows inside an extent, some of them single pixels, some of the whole."""
    count = int(rng.integers(1, 7))
    first = rng.integers(0, size, size=count)
    last = first + 1 + rng.integers(0, size - first)
    return np.stack([first, last], axis=1).astype(np.int64)


def cells(windows):
    """Count the elements of all windows."""
    lengths = [along[:, 1] - along[:, 0] for along in windows]
    return np.ascontiguousarray(np.einsum("i,j,k->ijk", *lengths))


@draws("average_pool")
def average_pool(rng):
    for storage, image in images(rng):
        low, high = RANGES[storage]
        for rule in RULES:
            depth = int(rng.integers(1, 4))
            volume = np.ascontiguousarray(np.stack([image[:, ::-1], image, image][:depth], 1))
            windows = Windows(*(spans(rng, extent) for extent in volume.shape[1:4]))
            divisors = cells(windows)
            if rng.random() < 0.3:
                divisors = divisors + rng.integers(1, 4)
            elif rng.random() < 0.1 and rule is not rules.AVERAGE_IN_FIXED_POINT:
                divisors = np.full_like(divisors, rng.choice([-3, 2**31, 2**62]))
            inner = image.shape[3]
            vectors = int(rng.choice([0, inner - inner % 8, inner]))
            other = RULES[rng.integers(5)]
            points = zero_points("uint8" if storage == "int32" else storage)
            zero_point = int(rng.choice(points))
            scale = float(np.exp(rng.uniform(-9, 3)))
            if storage == "int32" and rule is rules.AVERAGE_IN_FIXED_POINT:
                continue  # its products need the sums of 8-bit integers to stay in int64
            output = Output(scale, zero_point, low, high)
            yield volume, windows, divisors, output, vectors, Split(rule, other)


@draws("mean")
def mean(rng):
    for storage, limits in RANGES.items():
        for rule in RULES:
            for n in (*SIZES[1:], 5000):
                q = integers(rng, (int(rng.choice([0, 1, 3, 17])), n), storage)
                if storage == "int32":  # sums of which int64 holds all products
                    q = q if rule is MEAN_OF_INTEGERS else q // 2**12
                points = zero_points("uint8" if storage == "int32" else storage)
                scale = float(np.exp(rng.uniform(-9, 3)))
                yield q, Output(scale, int(rng.choice(points)), *limits), rule
    yield np.full((2, 3), 2**31 - 1, np.int32), Output(1.0, 0, *RANGES["int32"]), MEAN_OF_INTEGERS


@draws_large("mean")
def mean_large(rng):
    for storage, limits in RANGES.items():
        for shape in ((1, 2_000_003), (20_011, 49)):
            yield integers(rng, shape, storage), Output(0.1, 3, *limits), MEAN_OF_INTEGERS
    # More than int32 holds of the largest integer.
    yield np.full((1, 2**23 + 9), 255, np.uint8), Output(0.1, 3, 0, 255), rules.AVERAGE_OF_STEPS


@draws("sum_of_reals")
def sum_of_reals(rng):
    for storage in RANGES:
        for rule in DEQUANTIZING:
            for columns in (2, 3, 5, 8, 31, 33, 64, 257, 300):
                n = int(rng.choice([1, 2, 3, 4, 5, 15, 16, 17, 33, 63, 64, 65, 100]))
                q = integers(rng, (int(rng.integers(1, 4)), n, columns), storage)
                scale = float(np.exp(rng.uniform(-9, 3)))
                yield q, Quantizer(scale, int(rng.choice(zero_points(storage)))), rule
    for n in (255, 256, 257, 4095, 4097):  # blocks of blocks
        yield integers(rng, (1, n, 37), "uint8"), Quantizer(1 / 3, 7), rules_of_one.SUBTRACT
    yield np.empty((2, 0, 3), np.uint8), Quantizer(1 / 3, 7), rules_of_one.SUBTRACT


@draws_large("sum_of_reals")
def sum_of_reals_large(rng):
    for shape in ((8, 3136, 64), (1, 2**19 + 21, 5), (1, 700, 3000)):
        yield integers(rng, shape, "uint8"), Quantizer(0.05, 64), rules_of_one.SUBTRACT


def parts(size, count):
    """Cover an extent with windows that overlap by at most one element."""
    index = np.arange(count, dtype=np.int64)
    return np.stack([index * size // count, -(-(index + 1) * size // count)], axis=1)


# Row-major and channels-last images in which several threads find work.
LARGE = ((30, 99, 101, 1), (2, 99, 101, 40))


@draws_large("max_pool")
def max_pool_large(rng):
    geometry = Geometry((3, 3), (2, 2), (1, 1), (1, 1))
    for storage in RANGES:
        for shape in LARGE:
            yield integers(rng, shape, storage), geometry, geometry.extents(shape[1:3])


@draws_large("average_pool")
def average_pool_large(rng):
    windows = Windows(parts(3, 2), parts(33, 10), parts(101, 25))
    average = Split(rules.AVERAGE_ROUND_THEN_ADD, rules.AVERAGE_FUSED)
    for storage, limits in RANGES.items():
        for shape in LARGE:
            volume = integers(rng, shape, storage).reshape(shape[0], 3, 33, *shape[2:])
            output, vectors = Output(0.1, 3, *limits), shape[3] - shape[3] % 16
            yield volume, windows, cells(windows), output, vectors, average
