r"""Exponential functions, and what is made of them, by arithmetic alone: every machine agrees.

All split off a power of two, :math:`e^x = 2^k e^r` with :math:`k = round(x / \log 2)`, and sum a
series in :math:`r`. In float32 they err by at most the last bit, with fused products. A *pair* is a
float32 number and its rounding error. Functions of float64 are there to be rounded once.
"""

import math

import numpy as np

from refquant.engines.rules.float32 import fma

__all__ = ["erf", "error_function", "exp", "expm1", "exponential", "pair_of_exponential", "tanh"]

# For float64: log(2) in two parts, the first of which ends in zero bits, so that its product with a
# small integer is exact; then 1 / 11!, ..., 1 / 1!, the Taylor series from its last term.
LOG_2_E = float.fromhex("0x1.71547652b82fep+0")
LOG_2_HIGH, LOG_2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
COEFFICIENTS = [1.0 / math.factorial(n) for n in range(11, 0, -1)]

F = np.float32
LOG_2_E_SINGLE = F(LOG_2_E)
# log(2) in two float32, the first of which ends in zero bits.
LOG_2_HIGH_SINGLE, LOG_2_LOW_SINGLE = F(0.693145751953125), F(1.428606765330187e-06)
# Fitted in place of 1/7!, 1/6!, 1/5!, 1/4! and 1/3!, for pairs.
FITTED = (F(0.1980960224e-3), F(0.1394256484e-2), F(0.8333456703e-2), F(0.4166637361e-1))
FITTED_THIRD = F(0.16666665941423425)
# Fitted in place of 1/7!, ..., 1/2!, for one float32.
FITTED_SINGLE = (
    *(F(0.000198527617612853646), F(0.00139304355252534151), F(0.00833336077630519867)),
    *(F(0.0416664853692054749), F(0.166666671633720398), F(0.5)),
)
# Abramowitz and Stegun 7.1.26: the factor of |x|, then the coefficients from the last term.
ERF_SLOPE = F(0.3275911)
ERF_SERIES = (*(F(1.061405429), F(-1.453152027), F(1.421413741), F(-0.284496736), F(0.254829592)),)
# Terms of the series of the error function in float64, which is 1 from 6 on.
ERF_TERMS, ERF_END = 128, 6.0
TWO_OVER_ROOT_PI = float.fromhex("0x1.20dd750429b6dp+0")


# -- float32 -----------------------------------------------------------------------------------


def exponential(x) -> np.ndarray:
    """Compute e**x in float32: SLEEF ``expf_u10``."""
    held = np.where(np.abs(x) <= F(104), x, F(0))
    k = np.rint(held * LOG_2_E_SINGLE)
    r = fma(k, -LOG_2_HIGH_SINGLE, held)
    r = fma(k, -LOG_2_LOW_SINGLE, r)
    u = np.full_like(held, FITTED_SINGLE[0])
    for coefficient in FITTED_SINGLE[1:]:
        u = fma(u, r, coefficient)
    u = F(1) + fma(r * r, u, r)
    whole = k.astype(np.int32)
    half = whole >> 1
    power = u * np.ldexp(F(1), half) * np.ldexp(F(1), whole - half)
    beyond = np.where(x > 0, F(np.inf), np.where(x < 0, F(0), x))
    return np.where(np.abs(x) <= F(104), np.where(x > F(100), F(np.inf), power), beyond)


def sum_of_pairs(a, b):
    """Add two pairs."""
    total = a[0] + b[0]
    partner = total - a[0]
    error = (a[0] - (total - partner)) + (b[0] - partner)
    return total, error + (a[1] + b[1])


def product_of_pairs(a, b):
    """Multiply two pairs."""
    product = a[0] * b[0]
    error = fma(a[0], b[0], -product)
    return product, fma(a[0], b[1], fma(a[1], b[0], error))


def square_of_pair(a):
    """Multiply a pair by itself."""
    square = a[0] * a[0]
    return square, fma(a[0] + a[0], a[1], fma(a[0], a[0], -square))


def single(x):
    """Make a pair of a number without error."""
    return x, np.zeros_like(x)


def pair_of_exponential(x):
    """Compute e**x as a pair, for -17 <= x <= 89: SLEEF ``expk2f``."""
    k = np.rint(x * LOG_2_E_SINGLE)
    r = sum_of_pairs(single(x), single(k * -LOG_2_HIGH_SINGLE))
    r = sum_of_pairs(r, single(k * -LOG_2_LOW_SINGLE))
    u = np.full_like(x, FITTED[0])
    for coefficient in FITTED[1:]:
        u = fma(u, r[0], coefficient)
    t = sum_of_pairs(product_of_pairs(r, single(u)), (FITTED_THIRD, F(0)))
    t = sum_of_pairs(product_of_pairs(r, t), (F(0.5), F(0)))
    t = sum_of_pairs(r, product_of_pairs(square_of_pair(r), t))
    power = F(1) + t[0]
    error = ((F(1) - power) + t[0]) + t[1]
    whole = k.astype(np.int32)
    return np.ldexp(power, whole), np.ldexp(error, whole)


def error_function(x) -> np.ndarray:
    """Compute erf(x) in float32, with an absolute error of 2e-7: ATen ``Vectorized::erf``."""
    t = F(1) / fma(ERF_SLOPE, np.abs(x), F(1))
    r = np.full_like(x, ERF_SERIES[0])
    for coefficient in ERF_SERIES[1:]:
        r = fma(r, t, coefficient)
    rest = -exponential(-(x * x)) * t
    return np.copysign(F(1), x) * fma(rest, r, F(1))


# -- float64 -----------------------------------------------------------------------------------


def _split(x):
    """Return 2**k and e**r - 1 for x between -750 and 700."""
    k = np.where(x == x, np.rint(x * LOG_2_E), 0.0)
    r = (x - k * LOG_2_HIGH) - k * LOG_2_LOW
    series = np.full_like(r, COEFFICIENTS[0])
    for coefficient in COEFFICIENTS[1:]:
        series = series * r + coefficient
    return np.ldexp(1.0, k.astype(np.int32)), series * r


def exp(x) -> np.ndarray:
    """Compute e**x in float64; beyond -110 and 110 as at these."""
    power, less_one = _split(np.clip(np.asarray(x, np.float64), -110.0, 110.0))
    return less_one * power + power


def expm1(x) -> np.ndarray:
    """Compute e**x - 1 in float64; beyond -110 and 110 as at these."""
    power, less_one = _split(np.clip(np.asarray(x, np.float64), -110.0, 110.0))
    return less_one * power + (power - 1.0)


def tanh(x) -> np.ndarray:
    """Compute the hyperbolic tangent in float64."""
    x = np.asarray(x, np.float64)
    e = expm1(-2.0 * np.abs(x))
    return np.copysign(e / (2.0 + e), x)


def erf(x) -> np.ndarray:
    r"""Compute the error function in float64.

    .. math:: erf(x) = \frac{2}{\sqrt\pi} x e^{-x^2} \sum_n \frac{(2 x^2)^n}{(2n + 1)!!}
    """
    x = np.asarray(x, np.float64)
    held = np.where(np.abs(x) < ERF_END, x, 0.0)
    square = held * held
    total = np.ones_like(held)
    for n in range(ERF_TERMS - 1, 0, -1):
        total = total * (square * (2.0 / (2 * n + 1))) + 1.0
    y = TWO_OVER_ROOT_PI * held * exp(-square) * total
    return np.where(np.abs(x) < ERF_END, y, np.copysign(np.where(x == x, 1.0, x), x))
