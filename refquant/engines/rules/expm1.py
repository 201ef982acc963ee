r"""Rules for :math:`e^x - 1`: how the exponential linear unit finds it.

Both split off a power of two, :math:`e^x = 2^k e^r` with :math:`k = round(x / \log 2)`, and sum a
series in :math:`r`. They differ in the last bit of float32.
"""

import math

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import fma

__all__ = ["EXPM1_OF_PAIRS", "EXPM1_ROUNDED_ONCE"]

# For float64: log(2) in two parts, the first of which ends in zero bits, so that its product with a
# small integer is exact; then 1 / 11!, ..., 1 / 1!, the Taylor series from its last term.
LOG_2_E = float.fromhex("0x1.71547652b82fep+0")
LOG_2_HIGH, LOG_2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
COEFFICIENTS = [1.0 / math.factorial(n) for n in range(11, 0, -1)]

F = np.float32
# Below the first e**x - 1 is -1 in float32; beyond the second e**x is infinite.
LEAST, GREATEST = F(-16.635532), F(88.72283)
LOG_2_E_SINGLE = F(LOG_2_E)
# log(2) in two float32, the first of which ends in zero bits.
LOG_2_HIGH_SINGLE, LOG_2_LOW_SINGLE = F(0.693145751953125), F(1.428606765330187e-06)
# Fitted in place of 1/7!, 1/6!, 1/5!, 1/4! and 1/3!.
FITTED = (F(0.1980960224e-3), F(0.1394256484e-2), F(0.8333456703e-2), F(0.4166637361e-1))
FITTED_THIRD = F(0.16666665941423425)


def _sum(a, b):
    """Add two pairs (number, its rounding error)."""
    total = a[0] + b[0]
    partner = total - a[0]
    error = (a[0] - (total - partner)) + (b[0] - partner)
    return total, error + (a[1] + b[1])


def _product(a, b):
    """Multiply two pairs."""
    product = a[0] * b[0]
    error = fma(a[0], b[0], -product)
    return product, fma(a[0], b[1], fma(a[1], b[0], error))


def _square(a):
    square = a[0] * a[0]
    return square, fma(a[0] + a[0], a[1], fma(a[0], a[0], -square))


def _single(x):
    return x, np.zeros_like(x)


@np.errstate(all="ignore")
def _expm1_of_pairs(x):
    x = np.asarray(x, F)
    inside = (x >= LEAST) & (x <= GREATEST)
    held = np.where(inside, x, F(0))
    k = np.rint(held * LOG_2_E_SINGLE)
    r = _sum(_single(held), _single(k * -LOG_2_HIGH_SINGLE))
    r = _sum(r, _single(k * -LOG_2_LOW_SINGLE))
    u = np.full_like(held, FITTED[0])
    for coefficient in FITTED[1:]:
        u = fma(u, r[0], coefficient)
    t = _sum(_product(r, _single(u)), (FITTED_THIRD, F(0)))
    t = _sum(_product(r, t), (F(0.5), F(0)))
    t = _sum(r, _product(_square(r), t))
    power = F(1) + t[0]
    error = ((F(1) - power) + t[0]) + t[1]
    whole = k.astype(np.int32)
    e = np.ldexp(power, whole), np.ldexp(error, whole)
    number, error = _sum(e, (F(-1), F(0)))
    beyond = np.where(x < LEAST, F(-1), np.where(x > GREATEST, F(np.inf), x))
    return np.where(inside, number + error, beyond)


@np.errstate(all="ignore")
def _expm1_rounded_once(x):
    held = np.clip(np.asarray(x, F).astype(np.float64), -110.0, 110.0)
    k = np.where(held == held, np.rint(held * LOG_2_E), 0.0)
    r = (held - k * LOG_2_HIGH) - k * LOG_2_LOW
    series = np.full_like(r, COEFFICIENTS[0])
    for coefficient in COEFFICIENTS[1:]:
        series = series * r + coefficient
    power = np.ldexp(1.0, k.astype(np.int32))
    return ((series * r) * power + (power - 1.0)).astype(F)


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
