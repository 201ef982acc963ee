r"""What the elements of a result stand for, and how far arithmetic of a family may be from it.

For each operation :math:`r` is what the real result stands for, in steps of the output and with its
zero point, computed in float64. `refquant.oracle.error_bounds` names the families of arithmetic.
"""

from typing import Any, NamedTuple

import numpy as np

from refquant.oracle.problems.codes import Output

__all__ = ["MIDDLE", "NARROW", "SHORT", "Meaning", "first_rounding", "gamma"]

UNIT = 2.0**-24
NARROW = 2.0**-21  # relative errors of multipliers of 22 bits
MIDDLE = 2.0**-15  # of 15 bits: half a unit, or a whole one below a power of two
SHORT = 2.0**-9  # half a unit of multipliers that are multiples of 1/256
PLACE = 2.0**-11  # half a unit of places with 10 bits
DOUBLE = 2.0**-48  # relative errors of float64 here


def gamma(count: Any) -> Any:
    """Bound the relative error of so many roundings in float32."""
    return count * UNIT / (1 - count * UNIT)


def first_rounding(multiplier: Any) -> np.ndarray:
    r"""Bound what a rounding before the last shift moves, in steps.

    With :math:`m = f 2^{-k}`, :math:`\frac12 \le f < 1`, integers times f are rounded first.
    """
    m = np.asarray(multiplier, np.float64)
    shift = np.maximum(-np.frexp(np.where(m > 0, m, 1.0))[1], 0)
    return np.where((m > 0) & (shift > 0), 2.0 ** -(shift + 1.0), 0.0)


class Meaning(NamedTuple):
    """What the elements of a result stand for.

    Attributes
    ----------
    real : ndarray of float64
        Exact values, in steps and including the zero point; of a dequantization in real units.
    magnitude : ndarray of float64
        Sums of the magnitudes of what is added, in steps.
    output : Output, optional
        Where results go; None if they are real numbers.
    terms : int
        How many numbers are added.
    slope : float
        By how much an error of the operand is multiplied at most.
    operand : ndarray of float64
        Magnitudes of the operand, in steps of the output.
    multiplier : float
        By which fixed-point arithmetic scales integers; 0 if it does not.
    place : float
        How far a place in an image of 10 bits may be off, times the difference of neighbors.
    more : float
        How far a result may be off for another reason, in steps.
    exact : bool
        Whether nothing is rounded but the result.
    others : tuple of ndarray
        What a result may stand for as well: a place in an image that rounding errors move to the
        other side of a border belongs to two pixels.
    """

    real: np.ndarray
    magnitude: np.ndarray
    output: Output | None
    terms: int = 1
    slope: float = 1.0
    operand: Any = 0.0
    multiplier: Any = 0.0
    place: Any = 0.0
    more: Any = 0.0
    exact: bool = False
    others: tuple[np.ndarray, ...] = ()

    def bound(self, family: str) -> np.ndarray:
        """Bound the error before rounding, in steps; of real numbers in their own units."""
        if self.exact:
            return np.zeros_like(self.real)
        size = np.abs(self.real) + (0 if self.output is None else abs(self.output.zero_point))
        bound = gamma(self.terms + 8) * self.magnitude + 4 * UNIT * size + self.more
        bound = bound + self.slope * gamma(3) * np.abs(self.operand) + DOUBLE * size
        if family.startswith("float32") or self.output is None:
            return bound + self.place * UNIT * 8
        bound = bound + self.place * PLACE
        if family == "multipliers_of_15_bits":
            return bound + MIDDLE * self.magnitude
        bound = bound + first_rounding(self.multiplier) + NARROW * self.magnitude
        if family == "fixed_point":
            return bound
        m = np.asarray(self.multiplier, np.float64)
        return bound + np.where(m > 0, SHORT * self.magnitude / np.where(m > 0, m, 1.0), 0.0)
