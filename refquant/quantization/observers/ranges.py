"""The ranges of integers that observers map real values to."""

import numpy as np

from refquant import dtypes
from refquant.errors import ArgumentError

__all__ = ["DTYPES", "REDUCED", "checked_dtype", "choose_range", "halved", "middle"]

# The range of each dtype, and with one bit left unused.
FULL = {
    "quint8": (0, 255),
    "qint8": (-128, 127),
    "qint32": (-(2**31), 2**31 - 1),
    "quint4x2": (0, 15),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
}
REDUCED = {"quint8": (0, 127), "qint8": (-64, 63), "uint8": (0, 127), "int8": (-64, 63)}
# Which dtypes observers take, by the way in which their release leaves a bit unused.
DTYPES = {"cut": ("quint8", "qint8"), "halved": tuple(FULL)}


def checked_dtype(dtype, known: tuple[str, ...] = tuple(FULL)) -> dtypes.dtype:
    """Return a dtype to quantize to, or raise.

    Raises
    ------
    ArgumentError
        If it is not one of the known names.
    """
    if not isinstance(dtype, dtypes.dtype) or dtype.name not in known:
        first, last = ", ".join(f"refquant.{name}" for name in known[:-1]), known[-1]
        raise ArgumentError(
            argument="dtype",
            expected=f"{first} or refquant.{last}",
            got=repr(dtype),
        )
    return dtype


def choose_range(dtype: dtypes.dtype, quant_min, quant_max) -> tuple[int, int]:
    """Check a range of integers; None stands for the end of the range of `dtype`.

    Raises
    ------
    ArgumentError
        If it is empty, lacks zero, or exceeds the range of `dtype`.
    """
    least, most = FULL[dtype.name]
    low = least if quant_min is None else quant_min
    high = most if quant_max is None else quant_max
    integral = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in (low, high))
    if not integral or not (least <= low <= 0 <= high <= most and low < high):
        raise ArgumentError(
            argument="quant_min, quant_max",
            got=f"{low}..{high}",
            expected=f"whole numbers with {least} <= quant_min <= 0 <= quant_max <= "
            f"{most} and quant_min < quant_max",
            hint="for b bits use 0..2**b - 1 with quint8, -2**(b-1)..2**(b-1) - 1 with qint8",
        )
    return int(low), int(high)


def halved(dtype: dtypes.dtype, limits: tuple[int, int], given: bool) -> tuple[int, int]:
    """Leave a bit unused: half of a range that was given, else that of the dtype."""
    if given:
        return limits[0] // 2, limits[1] // 2
    return REDUCED.get(dtype.name, limits)


def middle(dtype: dtypes.dtype, quant_min: int, quant_max: int, given: bool) -> int:
    """Return the integer that stands for zero in a symmetric scheme."""
    if dtype.name in ("quint8", "uint8"):
        return (quant_min + quant_max) // 2 if given else 128
    return 2**15 if dtype.name == "uint16" else 0
