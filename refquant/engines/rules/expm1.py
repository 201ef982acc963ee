r"""Rules for :math:`e^x - 1`: how the exponential linear unit finds it.

They differ in the last bit of float32.
"""

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules import exponential as e

__all__ = ["EXPM1_OF_PAIRS", "EXPM1_ROUNDED_ONCE"]

F = np.float32
# Below the first e**x - 1 is -1 in float32; beyond the second e**x is infinite.
LEAST, GREATEST = F(-16.635532), F(88.72283)


@np.errstate(all="ignore")
def _expm1_of_pairs(x):
    x = np.asarray(x, F)
    inside = (x >= LEAST) & (x <= GREATEST)
    power = e.pair_of_exponential(np.where(inside, x, F(0)))
    number, error = e.sum_of_pairs(power, (F(-1), F(0)))
    beyond = np.where(x < LEAST, F(-1), np.where(x > GREATEST, F(np.inf), x))
    return np.where(inside, number + error, beyond)


@np.errstate(all="ignore")
def _expm1_rounded_once(x):
    return e.expm1(np.asarray(x, F)).astype(F)


EXPM1_OF_PAIRS = Rule(
    "expm1_of_pairs",
    "f32(2**k * e**r - 1), the series and the difference summed in pairs of float32",
    "SLEEF expm1f_u10, in vectors of PyTorch 2.13",
    _expm1_of_pairs,
)
EXPM1_ROUNDED_ONCE = Rule(
    "expm1_rounded_once",
    "f32(e**x - 1), computed in float64 and rounded once",
    "std::expm1 of C libraries, which may err by the last bit",
    _expm1_rounded_once,
)
