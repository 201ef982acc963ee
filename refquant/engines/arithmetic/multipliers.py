r"""Multipliers: how scales are combined, to how many bits, and in which numbers.

The functions answer for every combination of axes; `refquant.engines.arithmetic.compose` makes
rules of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant.engines.rules.ratios import Ratios, ratios
from refquant.engines.rules.rounding import round_number
from refquant.engines.rules.telling import told

__all__ = [
    "Staged",
    "multiplier_of_axes",
    "multiplier_of_single_product",
    "narrowed",
    "numbers",
    "quantized_multiplier",
]

_DTYPES = {"float16": np.float16, "float32": np.float32, "float64": np.float64}


def numbers(values, precision: str) -> Any:
    """Take scales or sums in the precision of an axis."""
    if precision == "exact":  # which knows no infinities: the largest numbers stand for them
        floats = isinstance(values, np.ndarray | np.floating) and values.dtype.kind == "f"
        return ratios(np.nan_to_num(values) if floats else values)
    floats = values.floats() if isinstance(values, Ratios) else np.asarray(values)
    return floats.astype(_DTYPES[precision])


@dataclass(frozen=True)
class Staged:
    """Two factors in place of a multiplier: what makes a sum real, and the scale that divides it.

    Attributes
    ----------
    factor, divisor : ndarray or Ratios
        The product of two scales, and the scale of the output.
    """

    factor: Any
    divisor: Any

    def quotient(self) -> Any:
        """Return the multiplier that they are one after the other."""
        return self.factor / self.divisor


def multiplier_of_axes(axes, input_scale, weight_scale, output_scale):
    """Form the factor of the sum from three scales."""
    scales = (input_scale, weight_scale, output_scale)
    precision = axes.precision if axes.multiplier in ("same", "float16_scales") else axes.multiplier
    if axes.multiplier == "float16_scales":
        scales = tuple(numbers(s, "float16") for s in scales)
    x, w, y = (numbers(s, precision) for s in scales)
    if axes.formed_by == "staged":
        return Staged(numbers(x * w, axes.precision), numbers(y, axes.precision))
    product = x * w / y if axes.formed_by == "division" else x * w * (1 / y)
    return product if precision == axes.precision else numbers(product, axes.precision)


def multiplier_of_single_product(axes, input_scale, weight_scale, output_scale):
    """Form it from the product of two scales in float32, if the quotient is one of float64."""
    if (axes.precision, axes.formed_by, axes.multiplier) != ("float64", "division", "same"):
        return multiplier_of_axes(axes, input_scale, weight_scale, output_scale)
    product = np.float32(input_scale) * np.asarray(weight_scale, np.float32)
    return product.astype(np.float64) / np.float64(output_scale)


@told("multiplier", lambda m: "m = q * 2**(shift - 31)", whole=True)
def quantized_multiplier(multiplier) -> tuple[np.ndarray, np.ndarray]:
    r"""Write positive numbers as :math:`q \, 2^{shift - 31}` with q an integer in [2**30, 2**31).

    Examples
    --------
    >>> from refquant.engines.arithmetic.multipliers import quantized_multiplier
    >>> q, shift = quantized_multiplier(0.375)
    >>> int(q), int(shift)
    (1610612736, -1)
    """
    multiplier = multiplier.quotient() if isinstance(multiplier, Staged) else multiplier
    floats = multiplier.floats() if isinstance(multiplier, Ratios) else multiplier
    fraction, shift = np.frexp(np.asarray(floats, dtype=np.float64))
    q = round_number(fraction * 2.0**31, "half_away").astype(np.int64)
    full = q == 2**31
    return np.where(full, q >> 1, q), shift.astype(np.int64) + full


def narrowed(axes, multiplier: Any) -> Any:
    """Round a multiplier to the width of an axis, in its own precision.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.engines.arithmetic.axes import Arithmetic
    >>> from refquant.engines.arithmetic.multipliers import narrowed
    >>> for width in ("bits_8", "power_of_two"):
    ...     print(narrowed(Arithmetic(width=width), np.float32(0.3)))
    0.30078125
    0.25
    """
    if axes.width == "full":
        return multiplier
    if isinstance(multiplier, Staged):
        multiplier = multiplier.quotient()
    exact = isinstance(multiplier, Ratios)
    given = multiplier.floats() if exact else np.asarray(multiplier)
    wide = np.asarray(given, np.float64)
    with np.errstate(all="ignore"):
        if axes.width == "power_of_two":
            m = 2.0 ** np.rint(np.log2(wide))
        else:
            bits = int(axes.width.removeprefix("bits_"))
            fraction, exponent = np.frexp(wide)
            m = np.ldexp(round_number(fraction * 2.0**bits, "half_away"), exponent - bits)
    return ratios(m) if exact else m.astype(given.dtype)
