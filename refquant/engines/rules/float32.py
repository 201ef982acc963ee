"""IEEE float32 arithmetic in NumPy, one rounding an operation: the words that the rules use.

NumPy rounds every float32 operation once, so sums and products need no helper. Missing are the
fused multiply-add and the conversions of processors to integers; a few other formulas stand here
because several families of rules use them.
"""

import numpy as np

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

_round_objects = np.frompyfunc(round, 1, 1)


def fma(a, b, c) -> np.ndarray:
    r"""Fused multiply-add, :math:`ab + c` with one rounding to float32.

    The product of two float32 is exact in float64 (48 of 53 bits). The sum is rounded *to odd*
    there: where it is inexact, the last bit is set to 1, which keeps the one bit of information
    that the second rounding, to float32, needs (Boldo and Melquiond 2008). The error of the sum
    comes from TwoSum (Knuth). Other sums than those halfway between two float32 do not need it.

    Parameters
    ----------
    a, b, c : array_like of float32
        Operands, broadcast against each other.

    Returns
    -------
    ndarray of float32
        The same bits as C's ``fmaf``.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.engines.rules.float32 import fma
    >>> x = np.float32(1 + 2**-12)
    >>> float(x * x - np.float32(1)), float(fma(x, x, -1))
    (0.00048828125, 0.0004883408546447754)
    """
    a, b, c = (np.asarray(v, dtype=np.float32).astype(np.float64) for v in (a, b, c))
    with np.errstate(invalid="ignore", over="ignore"):
        product = a * b
        total = np.asarray(product + c)
        if not _may_round_twice(total).any():
            return total.astype(np.float32)
        partner = total - product
        error = (product - (total - partner)) + (c - partner)
        even = (total.view(np.int64) & 1) == 0
        inexact = np.isfinite(total) & (error != 0) & even
        toward = np.where(error > 0, np.inf, -np.inf)
        odd = np.where(inexact, np.nextafter(total, toward), total)
        return odd.astype(np.float32)


def _may_round_twice(total) -> np.ndarray:
    """Tell which float64 lie halfway between two float32, or nearer to 0 than these are even."""
    halfway = (total.view(np.int64) & 0x1FFFFFFF) == 0x10000000
    return halfway | ((np.abs(total) < 2.0**-125) & (total != 0))


def round_half_even(x) -> np.ndarray:
    """Round to the nearest integer, ties to the even one; the result is float32.

    Objects such as Fractions round exactly and become Python integers.
    """
    x = np.asarray(x)
    if x.dtype == object:
        return _round_objects(x)
    return np.rint(x.astype(np.float32, copy=False))


def convert_to_int32(x) -> np.ndarray:
    """Round float32 half to even and convert to int32 as x86 does (``cvtps2dq``).

    What int32 cannot hold, and NaN, become -2**31.

    Returns
    -------
    ndarray of int64
        Values of the range of int32, in a type in which the next sum cannot overflow.
    """
    rounded = round_half_even(x).astype(np.float64)
    held = (rounded >= INT32_MIN) & (rounded < 2.0**31)
    return np.where(held, rounded, INT32_MIN).astype(np.int64)


def wrap_int32(n) -> np.ndarray:
    """Keep the lower 32 bits of int64, as processors do when a sum of int32 overflows.

    Returns
    -------
    ndarray of int64
    """
    return np.asarray(n, np.int64).astype(np.int32).astype(np.int64)


def clip(rounded, quant_min, quant_max) -> np.ndarray:
    """Clip whole numbers of float32 in float64, which holds every bound, and make them int64."""
    return np.clip(np.asarray(rounded, np.float64), quant_min, quant_max).astype(np.int64)


def single(number) -> np.ndarray:
    """Round a scale or a count to float32."""
    return np.asarray(number).astype(np.float32)


def reciprocal(number) -> np.ndarray:
    """Divide 1 by a number rounded to float32."""
    return np.float32(1) / single(number)


def approximate_reciprocal(number) -> np.ndarray:
    """Approximate 1 / x to 12 bits, as the instruction RCPPS of Intel's processors does.

    The first 11 bits of the fraction choose an entry of a table: the reciprocal of the middle of
    their interval, rounded to 13 bits.

    Examples
    --------
    >>> from refquant.engines.rules.float32 import approximate_reciprocal
    >>> float(approximate_reciprocal(3.0)), float(approximate_reciprocal(4.0))
    (0.333251953125, 0.24993896484375)
    """
    mantissa, exponent = np.frexp(single(number))
    interval = np.floor((2 * mantissa.astype(np.float64) - 1) * 2**11)
    entry = np.rint(2.0**13 / (1 + (interval + 0.5) / 2**11)) / 2.0**13
    return np.ldexp(entry, 1 - exponent).astype(np.float32)


def inverted_twice(scale) -> np.ndarray:
    """f32(1 / f32(1 / s)), the inner quotient in float64."""
    return np.float32(1) / (1.0 / np.asarray(scale, np.float64)).astype(np.float32)


def inverted_twice_in_float32(scale) -> np.ndarray:
    """f32(1 / f32(1 / f32(s)))."""
    return np.float32(1) / reciprocal(scale)


def step_scale(divisor, scale) -> np.ndarray:
    """Divide a scale by a divisor as QNNPACK does: S / (S * divisor), each rounded to float32."""
    S = single(scale)
    return S / (S * single(divisor))
