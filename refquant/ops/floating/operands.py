"""Operands of operations on plain tensors, and the dtype of results."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant._operation import operation_name
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    OperationError,
    RefquantError,
    ShapeError,
)
from refquant.ops import checks
from refquant.ops.dispatch import float_only
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "broadcast",
    "cast",
    "compare",
    "element",
    "float_operand",
    "held",
    "number",
    "operand",
    "pair",
    "result_dtype",
    "scalar",
]

_NUMBERS = (int, float, np.integer, np.floating, np.bool_)
# The largest float16: what every floating-point dtype holds.
_SMALL = 65504.0
_EVERYWHERE = 127  # what every dtype of numbers holds


def operand(argument: str, value: Any) -> Tensor:
    """Return a plain tensor, or raise; a float32 NumPy array becomes one."""
    if isinstance(value, Tensor):
        if isinstance(value, QuantizedTensor):
            raise float_only(argument, value)
        return value
    return checks.plain_tensor(argument, value)


def float_operand(argument: str, value: Any) -> Tensor:
    """Return a plain floating-point tensor, or raise."""
    x = operand(argument, value)
    if x.array.dtype.kind != "f":
        raise DtypeError(
            argument=argument,
            expected="a floating-point tensor",
            got=f"a {x.dtype} tensor",
            hint="convert it with .float()",
        )
    return x


def scalar(argument: str, value: Any) -> Any:
    """Return the number of a tensor of one element, or a number, as Python has it: no wrapping."""
    for kind, python in ((np.bool_, bool), (np.integer, int), (np.floating, float)):
        if isinstance(value, kind):
            return python(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, Tensor) and value.array.size == 1:
        return value.item()
    raise ArgumentTypeError(argument=argument, expected="a number", got=arguments.describe(value))


def cast(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Convert to a dtype; what it cannot hold becomes inf or wraps around, silently."""
    if array.dtype == dtype:
        return array
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def element(argument: str, value: Any, dtype: Any) -> np.ndarray:
    """Return a number, or that of a tensor of one element, as a 0-dimensional array."""
    if type(value) in (int, float) and 0 <= value <= _EVERYWHERE:
        return np.array(value, dtype)
    found, dtype = scalar(argument, value), np.dtype(dtype)
    if isinstance(found, int) and dtype.kind == "f":
        found = arguments.real(argument, found)  # inf where float64 ends
    try:
        if not isinstance(found, float | np.number) or -_SMALL <= found <= _SMALL:
            return np.array(found, dtype)
    except OverflowError:  # a Python integer that the dtype does not hold wraps around
        if -(2**63) <= found < 2**64:
            return np.asarray(found).astype(dtype)
    if dtype.kind in "iu" and not -(2**63) <= found < 2**64:
        raise ArgumentError(argument=argument, expected="a number of at most 64 bits", got=found)
    return cast(np.asarray(found), dtype)


def held(argument: str, value: Any, dtype: Any) -> Any:
    """Return a number as an element of a dtype that holds it; -1 is 255 in uint8."""
    found, dtype = scalar(argument, value), np.dtype(dtype)
    if dtype.kind == "f":
        fits = not -np.inf < found < np.inf or abs(found) <= float(np.finfo(dtype).max)
    else:
        limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
        least = -limits.max if isinstance(found, int) else 0  # of an unsigned dtype
        fits = (limits.min or least) <= found <= limits.max
    if not fits:
        raise ArgumentError(argument=argument, expected=f"a number that {dtype} holds", got=found)
    return dtype.type(found) if dtype.kind == "f" else np.int64(found).astype(dtype)


def broadcast(formula: Callable, *arrays: np.ndarray) -> np.ndarray:
    """Apply a NumPy function; what is infinite or undefined becomes inf or NaN, silently."""
    try:
        with np.errstate(all="ignore"):
            return formula(*arrays)
    except (TypeError, ValueError) as error:
        raise _unfit(error, arrays) from None


def compare(formula: Callable, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Apply a NumPy function that gives no numbers, as `broadcast` does."""
    try:
        return np.asarray(formula(x, y))
    except (TypeError, ValueError) as error:
        raise _unfit(error, (x, y)) from None


def _unfit(error: Exception, arrays: tuple[np.ndarray, ...]) -> RefquantError:
    """Describe why NumPy cannot operate on arrays."""
    if isinstance(error, TypeError):  # it has no such operation of bools
        return DtypeError(
            argument="input",
            expected="numbers",
            got=f"a {arrays[0].dtype} tensor",
            hint="convert it with .to(), or use logical_xor() or logical_not()",
        )
    try:
        np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        return ShapeError(
            argument="other",
            expected=f"of a shape that broadcasts with {arrays[0].shape}",
            got="shape " + " and ".join(str(a.shape) for a in arrays[1:]),
        )
    return OperationError(f"{operation_name()}: {error}", argument="other")


def _common(a: np.dtype, b: np.dtype) -> np.dtype:
    """Combine two dtypes of equal rank: a floating-point one wins over integers as it is."""
    if a.kind == "f" and b.kind != "f":
        return a
    if b.kind == "f" and a.kind != "f":
        return b
    return np.promote_types(a, b)


_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}


def result_dtype(a: np.ndarray, b: np.ndarray) -> np.dtype:
    """Choose the dtype of a result: a tensor with dimensions decides over one without.

    The other decides only if it is of a higher category (bool, integer, floating point). Source:
    the documentation of type promotion in PyTorch.
    """
    if a.dtype == b.dtype:
        return a.dtype
    if (a.ndim == 0) is (b.ndim == 0):
        return _common(a.dtype, b.dtype)
    decides, other = (b, a) if a.ndim == 0 else (a, b)
    if _CATEGORY[other.dtype.kind] > _CATEGORY[decides.dtype.kind]:
        return other.dtype
    return decides.dtype


def number(argument: str, value: Any, beside: np.ndarray) -> Tensor:
    """Make a Python number a tensor of the dtype that it takes on beside an array."""
    if not isinstance(value, _NUMBERS):
        raise ArgumentTypeError(
            argument=argument,
            expected="a tensor or a number",
            got=arguments.describe(value),
        )
    kind = beside.dtype.kind
    dtype: Any
    if isinstance(value, float | np.floating):
        dtype = beside.dtype if kind == "f" else np.float32
    elif isinstance(value, bool | np.bool_):
        dtype = beside.dtype
    else:
        dtype = np.int64 if kind == "b" else beside.dtype
    if kind == "f" and type(value) in (int, float) and -_SMALL <= value <= _SMALL:
        return Tensor(np.array(value, dtype))
    return Tensor(element(argument, value, dtype))


def pair(
    input: Any, other: Any, argument: str = "other"
) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    """Return two operands, at least one of them a tensor, in one dtype, or raise.

    Returns
    -------
    a, b : Tensor
        The operands, for the tape.
    x, y : ndarray
        Their elements, of one dtype.
    """
    if (
        isinstance(input, Tensor)
        and isinstance(other, Tensor)
        and input.array.dtype == other.array.dtype
        and not (input.is_quantized or other.is_quantized)
    ):
        return input, other, input.array, other.array
    reject_quantized(input, other)
    if not isinstance(input, Tensor | np.ndarray):
        b = operand(argument, other)
        a = number("input", input, b.array)
    else:
        a = operand("input", input)
        if isinstance(other, Tensor | np.ndarray):
            b = operand(argument, other)
        else:
            b = number(argument, other, a.array)
    x, y = a.array, b.array
    if x.dtype != y.dtype:
        dtype = result_dtype(x, y)
        x, y = cast(x, dtype), cast(y, dtype)
    return a, b, x, y


def reject_quantized(*values: Any) -> None:
    """Raise for quantized tensors, with a hint how to add and multiply them."""
    for value in values:
        if isinstance(value, QuantizedTensor):
            error = float_only("input", value)
            raise type(error)(
                argument="input",
                expected="plain tensors",
                got=error.got,
                hint="use nn.quantized.QFunctional (in a model that is to be converted "
                "nn.quantized.FloatFunctional), or call .dequantize() first",
            )
