"""Checks of arguments that several operations share.

Each takes the name of the operation and of the argument, returns the argument in the form that
the operation works with, and raises an error that says how to mend what came.
"""

import math
import operator
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import (
    ArgumentTypeError,
    DtypeError,
    IndexRangeError,
    NotQuantizedError,
    OperationError,
    QuantizationParameterError,
    QuantizerError,
)
from refquant.tensors import QuantizedTensor, Tensor

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
    "whole_number",
    "zero_point_value",
]


def _describe(value: Any) -> str:
    if isinstance(value, QuantizedTensor | Tensor):
        return f"a {value.dtype} tensor"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of {value.dtype}"
    return type(value).__name__


def plain_tensor(asked: str, argument: str, value: Any) -> Tensor:
    """Take a tensor that is not quantized; a float32 NumPy array will do."""
    if isinstance(value, Tensor) and not value.is_quantized:
        return value
    if isinstance(value, np.ndarray):
        if value.dtype == np.float64:
            raise DtypeError(
                asked,
                argument=argument,
                expected="float32",
                got="a NumPy array of float64",
                mend="convert it with .astype(numpy.float32) or refquant.tensor()",
            )
        if value.dtype in dtypes.BY_STORAGE:
            return Tensor(np.asarray(value))
    mend = (
        "call .dequantize() first; in a model, put a DeQuantStub before it"
        if isinstance(value, QuantizedTensor)
        else ("convert it with refquant.tensor()")
    )
    raise DtypeError(
        asked, argument=argument, expected="a plain tensor", got=_describe(value), mend=mend
    )


def plain_numbers(asked: str, argument: str, value: Any) -> np.ndarray:
    """Take numbers: a plain tensor, an array or nested sequences."""
    if isinstance(value, QuantizedTensor):
        plain_tensor(asked, argument, value)
    return arguments.numbers(asked, argument, value.array if isinstance(value, Tensor) else value)


def any_tensor(asked: str, argument: str, value: Any) -> Tensor:
    """Take a tensor, plain or quantized; a float32 NumPy array will do."""
    return value if isinstance(value, Tensor) else plain_tensor(asked, argument, value)


def float32_tensor(asked: str, argument: str, value: Any) -> Tensor:
    """Take a float32 tensor or a float32 NumPy array."""
    if type(value) is Tensor and value.array.dtype == np.float32:
        return value
    tensor = plain_tensor(asked, argument, value)
    if tensor.array.dtype != np.float32:
        raise DtypeError(
            asked,
            argument=argument,
            expected="a float32 tensor",
            got=_describe(value),
            mend="convert it with .to(refquant.float32)",
        )
    return tensor


def quantized_tensor(asked: str, argument: str, value: Any) -> QuantizedTensor:
    """Take a quantized tensor of any scheme."""
    if isinstance(value, QuantizedTensor):
        return value
    raise NotQuantizedError(
        asked,
        argument=argument,
        expected="a quantized tensor",
        got=_describe(value),
        mend="quantize it with refquant.quantize_per_tensor(); in a model, wrap the model in "
        "QuantWrapper or add a QuantStub",
    )


def quantized_per_tensor(asked: str, argument: str, value: Any) -> QuantizedTensor:
    """Take a quantized tensor with one scale."""
    if isinstance(value, QuantizedTensor) and value.axis is None:
        return value
    tensor = quantized_tensor(asked, argument, value)
    raise QuantizerError(
        asked,
        argument=argument,
        expected="quantized per tensor",
        got=tensor.qscheme(),
        mend="quantize it with refquant.quantize_per_tensor()",
    )


def quantized_dtype(asked: str, argument: str, value: Any) -> dtypes.dtype:
    """Take quint8, qint8 or qint32."""
    if isinstance(value, dtypes.dtype) and value.is_quantized:
        return value
    raise DtypeError(
        asked,
        argument=argument,
        expected="refquant.quint8, refquant.qint8 or refquant.qint32",
        got=value if isinstance(value, dtypes.dtype) else arguments.describe(value),
    )


def scale_value(asked: str, argument: str, value: Any) -> float:
    """Take a scale: its float32 and the float32 reciprocal of that are finite and positive."""
    scale = value if type(value) is float else arguments.real(asked, argument, value)
    # Between these lie exactly the float32 whose float32 reciprocal is finite.
    if not SMALLEST_SCALE <= scale < LARGEST_SCALE:
        raise QuantizationParameterError(
            asked,
            argument=argument,
            expected="a scale whose float32 value and reciprocal are finite and positive",
            got=scale,
            mend="choose the scale with an observer, or pass (max - min) / (quant_max - quant_min)",
        )
    return scale


def scale_values(asked: str, argument: str, values: np.ndarray) -> np.ndarray:
    """Take an array of scales, each as in `scale_value`; the result is float64."""
    scales = np.ascontiguousarray(arguments.numbers(asked, argument, values, np.float64))
    bad = ~((scales >= SMALLEST_SCALE) & (scales < LARGEST_SCALE))
    if bad.any():
        index = int(np.flatnonzero(bad)[0])
        raise QuantizationParameterError(
            asked,
            argument=f"{argument}[{index}]",
            expected="a scale whose float32 value and reciprocal are finite and positive",
            got=float(scales[index]),
        )
    return scales


def whole_number(asked: str, argument: str, value: Any) -> int:
    """Take a whole number; a float or a tensor of one element that holds one will do."""
    if type(value) is int:
        return value
    number = value.item() if isinstance(value, Tensor) and value.array.size == 1 else value
    if isinstance(number, float | np.floating) and float(number).is_integer():
        return int(number)
    try:
        return operator.index(number)
    except TypeError:
        raise ArgumentTypeError(
            asked, argument=argument, expected="a whole number", got=arguments.describe(value)
        ) from None


def zero_point_value(asked: str, argument: str, value: Any, dtype: dtypes.dtype) -> int:
    """Take a zero point: a whole number in the range of the dtype."""
    zero_point = whole_number(asked, argument, value)
    if not dtype.quant_min <= zero_point <= dtype.quant_max:
        raise QuantizationParameterError(
            asked,
            argument=argument,
            expected=f"in {dtype.quant_min}..{dtype.quant_max}, the range of {dtype}",
            got=zero_point,
        )
    return zero_point


def dimension(asked: str, argument: str, value: Any, ndim: int) -> int:
    """Take a dimension, counted from the end if negative."""
    index = value if type(value) is int else arguments.integer(asked, argument, value)
    count = max(ndim, 1)
    if not -count <= index < count:
        raise IndexRangeError(
            asked, argument=argument, expected=f"in {-count}..{count - 1}", got=index
        )
    return index % count


def dimensions(asked: str, argument: str, value: Any, ndim: int) -> tuple[int, ...]:
    """Take several different dimensions: one, or a sequence of them."""
    named = value if isinstance(value, tuple | list) else (value,)
    found = tuple(dimension(asked, argument, d, ndim) for d in named)
    if len(set(found)) != len(found):
        raise OperationError(
            asked, argument=argument, expected="every dimension once", got=arguments.describe(value)
        )
    return found


def _smallest_scale() -> float:
    """Smallest float64 whose float32 value has a finite float32 reciprocal."""
    with np.errstate(over="ignore"):
        small = np.float32(2.0**-128)
        while not np.isfinite(np.float32(1) / small):
            small = np.nextafter(small, np.float32(1))
    below = np.nextafter(small, np.float32(0))
    tie = (float(small) + float(below)) / 2  # the midpoint rounds to the even one of the two
    return tie if np.float32(tie) == small else math.nextafter(tie, 1.0)


SMALLEST_SCALE = _smallest_scale()
# From here on float64 rounds to infinity in float32; its reciprocal below is positive already.
LARGEST_SCALE = (2.0 - 2.0**-24) * 2.0**127
