"""Checks of the parts of a quantized tensor: integers, scales, zero points and their axis.

Each takes the name of the operation and of the argument, and returns the argument in the form
that tensors keep. Operations check what a user gave once and hand the result on.
"""

import math
import operator
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    IndexRangeError,
    NotSupportedError,
    QuantizationParameterError,
)
from refquant.tensors import arrays
from refquant.tensors.plain import Tensor

__all__ = [
    "LARGEST_SCALE",
    "SMALLEST_SCALE",
    "channel_quantizer",
    "codes",
    "describe",
    "quantized_dtype",
    "scale_value",
    "scale_values",
    "whole_number",
    "zero_point_value",
    "zero_point_values",
]


def describe(value: Any) -> str:
    """Describe an argument in a few words."""
    if isinstance(value, Tensor):
        return f"a {value.dtype} tensor"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of {value.dtype}"
    return type(value).__name__


def quantized_dtype(argument: str, value: Any, sub_byte: bool = False) -> dtypes.dtype:
    """Return quint8, qint8 or qint32, or raise; with `sub_byte` also quint4x2 or quint2x4."""
    if isinstance(value, dtypes.dtype) and value.is_quantized:
        if value.bits < 8 and not sub_byte:
            raise NotSupportedError(
                argument=argument,
                expected="refquant.quint8, refquant.qint8 or refquant.qint32",
                got=value,
                hint="few bits are for quantize_per_tensor(), for quantize_per_channel() with "
                "float zero points and for embeddings",
            )
        return value
    raise DtypeError(
        argument=argument,
        expected="refquant.quint8, refquant.qint8 or refquant.qint32",
        got=value if isinstance(value, dtypes.dtype) else arguments.describe(value),
    )


def scale_value(argument: str, value: Any) -> float:
    """Return a scale, or raise: its float32 and the reciprocal of that are finite and positive."""
    scale = value if type(value) is float else arguments.real(argument, value)
    # Between these lie exactly the float32 whose float32 reciprocal is finite.
    if not SMALLEST_SCALE <= scale < LARGEST_SCALE:
        raise QuantizationParameterError(
            argument=argument,
            expected="a scale whose float32 value and reciprocal are finite and positive",
            got=scale,
            hint="choose the scale with an observer, or pass (max - min) / (quant_max - quant_min)",
        )
    return scale


def scale_values(argument: str, values: np.ndarray) -> np.ndarray:
    """Return an array of scales, each as in `scale_value`, as float64, or raise."""
    scales = np.ascontiguousarray(arguments.numbers(argument, values, np.float64))
    bad = ~((scales >= SMALLEST_SCALE) & (scales < LARGEST_SCALE))
    if bad.any():
        index = int(np.flatnonzero(bad)[0])
        raise QuantizationParameterError(
            argument=f"{argument}[{index}]",
            expected="a scale whose float32 value and reciprocal are finite and positive",
            got=float(scales[index]),
        )
    return scales


def whole_number(argument: str, value: Any) -> int:
    """Return an integer, or raise; a float or a tensor of one element may hold it."""
    if type(value) is int:
        return value
    number = value.item() if isinstance(value, Tensor) and value.array.size == 1 else value
    if isinstance(number, float | np.floating) and float(number).is_integer():
        return int(number)
    try:
        return operator.index(number)
    except TypeError:
        raise ArgumentTypeError(
            argument=argument, expected="a whole number", got=arguments.describe(value)
        ) from None


def zero_point_value(argument: str, value: Any, dtype: dtypes.dtype) -> int:
    """Return a zero point, an integer in the range of the dtype, or raise."""
    zero_point = whole_number(argument, value)
    if not dtype.quant_min <= zero_point <= dtype.quant_max:
        raise QuantizationParameterError(
            argument=argument,
            expected=f"in {dtype.quant_min}..{dtype.quant_max}, the range of {dtype}",
            got=zero_point,
        )
    return zero_point


def zero_point_values(argument: str, values: Any, dtype: dtypes.dtype) -> np.ndarray:
    """Return an array of zero points, each in the range of the dtype, as int64, or raise."""
    if values.dtype.kind not in "iu":
        raise DtypeError(
            argument=argument,
            expected="an integer tensor",
            got=values.dtype,
            hint="convert them with .to(refquant.int64)",
        )
    outside = (values < dtype.quant_min) | (values > dtype.quant_max)
    if outside.any():
        index = int(np.flatnonzero(outside)[0])
        raise QuantizationParameterError(
            argument=f"{argument}[{index}]",
            expected=f"in {dtype.quant_min}..{dtype.quant_max}, the range of {dtype}",
            got=int(values[index]),
        )
    return np.ascontiguousarray(values, dtype=np.int64)


def channel_quantizer(
    scales: Any,
    zero_points: Any,
    axis: Any,
    array: np.ndarray,
    dtype: dtypes.dtype,
    names: tuple[str, str, str] = ("input", "scales", "zero_points"),
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return scales, zero points and axis, one for each slice, or raise.

    They are float64 and int64, or both float32 if the zero points that are given are floats.
    """
    is_integer = isinstance(axis, int | np.integer) and not isinstance(axis, bool)
    if not is_integer or not 0 <= axis < array.ndim:
        raise IndexRangeError(
            argument="axis",
            expected=f"in 0..{array.ndim - 1}, a dimension of `{names[0]}`",
            got=axis,
        )
    s, z = (
        _vector(name, values, array, axis)
        for name, values in zip(names[1:], (scales, zero_points), strict=True)
    )
    if z.dtype.kind == "f":
        return *_float_quantizer(names[1:], s, z, dtype), int(axis)
    if dtype.bits < 8:
        raise NotSupportedError(
            argument=names[2],
            expected=f"float zero points for {dtype} per channel",
            got=z.dtype,
            hint="convert them with .to(refquant.float32), or quantize per tensor",
        )
    z = zero_point_values(names[2], z, dtype)
    # Copies, because later changes of what was given would not be checked.
    return scale_values(names[1], s).copy(), z.copy(), int(axis)


def _float_quantizer(
    names: tuple[str, ...], scales: np.ndarray, zero_points: np.ndarray, dtype: dtypes.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Return scales and zero points as float32, or raise."""
    if dtype.numpy.itemsize > 1:
        raise NotSupportedError(
            argument=names[1],
            expected=f"integers for {dtype}",
            got=zero_points.dtype,
            hint="float zero points are for quint8, qint8, quint4x2 and quint2x4",
        )
    if not np.isfinite(zero_points).all():
        raise QuantizationParameterError(
            argument=names[1], expected="finite numbers", got="NaN or infinities"
        )
    s = scale_values(names[0], scales).astype(np.float32)
    return s, np.ascontiguousarray(zero_points).astype(np.float32)


def _vector(name: str, values: Any, array: np.ndarray, axis: int) -> np.ndarray:
    """Return one number for each slice of an array along an axis, or raise."""
    try:
        vector = np.asarray(values.array if isinstance(values, Tensor) else values)
    except ValueError:  # lists of different lengths
        vector = np.empty(0, object)
    if vector.dtype.kind not in "fiu":
        raise ArgumentTypeError(
            argument=name, expected="numbers, one for each channel", got=describe(values)
        )
    if vector.shape != (array.shape[axis],):
        raise QuantizationParameterError(
            argument=name,
            expected=f"of shape ({array.shape[axis]},), one for each slice along axis {axis}",
            got=f"shape {vector.shape} for a tensor of shape {array.shape}",
        )
    return vector


def codes(argument: str, value: Any, dtype: dtypes.dtype) -> np.ndarray:
    """Return the integers of a quantized tensor in its storage type, or raise.

    Raises
    ------
    DtypeError
        If they are no integers.
    ArgumentError
        If one is outside the range of `dtype`.
    """
    if isinstance(value, Tensor) and not value.is_quantized:
        value = value.array
    if isinstance(value, np.ndarray) and value.dtype == dtype.numpy and dtype.bits >= 8:
        return arrays.elements(argument, value)
    try:
        given = np.empty(0, object) if isinstance(value, Tensor) else np.asarray(value)
    except ValueError:  # lists of different lengths
        given = np.empty(0, object)
    if given.size == 0 and isinstance(value, list | tuple) and given.dtype.kind == "f":
        given = given.astype(dtype.numpy)
    if given.dtype.kind not in "iu":
        raise DtypeError(
            argument=argument,
            expected=f"integers, best an array of {dtype.numpy}",
            got=describe(value),
            hint="quantize real numbers with refquant.quantize_per_tensor(); the integers of a "
            "quantized tensor are int_repr()",
        )
    outside = (given < dtype.quant_min) | (given > dtype.quant_max)
    if outside.any():
        raise ArgumentError(
            argument=argument,
            expected=f"integers in {dtype.quant_min}..{dtype.quant_max}, the range of {dtype}",
            got=int(given[outside][0]),
        )
    if isinstance(value, np.ndarray) and value.dtype == dtype.numpy:
        return arrays.elements(argument, value)
    return given.astype(dtype.numpy)


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
