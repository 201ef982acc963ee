"""Limits of numeric types."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import DtypeError

__all__ = ["finfo", "iinfo"]


class iinfo:
    """Limits of an integer type.

    Parameters
    ----------
    type : dtype
        An integer type.

    Attributes
    ----------
    bits, min, max : int
        Its size, and the ends of its range.
    dtype : str
        Its name.

    Examples
    --------
    >>> import refquant
    >>> refquant.iinfo(refquant.int8).max
    127
    """

    def __init__(self, type: Any) -> None:
        kind = arguments.instance("type", type, dtypes.dtype, "a dtype").numpy
        if kind.kind not in "iu":
            raise DtypeError(argument="type", expected="an integer dtype", got=type)
        limits = np.iinfo(kind)
        self.bits, self.min, self.max = kind.itemsize * 8, int(limits.min), int(limits.max)
        self.dtype = kind.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


class finfo:
    """Limits of a floating-point type.

    Parameters
    ----------
    type : dtype, optional
        A floating-point type, float32 if not given.

    Attributes
    ----------
    bits : int
        Its size.
    eps, min, max, tiny, smallest_normal, resolution : float
        Distance from 1 to the next number, the ends of the range, the smallest normal number
        (twice), and the decimal resolution.
    dtype : str
        Its name.

    Examples
    --------
    >>> import refquant
    >>> refquant.finfo(refquant.float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, type: Any = dtypes.float32) -> None:
        kind = arguments.instance("type", type, dtypes.dtype, "a dtype").numpy
        if kind.kind != "f":
            raise DtypeError(argument="type", expected="a floating-point dtype", got=type)
        limits = np.finfo(kind)
        self.bits, self.dtype = kind.itemsize * 8, kind.name
        self.min, self.max, self.eps = float(limits.min), float(limits.max), float(limits.eps)
        self.tiny = self.smallest_normal = float(limits.tiny)
        self.resolution = float(limits.resolution)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )
