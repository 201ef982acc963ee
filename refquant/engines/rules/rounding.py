r"""Five ways to round, for floats, fractions and right shifts of integers.

All of them split a number into sign, whole part and rest, :math:`t = \pm (m + r)` with
:math:`0 \le r < 1`, which is exact for floats, and ask how the rest compares with one half.

============== =================================================================
rounding       ties, or the rest
============== =================================================================
``half_even``  to the nearest, ties to the even integer (IEEE 754, ``rintf``)
``half_away``  to the nearest, ties away from zero (C's ``round``)
``half_up``    to the nearest, ties towards plus infinity (add a half, shift)
``truncate``   towards zero (a C conversion)
``floor``      towards minus infinity (an arithmetic shift)
============== =================================================================
"""

import math
from fractions import Fraction

import numpy as np

from refquant.engines.rules.telling import told

__all__ = ["ROUNDINGS", "as_fractions", "round_number", "round_shift"]

ROUNDINGS = {
    "half_even": "to the nearest, ties to the even integer",
    "half_away": "to the nearest, ties away from zero",
    "half_up": "to the nearest, ties towards plus infinity",
    "truncate": "towards zero",
    "floor": "towards minus infinity",
}

_floor_of_fraction = np.frompyfunc(math.floor, 1, 1)
_fraction = np.frompyfunc(lambda value: Fraction(value), 1, 1)


def as_fractions(values) -> np.ndarray:
    """Turn finite numbers into an array of `fractions.Fraction`, exactly.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.engines.rules.rounding import as_fractions
    >>> as_fractions(np.float32([0.5, 0.1])).tolist()
    [Fraction(1, 2), Fraction(13421773, 134217728)]
    """
    values = np.asarray(values)
    if values.dtype != object:  # Fraction takes Python's numbers, not NumPy's
        values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64).astype(object)
    return np.asarray(_fraction(values), dtype=object)


def _steps_away(odd, rest, half, negative, rounding):
    """Tell whether the whole part moves away from zero by one."""
    if rounding == "truncate":
        return np.zeros(np.shape(rest), dtype=bool)
    if rounding == "floor":
        return negative & np.asarray(rest > 0, dtype=bool)
    ties = {"half_even": np.asarray(odd, dtype=bool), "half_away": True, "half_up": ~negative}
    above, tie = (np.asarray(fact, dtype=bool) for fact in (rest > half, rest == half))
    return above | (tie & ties[rounding])


@told("rounded", lambda t, rounding: f"{rounding} of the number of steps")
def round_number(t, rounding: str) -> np.ndarray:
    """Round floats or Fractions to whole numbers of the same type.

    Parameters
    ----------
    t : ndarray of float32, float64 or object (Fraction)
        Numbers.
    rounding : str
        A key of `ROUNDINGS`.

    Returns
    -------
    ndarray
        Floats stay floats; Fractions become Python integers.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.engines.rules.rounding import ROUNDINGS, round_number
    >>> t = np.float32([-2.5, -1.5, 0.5, 2.5])
    >>> for rounding in ROUNDINGS:
    ...     print(f"{rounding:10}", round_number(t, rounding).astype(int))
    half_even  [-2 -2  0  2]
    half_away  [-3 -2  1  3]
    half_up    [-2 -1  1  3]
    truncate   [-2 -1  0  2]
    floor      [-3 -2  0  2]
    """
    t = np.asarray(t)
    if t.dtype != object:
        if rounding == "half_even":
            return np.rint(t)
        size = np.abs(t)
        whole = np.floor(size)
        with np.errstate(invalid="ignore"):  # infinities and NaN stay what they are
            rest, half = size - whole, t.dtype.type(0.5)
            away = _steps_away(whole % 2 != 0, rest, half, t < 0, rounding)
        return np.copysign(whole + away, t)
    size = np.abs(t)
    whole = np.asarray(_floor_of_fraction(size), dtype=object)
    negative = np.asarray(t < 0, dtype=bool)
    away = _steps_away(whole % 2 != 0, size - whole, Fraction(1, 2), negative, rounding)
    return np.where(negative, -1, 1) * (whole + away)


@told("shifted", lambda n, shift, rounding: f"{rounding} of an integer over 2**shift")
def round_shift(n, shift, rounding: str) -> np.ndarray:
    """Divide integers by a power of two and round.

    Parameters
    ----------
    n : ndarray of int64
        Integers.
    shift : int or ndarray of int64
        0 to 61 bits to the right.
    rounding : str
        A key of `ROUNDINGS`.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.engines.rules.rounding import round_shift
    >>> round_shift(np.array([-3, -1, 1, 3]), 1, "half_away")
    array([-2, -1,  1,  2])
    """
    n, shift = np.asarray(n, np.int64), np.asarray(shift, np.int64)
    size = np.abs(n)
    whole = size >> shift
    # Twice the rest beside the divisor: a shift of 0 has no half.
    rest, divisor = (size - (whole << shift)) << 1, np.int64(1) << shift
    away = _steps_away(whole % 2 != 0, rest, divisor, n < 0, rounding)
    return np.where(n < 0, -(whole + away), whole + away)
