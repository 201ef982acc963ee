"""NumPy arrays that tensors keep: kernels trust their dtype and strides."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentTypeError, DtypeError

__all__ = ["elements", "from_pickle", "memory_order", "native", "to_pickle"]


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


def memory_order(array: np.ndarray) -> list[int] | None:
    """Return the dimensions from slowest to fastest, if the array is dense in that order."""
    if array.size == 0:
        return list(range(array.ndim))
    order = sorted(range(array.ndim), key=lambda d: (-array.strides[d], -array.shape[d]))
    step = array.itemsize
    for dimension in reversed(order):
        if array.strides[dimension] != step:
            return None
        step *= array.shape[dimension]
    return order


def to_pickle(array: np.ndarray) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Return what pickles a dense array with its strides, which pickles of NumPy forget."""
    order = memory_order(array)
    if order is None or order == list(range(array.ndim)):
        return array, None
    return array.transpose(order), tuple(order)


def from_pickle(array: np.ndarray, order: tuple[int, ...] | None) -> np.ndarray:
    """Rebuild the array of `to_pickle`."""
    if not array.flags.writeable:  # a buffer of a message
        array = array.copy()
    return array if order is None else array.transpose(np.argsort(order).tolist())
