"""Tensors from data: nested lists, NumPy arrays, other tensors."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentTypeError, DtypeError
from refquant.tensors import QuantizedTensor, Tensor, arrays

__all__ = ["as_tensor", "from_numpy", "is_tensor", "tensor"]


def tensor(data: Any, dtype: dtypes.dtype | None = None, requires_grad: bool = False) -> Tensor:
    """Copy data into a tensor.

    Parameters
    ----------
    data : number, nested sequence, ndarray or Tensor
        Python floats become float32, Python integers int64; arrays and tensors keep their dtype.
    dtype : dtype, optional
        Plain dtype of the result.
    requires_grad : bool, default False
        Whether operations on the tensor are recorded.

    Returns
    -------
    Tensor

    Raises
    ------
    DtypeError
        If the data have a type that no tensor has.

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([1, 2]).dtype, refquant.tensor(0.5).dtype
    (refquant.int64, refquant.float32)
    """
    if isinstance(data, QuantizedTensor):
        raise DtypeError(
            argument="data",
            expected="plain numbers",
            got=f"a {data.dtype} tensor",
            hint="use clone(), or dequantize() first",
        )
    requires_grad = arguments.flag("requires_grad", requires_grad)
    wanted = None if dtype is None else plain_dtype(dtype).numpy
    keeps = isinstance(data, Tensor | np.ndarray | np.generic)
    if isinstance(data, list | tuple):
        data = _numbers(data)
    try:
        array = np.array(data.array if isinstance(data, Tensor) else data)
    except ValueError as error:
        raise ArgumentTypeError(
            argument="data", expected="numbers in nested sequences of equal length", got=str(error)
        ) from None
    if not keeps and array.dtype.kind in "fi":
        wanted = wanted or (np.float32 if array.dtype.kind == "f" else np.int64)
    array = arrays.native("array", array)
    if wanted is not None and array.dtype != wanted:
        with np.errstate(all="ignore"):
            array = array.astype(wanted)
    return Tensor(array, requires_grad)


def plain_dtype(dtype: Any) -> dtypes.dtype:
    """Return the dtype of a plain tensor, or raise."""
    if not isinstance(dtype, dtypes.dtype) or dtype.is_quantized:
        raise DtypeError(
            argument="dtype",
            expected="a plain dtype",
            got=dtype if isinstance(dtype, dtypes.dtype) else arguments.describe(dtype),
            hint="make it with refquant.quantize_per_tensor()",
        )
    return dtype


def _numbers(data):
    """Replace tensors inside nested sequences by their elements."""
    if isinstance(data, Tensor):
        return data.tolist()
    return [_numbers(v) for v in data] if isinstance(data, list | tuple) else data


def from_numpy(array: np.ndarray) -> Tensor:
    """Make a tensor that shares memory with a NumPy array.

    Parameters
    ----------
    array : ndarray
        Of any dtype that tensors have; strides are kept.

    Returns
    -------
    Tensor

    Raises
    ------
    ArgumentTypeError
        If `array` is not a NumPy array.
    DtypeError
        If its dtype is one that no tensor has.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> a = np.zeros(2, np.float32)
    >>> t = refquant.from_numpy(a)
    >>> a[0] = 5
    >>> t
    tensor([5., 0.])
    """
    return Tensor(arrays.elements("array", array))


def is_tensor(obj: Any) -> bool:
    """Return whether an object is a tensor, plain or quantized.

    Parameters
    ----------
    obj : object
        Anything.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> refquant.is_tensor([1.0])
    False
    """
    return isinstance(obj, Tensor)


def as_tensor(data: Any, dtype: dtypes.dtype | None = None) -> Tensor:
    """Convert data to a tensor, without a copy of tensors and NumPy arrays.

    Parameters
    ----------
    data : Tensor, ndarray, number or nested sequence
        What it holds.
    dtype : dtype, optional
        Element type of the result.

    Returns
    -------
    Tensor
        Shares storage with the data where it can.

    Examples
    --------
    >>> import refquant
    >>> import numpy as np
    >>> array = np.zeros(2, np.float32)
    >>> refquant.as_tensor(array).numpy() is array
    True
    """
    if isinstance(data, np.ndarray) and data.dtype in dtypes.BY_STORAGE:
        data = from_numpy(data)
    if not isinstance(data, Tensor):
        return tensor(data, dtype)
    return data if dtype is None else data.to(dtype)
