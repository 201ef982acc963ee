"""Copies of quantized tensors, and writing into them."""

import copy
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import DtypeError, NotSupportedError, ShapeError
from refquant.ops import checks, layout, views
from refquant.ops.quantized.affine import quantize_array, quantize_per_channel
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["clone", "copy_", "empty_like", "fill_", "resize_", "zero_"]


def clone(input: Any, *, memory_format=dtypes.contiguous_format) -> QuantizedTensor:
    """Copy a quantized tensor with its parameters.

    %(of_any_scheme)s
    memory_format : memory_format
        That of the copy: row-major unless another is given, as PyTorch has it.
        ``preserve_format`` keeps channels-last ones.

    Returns
    -------
    QuantizedTensor
        With parameters of its own.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0]), 0.5, 8, refquant.quint8)
    >>> refquant.equal(x.clone(), x)
    True
    """
    q = checks.quantized_tensor("input", input)
    if memory_format is dtypes.preserve_format:
        array = layout.dense_copy(q.array)
    else:
        array = layout.to_format(q.array, memory_format)
        array = array.copy(order="K") if array is q.array else array
    return QuantizedTensor._unchecked(
        array, q.dtype, copy.copy(q.scale), copy.copy(q.zero_point), q.axis
    )


def copy_(input: Any, src: Any, non_blocking: bool = False) -> QuantizedTensor:
    """Overwrite a quantized tensor.

    Parameters
    ----------
    input : QuantizedTensor
        What is overwritten.
    src : Tensor of float32 or QuantizedTensor
        Real numbers are quantized with the parameters of `input` (step ``copy`` of the engine's
        record). Of a quantized tensor of the same dtype integers **and
        parameters** are taken over. Its shape broadcasts to that of `input`.
    non_blocking : bool
        Accepted; there is one device.

    %(input_itself)s

    Raises
    ------
    DtypeError
        If `src` is neither float32 nor of the dtype of `input`.
    ShapeError
        If `src` does not broadcast to the shape.

    Notes
    -----
    Source: ATen ``quantized_copy_from_float_cpu_`` and ``copy_`` between quantized tensors.

    %(one_to_two)s
    >>> x.copy_(refquant.tensor([3.0, -1.0])).int_repr()
    tensor([14,  6], dtype=refquant.uint8)
    """
    target = checks.quantized_tensor("self", input)
    if isinstance(src, QuantizedTensor):
        if src.dtype is not target.dtype:
            raise DtypeError(
                argument="src",
                expected=f"{target.dtype}, or float32",
                got=src.dtype,
                hint="call .dequantize() on it first",
            )
        values = _spread(src.array, target.array.shape)
        if src.axis is not None and src.array.shape != target.array.shape:
            raise ShapeError(
                argument="src",
                expected=f"of shape {target.array.shape}, being quantized per channel",
                got=f"shape {src.array.shape}",
            )
        target.array[...] = values
        target.scale, target.zero_point = copy.copy(src.scale), copy.copy(src.zero_point)
        target.axis = src.axis
        return target
    real = checks.float32_tensor("src", src).array
    values = _spread(real, target.array.shape)
    if target.axis is None:
        target.array[...] = quantize_array(
            values, target.scale, target.zero_point, target.dtype, "copy"
        )
    else:
        target.array[...] = quantize_per_channel(
            Tensor(values), target.scale, target.zero_point, target.axis, target.dtype
        ).array
    return target


def _spread(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape == shape:
        return array
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ShapeError(
            argument="src",
            expected=f"of a shape that broadcasts to {shape}",
            got=f"shape {array.shape}",
        ) from None


def fill_(input: Any, value: float) -> QuantizedTensor:
    """Overwrite all elements with one real number, quantized with the tensor's own parameters.

    %(per_tensor)s
    value : float
        Real number.

    %(input_itself)s

    %(unless_per_tensor)s

    %(one_to_two)s
    >>> x.fill_(3.0).int_repr()
    tensor([14, 14], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("self", input)
    number = arguments.real("value", value)
    real = arguments.numbers("value", [number], np.float32)
    q.array[...] = quantize_array(real, q.scale, q.zero_point, q.dtype)[0]
    return q


def zero_(input: Any) -> QuantizedTensor:
    """Overwrite all elements with the integer that stands for 0; see `fill_`."""
    return fill_(input, 0.0)


def empty_like(input: Any, *, dtype=None, requires_grad: bool = False) -> QuantizedTensor:
    """Make a tensor of the shape, memory format, dtype and parameters of another.

    %(of_any_scheme)s
    dtype : dtype, optional
        That of `input`, if given.
    requires_grad : bool
        False; integers have no gradient.

    Returns
    -------
    QuantizedTensor
        Its integers are 0.

    Raises
    ------
    NotSupportedError
        If another dtype or a gradient is requested.
    """
    q = checks.quantized_tensor("input", input)
    requires_grad = arguments.flag("requires_grad", requires_grad)
    if requires_grad or (dtype is not None and dtype is not q.dtype):
        raise NotSupportedError(
            "empty_like of a quantized tensor",
            argument="dtype",
            expected=f"{q.dtype} without gradient",
            got=f"{arguments.describe(dtype)}, requires_grad={requires_grad}",
        )
    result = clone(q, memory_format=dtypes.preserve_format)
    result.array[...] = 0
    return result


def resize_(input: Any, *sizes) -> QuantizedTensor:
    """Give a tensor another shape; its first integers and its parameters stay.

    %(per_tensor)s
    *sizes : int
        New shape, one by one or as one sequence.

    Returns
    -------
    QuantizedTensor
        `input`, row-major. Elements that it did not have stand for 0.

    %(unless_per_tensor)s

    %(one_to_two)s
    >>> x.resize_(1, 3).dequantize()
    tensor([[1., 2., 0.]])
    """
    q = checks.quantized_per_tensor("self", input)
    shape = views.sizes("sizes", sizes)
    result = np.full(shape, q.zero_point, q.array.dtype)
    kept = min(result.size, q.array.size)
    result.reshape(-1)[:kept] = q.array.reshape(-1)[:kept]
    q.array = result
    return q


document(__name__)
enclose(__name__)
