"""Which NumPy arrays a tensor can keep: kernels walk their memory and trust what they say."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentTypeError, DtypeError

__all__ = ["elements", "native"]


def elements(asked: str, argument: str, value: Any) -> np.ndarray:
    """Take an array whose memory a tensor can share.

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
            asked,
            argument=argument,
            expected="a NumPy array",
            got=arguments.describe(value),
            mend="use refquant.tensor()",
        )
    # A subclass may give indexing and arithmetic a meaning of its own.
    array = native(asked, argument, np.asarray(value))
    if not array.flags.aligned or any(step % array.itemsize for step in array.strides):
        raise DtypeError(
            asked,
            argument=argument,
            expected="an array whose elements are aligned in memory",
            got="one that starts or steps by a part of an element",
            mend="copy it with .copy()",
        )
    return array


def native(asked: str, argument: str, array: np.ndarray) -> np.ndarray:
    """Take an array of a dtype that tensors have, in the byte order of the processor."""
    if array.dtype not in dtypes.BY_STORAGE:
        raise DtypeError(
            asked,
            argument=argument,
            got=array.dtype,
            expected="of " + ", ".join(d.name for d in dtypes.PLAIN) + " in native byte order",
            mend="convert it with .astype()",
        )
    return array
