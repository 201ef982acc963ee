"""Arguments for the twins of the family `exponential`."""

import numpy as np
from parity.draws import draws, draws_large
from parity.draws_elementwise import DEQUANTIZE, quantize_splits, requantize
from strategies import RANGES, integers

from refquant.engines import Split
from refquant.engines.rules import expm1

EXPONENTIAL = (
    Split(expm1.EXPM1_OF_PAIRS, expm1.EXPM1_ROUNDED_ONCE),
    Split(expm1.EXPM1_ROUNDED_ONCE, expm1.EXPM1_OF_PAIRS),
)


@draws("elu")
def elu(rng):
    for a, a_scale, a_zero, *others, _relu, run, body, dequantize, quantize in requantize(rng):
        if rng.random() < 0.5:  # as large as the exponential function is not 0, -1 or infinite
            a_scale = float(np.exp(rng.uniform(-9, 0)))
        factors = (float(v) for v in rng.choice([1.0, 1.67326, 0.5, -1.0, 0.0], size=3))
        split = EXPONENTIAL[rng.integers(2)]
        yield a, a_scale, a_zero, *others, *factors, run, body, dequantize, split, quantize


@draws_large("elu")
def elu_large(rng):
    for storage in RANGES:
        a, size = integers(rng, 300_007, storage), 300_007
        a_scale = 20 / float(RANGES[storage][1])
        output = (2.0**-24, 5) if storage == "int32" else (1 / 128, 100)
        quantize = quantize_splits(storage)[0]
        others = (*RANGES[storage], 1.0, 1.0, 1.0, size, size // 2, DEQUANTIZE[0])
        yield a, a_scale, 3, *output, *others, EXPONENTIAL[0], quantize
