r"""Arrays of rational numbers, for exact arithmetic on many elements.

A `Ratios` is an array of Python integers over another, or over one number. It is never reduced:
that is what makes it an order of magnitude quicker than an array of `fractions.Fraction`.
"""

from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["Ratios", "ratios"]

_fraction = np.frompyfunc(Fraction, 2, 1)


class Ratios:
    r"""Numbers :math:`n_i / d_i`, all :math:`d_i > 0`.

    Parameters
    ----------
    over, under : ndarray of object (int), or int
        Numerators and denominators, which broadcast.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.engines.rules.ratios import ratios
    >>> thirds = ratios(np.array([1, 5, 9])) / 3
    >>> thirds.floats(), thirds.round("half_up")
    (array([0.33333333, 1.66666667, 3.        ]), array([0, 2, 3], dtype=object))
    """

    __slots__ = ("over", "under")

    def __init__(self, over: Any, under: Any):
        self.over, self.under = over, under

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return np.broadcast_shapes(np.shape(self.over), np.shape(self.under))

    def __getitem__(self, index) -> "Ratios":
        over, under = np.broadcast_arrays(*(np.asarray(v, object) for v in self._parts()))
        return Ratios(over[index], under[index])

    def _parts(self):
        return self.over, self.under

    def __add__(self, other: Any) -> "Ratios":
        other = ratios(other)
        own, others = self.under, other.under
        if isinstance(own, int) and isinstance(others, int) and own == others:
            return Ratios(self.over + other.over, self.under)
        return Ratios(self.over * other.under + other.over * self.under, self.under * other.under)

    def __neg__(self) -> "Ratios":
        return Ratios(-self.over, self.under)

    def __sub__(self, other: Any) -> "Ratios":
        return self + -ratios(other)

    def __mul__(self, other: Any) -> "Ratios":
        other = ratios(other)
        return Ratios(self.over * other.over, self.under * other.under)

    def __truediv__(self, other: Any) -> "Ratios":
        return self * ratios(other)._inverse()

    def __rtruediv__(self, other: Any) -> "Ratios":
        return ratios(other) * self._inverse()

    __radd__, __rmul__ = __add__, __mul__

    def _inverse(self) -> "Ratios":
        sign = np.where(np.asarray(self.over > 0, bool), 1, -1).astype(object)
        return Ratios(self.under * sign, self.over * sign)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        known = _UFUNCS.get(ufunc)
        if known is None or method != "__call__" or kwargs:  # slowly, on Fractions
            plain = (np.asarray(v) if isinstance(v, Ratios) else v for v in inputs)
            return getattr(ufunc, method)(*plain, **kwargs)
        return known(*map(ratios, inputs))

    def __gt__(self, other: Any) -> np.ndarray:
        other = ratios(other)
        return np.asarray(self.over * other.under > other.over * self.under, bool)

    def __lt__(self, other: Any) -> np.ndarray:
        return -self > -ratios(other)

    def __ge__(self, other: Any) -> np.ndarray:
        return ~(self < other)

    def __le__(self, other: Any) -> np.ndarray:
        return ~(self > other)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        values = np.asarray(_fraction(self.over, self.under), dtype=object)
        return values if dtype is None else values.astype(dtype)

    def floats(self) -> np.ndarray:
        """Round each number to the nearest float64."""
        return np.asarray(np.asarray(self.over, object) / self.under).astype(np.float64)

    def round(self, rounding: str) -> np.ndarray:
        """Round each number to an integer by a rule of `refquant.engines.rules.rounding`.

        Returns
        -------
        ndarray of object (int)
        """
        whole = np.asarray(self.over, object) // self.under
        if rounding == "floor":
            return whole
        rest = self.over - whole * self.under
        if rounding == "truncate":
            up = (rest != 0) & (whole < 0)
        else:
            twice = 2 * rest
            tie = twice == self.under
            up = twice > self.under
            if rounding == "half_up":
                up = up | tie
            elif rounding == "half_away":
                up = up | (tie & (whole >= 0))
            else:
                up = up | (tie & (whole % 2 == 1))
        return whole + np.asarray(up, bool)

    def ties(self) -> np.ndarray:
        """Tell which numbers lie half-way between two integers."""
        twice = 2 * np.asarray(self.over, object)
        return np.asarray((twice % self.under == 0) & (twice // self.under % 2 == 1), bool)


def _where(condition, a: Ratios, b: Ratios) -> Ratios:
    chosen = (
        np.where(condition, *(np.asarray(v, object) for v in pair))
        for pair in ((a.over, b.over), (a.under, b.under))
    )
    return Ratios(*chosen)


_UFUNCS = {
    np.add: lambda a, b: a + b,
    np.subtract: lambda a, b: a - b,
    np.multiply: lambda a, b: a * b,
    np.true_divide: lambda a, b: a / b,
    np.maximum: lambda a, b: _where(a > b, a, b),
    np.minimum: lambda a, b: _where(a > b, b, a),
}

_as_fraction = np.frompyfunc(Fraction, 1, 1)
_numerators = np.frompyfunc(lambda value: value.numerator, 1, 1)
_denominators = np.frompyfunc(lambda value: value.denominator, 1, 1)


def ratios(values: Any) -> Ratios:
    """Take finite numbers of any type as they are, without rounding.

    Parameters
    ----------
    values : Ratios, array_like of floats, integers or Fractions

    Returns
    -------
    Ratios
    """
    if isinstance(values, Ratios):
        return values
    values = np.asarray(values)
    if values.dtype == object:  # Python's numbers and Fractions
        values = _as_fraction(values)
        return Ratios(_numerators(values), _denominators(values))
    if values.dtype.kind != "f":
        return Ratios(values.astype(object)[()], 1)
    if values.ndim == 0:
        return Ratios(*float(values).as_integer_ratio())
    fraction, exponent = np.frexp(values.astype(np.float64))
    mantissa, power = (fraction * 2.0**53).astype(np.int64), exponent.astype(np.int64) - 53
    over = mantissa.astype(object) << np.maximum(power, 0).astype(object)
    least = max(int(-power[mantissa != 0].min(initial=0)), 0)
    if least > 200:  # one denominator for all would be too long
        return Ratios(over, np.asarray(1 << np.maximum(-power, 0).astype(object)))
    shift = np.where(mantissa != 0, np.clip(least + np.minimum(power, 0), 0, None), 0)
    return Ratios(over << shift.astype(object), 1 << least)
