"""Functions named after a type of tensor, such as ``FloatTensor``, as older programs use them."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.tensors import Tensor

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
]


def _made(given: tuple, dtype: dtypes.dtype) -> Tensor:
    """Make a tensor of numbers, or of zeros of a shape."""
    if len(given) == 1 and not isinstance(given[0], int):
        return Tensor(arguments.numbers("data", given[0], dtype.numpy).astype(dtype.numpy))
    return Tensor(np.zeros(arguments.shape("size", given) if given else 0, dtype.numpy))


def FloatTensor(*data: Any) -> Tensor:
    """Make a float32 tensor of numbers, or of zeros of a shape.

    Parameters
    ----------
    *data : array_like, or int
        The numbers, or the sizes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.FloatTensor([1, 2]), refquant.FloatTensor(2, 3).shape
    (tensor([1., 2.]), refquant.Size([2, 3]))
    """
    return _made(data, dtypes.float32)


def DoubleTensor(*data: Any) -> Tensor:
    """Make a float64 tensor; see `FloatTensor`.

    Parameters
    ----------
    *data : array_like, or int
        The numbers, or the sizes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.DoubleTensor([1, 2])
    tensor([1., 2.], dtype=refquant.float64)
    """
    return _made(data, dtypes.float64)


def HalfTensor(*data: Any) -> Tensor:
    """Make a float16 tensor; see `FloatTensor`.

    Parameters
    ----------
    *data : array_like, or int
        The numbers, or the sizes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.HalfTensor([1, 2])
    tensor([1., 2.], dtype=refquant.float16)
    """
    return _made(data, dtypes.float16)


def LongTensor(*data: Any) -> Tensor:
    """Make an int64 tensor; see `FloatTensor`.

    Parameters
    ----------
    *data : array_like, or int
        The numbers, or the sizes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.LongTensor([3, 1])
    tensor([3, 1])
    """
    return _made(data, dtypes.int64)


def IntTensor(*data: Any) -> Tensor:
    """Make an int32 tensor; see `FloatTensor`.

    Parameters
    ----------
    *data : array_like, or int
        The numbers, or the sizes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.IntTensor([3, 1])
    tensor([3, 1], dtype=refquant.int32)
    """
    return _made(data, dtypes.int32)


def ByteTensor(*data: Any) -> Tensor:
    """Make a uint8 tensor; see `FloatTensor`.

    Parameters
    ----------
    *data : array_like, or int
        The numbers, or the sizes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.ByteTensor([3, 1])
    tensor([3, 1], dtype=refquant.uint8)
    """
    return _made(data, dtypes.uint8)


def BoolTensor(*data: Any) -> Tensor:
    """Make a tensor of truth values; see `FloatTensor`.

    Parameters
    ----------
    *data : array_like, or int
        The numbers, or the sizes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.BoolTensor([True, False])
    tensor([ True, False])
    """
    return _made(data, dtypes.bool_)
