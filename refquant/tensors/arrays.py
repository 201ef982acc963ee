"""Checks of the NumPy arrays that tensors keep: kernels trust their dtype and strides."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentTypeError, DtypeError

__all__ = ["elements", "native"]


def elements(argument: str, value: Any) -> np.ndarray:
    """Return an array whose memory a tensor can share, or raise.

    Raises
    ------
    ArgumentTypeError
        If it is no NumPy array.
    DtypeError
        If its dtype is one that no tensor has, or its elements lie between the addresses where a
        processor expects them.
    """
    if not isinstance(value, np.ndarray):
        raise ArgumentTypeError(
            argument=argument,
            expected="a NumPy array",
            got=arguments.describe(value),
            hint="use refquant.tensor()",
        )
    # A subclass may give indexing and arithmetic a meaning of its own.
    array = native(argument, np.asarray(value))
    if not array.flags.aligned or any(step % array.itemsize for step in array.strides):
        raise DtypeError(
            argument=argument,
            expected="an array whose elements are aligned in memory",
            got="one that starts or steps by a part of an element",
            hint="copy it with .copy()",
        )
    return array


def native(argument: str, array: np.ndarray) -> np.ndarray:
    """Return an array of a dtype that tensors have, in native byte order, or raise."""
    if array.dtype not in dtypes.BY_STORAGE:
        raise DtypeError(
            argument=argument,
            got=array.dtype,
            expected="of " + ", ".join(d.name for d in dtypes.PLAIN) + " in native byte order",
            hint="convert it with .astype()",
        )
    return array
