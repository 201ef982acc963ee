"""Arguments for the twins of the family `activation`."""

import numpy as np
from parity.draws import draws, draws_large
from parity.draws_elementwise import DEQUANTIZE, quantize_splits, requantize
from strategies import RANGES, integers

from refquant.engines import Split
from refquant.engines.rules import expm1
from refquant.reference.operands import EluFactors, Output, Quantizer, Runs

EXPONENTIAL = (
    Split(expm1.EXPM1_OF_PAIRS, expm1.EXPM1_ROUNDED_ONCE),
    Split(expm1.EXPM1_ROUNDED_ONCE, expm1.EXPM1_OF_PAIRS),
)


@draws("elu")
def elu(rng):
    for a, of_a, output, _relu, runs, dequantize, quantize in requantize(rng):
        if rng.random() < 0.5:  # as large as the exponential function is not 0, -1 or infinite
            of_a = of_a._replace(scale=float(np.exp(rng.uniform(-9, 0))))
        factors = (float(v) for v in rng.choice([1.0, 1.67326, 0.5, -1.0, 0.0], size=3))
        split = EXPONENTIAL[rng.integers(2)]
        yield a, of_a, output, EluFactors(*factors), runs, dequantize, split, quantize


@draws_large("elu")
def elu_large(rng):
    size = 300_007
    for storage in RANGES:
        of_a = Quantizer(20 / float(RANGES[storage][1]), 3)
        of_result = (2.0**-24, 5) if storage == "int32" else (1 / 128, 100)
        output, factors = Output(*of_result, *RANGES[storage]), EluFactors(1.0, 1.0, 1.0)
        splits = DEQUANTIZE[0], EXPONENTIAL[0], quantize_splits(storage)[0]
        yield integers(rng, size, storage), of_a, output, factors, Runs(size, size // 2), *splits
