"""Arguments for the twins of the family `normalization`, beside those that calls give."""

import numpy as np
from cases.operands import floats, integers
from parity.draws import draws, draws_large

from refquant import engines
from refquant.dtypes import qint8, qint32, quint8
from refquant.engines import Operands, Split
from refquant.reference.operands import Output, Quantizer

DTYPES = {"uint8": quint8, "int8": qint8, "int32": qint32}
# Around the elements that go through a buffer, and the channels whose sums are taken at once.
CHANNELS = (1, 7, 32, 33, 64, 65, 100, 128, 1023, 1024, 1030, 2100)


def split_of(step, dtype):
    with engines.using("x86"):
        return engines.current().rule(step, Operands(dtype))


def splits(rng, dtype, quantize):
    """Draw the rules of the engine, at times those of vectors alone or of longer vectors."""
    found = split_of("normalize_dequantize", dtype), split_of(quantize, dtype)
    kind = rng.integers(0, 4)
    if kind == 0:
        return tuple(Split(s.vector, s.vector, s.block) for s in found)
    if kind == 1:
        return tuple(Split(s.vector, s.tail, 2000) for s in found)
    return found


def operands(rng, dtype):
    """Draw the quantizers before and after."""
    zero_point = 0 if dtype is qint32 else int(rng.integers(dtype.quant_min, dtype.quant_max + 1))
    output = Output(
        float(rng.choice([0.03, 2.0**-5])), zero_point, dtype.quant_min, dtype.quant_max
    )
    return Quantizer(0.05, zero_point), output


def numbers(rng, *shape):
    return floats(rng, shape, special=False)


@draws("batch_norm")
def batch_norm(rng):
    for storage, dtype in DTYPES.items():
        for channels in CHANNELS:
            for pixels in (1, 3, 40):
                before, after = operands(rng, dtype)
                variance = np.abs(numbers(rng, channels)) + np.float32(0.25)
                statistics = (*(numbers(rng, channels) for _ in range(3)), variance)
                q = integers(rng, (pixels, channels), storage, most=2**20)
                relu, rules = bool(rng.integers(2)), splits(rng, dtype, "batch_norm_quantize")
                yield q, before, statistics, 1e-5, after, relu, *rules


@draws("group_norm_of_pixels")
def group_norm_of_pixels(rng):
    for storage, dtype in DTYPES.items():
        for channels in CHANNELS:
            for pixels in (1, 31, 511, 512, 530)[: 5 if channels < 200 else 2]:
                groups = int(rng.choice([g for g in (1, 2, 4, channels) if channels % g == 0]))
                before, after = operands(rng, dtype)
                shape = groups, channels // groups
                q = integers(rng, (2, pixels, *shape), storage, most=2**20)
                rules = splits(rng, dtype, "normalize_quantize")
                yield q, before, numbers(rng, *shape), numbers(rng, *shape), 1e-5, after, *rules


@draws("deviation")
def deviation(rng):
    for storage in DTYPES:
        for n in (1, 2, 7, 31, 32, 100, 1000):
            q = integers(rng, (4, n), storage)
            for less in (0.0, 1.0, -3.5, float(n), float("inf"), float("nan")):
                yield q, less
        yield np.full((3, 50), np.iinfo(storage).max, storage), 1.0
        yield integers(rng, (3, 0), storage), 1.0
    yield np.full((1, 2**15 + 40_000), 255, np.uint8), 0.0  # more squares than int32 holds


@draws_large("batch_norm")
def batch_norm_large(rng):
    for storage, dtype in DTYPES.items():
        for shape in ((9000, 100), (9000, 64)):
            before, after = operands(rng, dtype)
            statistics = tuple(np.abs(numbers(rng, shape[1])) + np.float32(0.25) for _ in range(4))
            rules = split_of("normalize_dequantize", dtype), split_of("batch_norm_quantize", dtype)
            q = integers(rng, shape, storage, most=2**20)
            yield q, before, statistics, 1e-5, after, False, *rules


@draws_large("group_norm_of_pixels")
def group_norm_of_pixels_large(rng):
    for storage, dtype in DTYPES.items():
        for shape in ((4, 2500, 10, 10), (40, 200, 8, 16)):
            before, after = operands(rng, dtype)
            rules = split_of("normalize_dequantize", dtype), split_of("normalize_quantize", dtype)
            q = integers(rng, shape, storage, most=2**20)
            weight, bias = numbers(rng, *shape[2:]), numbers(rng, *shape[2:])
            yield q, before, weight, bias, 1e-5, after, *rules


@draws_large("deviation")
def deviation_large(rng):
    for storage in DTYPES:
        yield integers(rng, (1000, 1000), storage), 1.0
