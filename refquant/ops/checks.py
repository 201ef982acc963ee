"""Checks of arguments that several operations share.

Each takes the name of the operation and of the argument, returns the argument in the form that
the operation works with, and raises an error that says how to fix the argument.
"""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import (
    DtypeError,
    IndexRangeError,
    NotQuantizedError,
    OperationError,
    QuantizerError,
)
from refquant.tensors import QuantizedTensor, Tensor, arrays
from refquant.tensors.quantizer import (
    describe,
    quantized_dtype,
    scale_value,
    scale_values,
    whole_number,
    zero_point_value,
)

__all__ = [
    "any_tensor",
    "dimension",
    "dimensions",
    "float32_tensor",
    "plain_numbers",
    "plain_tensor",
    "quantized_dtype",
    "quantized_per_tensor",
    "quantized_tensor",
    "scale_value",
    "scale_values",
    "whole_number",
    "zero_point_value",
]


def plain_tensor(argument: str, value: Any) -> Tensor:
    """Return a plain tensor, or raise; a float32 NumPy array becomes one."""
    if isinstance(value, Tensor) and not value.is_quantized:
        return value
    if isinstance(value, np.ndarray):
        if value.dtype == np.float64:
            raise DtypeError(
                argument=argument,
                expected="float32",
                got="a NumPy array of float64",
                hint="convert it with .astype(numpy.float32) or refquant.tensor()",
            )
        return Tensor(arrays.elements(argument, value))
    hint = (
        "call .dequantize() first; in a model, put a DeQuantStub before it"
        if isinstance(value, QuantizedTensor)
        else ("convert it with refquant.tensor()")
    )
    raise DtypeError(argument=argument, expected="a plain tensor", got=describe(value), hint=hint)


def plain_numbers(argument: str, value: Any) -> np.ndarray:
    """Return the numbers of a plain tensor, an array or nested sequences, or raise."""
    if isinstance(value, QuantizedTensor):
        plain_tensor(argument, value)
    return arguments.numbers(argument, value.array if isinstance(value, Tensor) else value)


def any_tensor(argument: str, value: Any) -> Tensor:
    """Return a tensor, plain or quantized, or raise; a float32 NumPy array becomes one."""
    return value if isinstance(value, Tensor) else plain_tensor(argument, value)


def float32_tensor(argument: str, value: Any) -> Tensor:
    """Return a float32 tensor, or raise; a float32 NumPy array becomes one."""
    if type(value) is Tensor and value.array.dtype == np.float32:
        return value
    tensor = plain_tensor(argument, value)
    if tensor.array.dtype != np.float32:
        raise DtypeError(
            argument=argument,
            expected="a float32 tensor",
            got=describe(value),
            hint="convert it with .to(refquant.float32)",
        )
    return tensor


def quantized_tensor(argument: str, value: Any) -> QuantizedTensor:
    """Return a quantized tensor of any scheme, or raise."""
    if isinstance(value, QuantizedTensor):
        return value
    raise NotQuantizedError(
        argument=argument,
        expected="a quantized tensor",
        got=describe(value),
        hint="quantize it with refquant.quantize_per_tensor(); in a model, wrap the model in "
        "QuantWrapper or add a QuantStub",
    )


def quantized_per_tensor(argument: str, value: Any) -> QuantizedTensor:
    """Return a tensor quantized per tensor, or raise."""
    if isinstance(value, QuantizedTensor) and value.axis is None and value._dtype.bits >= 8:
        return value
    tensor = quantized_tensor(argument, value)
    quantized_dtype(argument, tensor.dtype)
    raise QuantizerError(
        argument=argument,
        expected="quantized per tensor",
        got=tensor.qscheme(),
        hint="quantize it with refquant.quantize_per_tensor()",
    )


def dimension(argument: str, value: Any, ndim: int) -> int:
    """Return a dimension, which counts from the end if negative, as a valid index, or raise."""
    index = value if type(value) is int else arguments.integer(argument, value)
    count = max(ndim, 1)
    if not -count <= index < count:
        raise IndexRangeError(argument=argument, expected=f"in {-count}..{count - 1}", got=index)
    return index % count


def dimensions(argument: str, value: Any, ndim: int) -> tuple[int, ...]:
    """Return one dimension or a sequence of different ones as valid indices, or raise."""
    named = value if isinstance(value, tuple | list) else (value,)
    indices = tuple(dimension(argument, d, ndim) for d in named)
    if len(set(indices)) != len(indices):
        raise OperationError(
            argument=argument, expected="every dimension once", got=arguments.describe(value)
        )
    return indices
