"""Checks of plain arguments: numbers, flags, names, sizes, callables and instances.

Each takes the name of the argument and the value, returns the value in the
form that the caller works with, and raises an error that says what was expected. Checks of tensors
are in `refquant.ops.checks`.
"""

import difflib
import inspect
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from refquant.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "NotGiven",
    "choice",
    "describe",
    "file_path",
    "fits",
    "flag",
    "flag_or_none",
    "function",
    "given",
    "instance",
    "integer",
    "integers",
    "iterable",
    "mapping",
    "number",
    "numbers",
    "path",
    "real",
    "sequence",
    "shape",
    "switch",
    "text",
    "walks",
]

# The largest number of bytes that an array may have: what a signed 64-bit size can count.
MOST_BYTES = 2**63 - 1
MOST_DIMENSIONS = 64  # of a NumPy array
_LARGEST = 2**256  # larger integers do not even print
_ITEM = 8  # bytes of the largest element


class NotGiven(int):
    """A documented default that a signature shows, and that another release replaces by its own.

    Examples
    --------
    >>> from refquant.arguments import NotGiven, given
    >>> given(NotGiven(128)), given(128)
    (None, 128)
    """


def given(value: Any) -> Any:
    """Return a value, or None if it is a default that was `NotGiven`."""
    return None if isinstance(value, NotGiven) else value


def describe(value: Any) -> str:
    """Describe a value in an error message: its class, and the value if that is short."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    dtype, size = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is not None and size is not None:
        what = "NumPy array" if isinstance(value, np.ndarray) else "tensor"
        return f"a {what} of {dtype} and shape {tuple(size)}"
    if value is None or isinstance(
        value, bool | int | float | complex | str | bytes | tuple | list
    ):
        try:
            text = repr(value)
        except ValueError:  # an integer of thousands of digits
            return f"a {type(value).__name__}"
        return text if len(text) <= 60 else f"{text[:57]}..."
    return f"an object of type {type(value).__name__}"


def integer(argument: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Return an integer between `least` and `most`; a tensor or array of one integer counts."""
    if type(value) is int:
        number = value
    else:
        try:
            number = operator.index(value)
        except (TypeError, ValueError):
            raise ArgumentTypeError(
                argument=argument, expected="an integer", got=describe(value)
            ) from None
    if (least is not None and number < least) or (most is not None and number > most):
        raise ArgumentError(argument=argument, expected=between(least, most), got=number)
    if not -_LARGEST < number < _LARGEST:
        raise ArgumentError(
            argument=argument, expected="an integer of at most 256 bits", got="a larger one"
        )
    return number


def between(least: Any, most: Any) -> str:
    """Word a range of numbers."""
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if least is None else f"in {least}..{most}"


def integers(argument: str, value: Any, count: int, least: int | None = None) -> tuple[int, ...]:
    """Return `count` integers: one integer for all, or a sequence of `count`."""
    if isinstance(value, tuple | list):
        if len(value) != count:
            raise ArgumentError(
                argument=argument, expected=f"1 or {count} integers", got=describe(value)
            )
        return tuple(integer(argument, part, least) for part in value)
    return (integer(argument, value, least),) * count


def shape(argument: str, value: Any) -> tuple[int, ...]:
    """Return the sizes of an array, none negative and all together not more than memory has."""
    sizes, memory = [], _ITEM
    for part in value if isinstance(value, tuple | list) else (value,):
        size = part if type(part) is int and part >= 0 else integer(argument, part, 0)
        sizes.append(size)
        memory *= size or 1  # an empty array has strides too, which must not overflow
    if len(sizes) > MOST_DIMENSIONS:
        raise ArgumentError(
            argument=argument,
            expected=f"at most {MOST_DIMENSIONS} sizes",
            got=f"{len(sizes)} of them",
        )
    if memory > MOST_BYTES:
        raise ArgumentError(
            argument=argument,
            expected="the shape of an array of fewer than 2**63 bytes",
            got=describe(tuple(sizes)),
        )
    return tuple(sizes)


def real(
    argument: str,
    value: Any,
    least: float | None = None,
    most: float | None = None,
    finite: bool = False,
) -> float:
    """Return a number as a float; a tensor or array of one number counts."""
    number = value if type(value) is float else _as_float(value)
    if number is None:
        raise ArgumentTypeError(argument=argument, expected="a number", got=describe(value))
    if finite and not math.isfinite(number):
        raise ArgumentError(argument=argument, expected="a finite number", got=number)
    # Written so that NaN lies outside every range.
    if (least is not None and not number >= least) or (most is not None and not number <= most):
        raise ArgumentError(argument=argument, expected=between(least, most), got=number)
    return number


def _as_float(value: Any) -> float | None:
    """Convert what holds one number, or return None."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, str | bytes | bytearray | complex | np.complexfloating):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError, RuntimeError):
        return None


def number(
    argument: str,
    value: Any,
    least: float | None = None,
    most: float | None = None,
    finite: bool = False,
) -> float:
    """Return a number to keep and to show: an int or float as it is, else as a float."""
    checked = real(argument, value, least, most, finite)
    return value if type(value) in (int, float) else checked


def numbers(argument: str, value: Any, dtype: Any = None) -> np.ndarray:
    """Return real numbers as an array: of a number, nested sequences, an array or a tensor.

    With `dtype` they are converted; what it cannot hold becomes inf, or wraps around.
    """
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):  # sequences of several lengths
        array = np.empty(0, object)
    if (
        array.dtype.kind == "O"
        and array.size
        and all(isinstance(v, int | float) for v in array.flat)
    ):
        # Integers of more than 64 bits.
        array = np.array([real(argument, v) for v in array.flat]).reshape(array.shape)
    if array.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            argument=argument,
            expected="numbers, in nested sequences of equal length",
            got=describe(value),
        )
    if dtype is None or array.dtype == dtype:
        return array
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def flag(argument: str, value: Any) -> bool:
    """Return True or False; 0, 1 and what has one element count."""
    if value is True or value is False:
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    try:
        number = operator.index(value)
    except (TypeError, ValueError):
        number = -1
    if number not in (0, 1):
        raise ArgumentTypeError(argument=argument, expected="True or False", got=describe(value))
    return bool(number)


def switch(argument: str, value: Any) -> bool:
    """Return True or False; None is False, as in the conditions of PyTorch's Python code."""
    return False if value is None else flag(argument, value)


def flag_or_none(argument: str, value: Any) -> bool | None:
    """Return True, False or None."""
    return None if value is None else flag(argument, value)


def text(argument: str, value: Any) -> str:
    """Return a string."""
    return instance(argument, value, str, "a string")


def choice(argument: str, value: Any, names: Iterable[str]) -> str:
    """Return a string that is one of `names`."""
    known = list(names)
    if not isinstance(value, str) or value not in known:
        raise ArgumentError(
            argument=argument,
            expected="one of " + ", ".join(map(repr, known)),
            got=describe(value),
            hint=did_you_mean(value, known),
        )
    return value


def did_you_mean(value: Any, names: Iterable[str]) -> str | None:
    """Return a question after the name that was probably meant, if one is near."""
    near = difflib.get_close_matches(value, list(names), 1) if isinstance(value, str) else []
    return f"did you mean {near[0]!r}?" if near else None


def function(
    argument: str, value: Any, given: int | None = None, hint: str | None = None
) -> Callable[..., Any]:
    """Return something that can be called, with `given` arguments by position if that is said."""
    if not callable(value):
        raise ArgumentTypeError(
            argument=argument, expected="a callable", got=describe(value), hint=hint
        )
    if given is not None and not fits(value, *(None,) * given):
        raise ArgumentTypeError(
            argument=argument,
            expected=f"a callable that takes {given} arguments by position",
            got=describe(value),
            hint=hint,
        )
    return value


def fits(function: Callable[..., Any], *inputs, **keywords) -> bool:
    """Whether a callable has parameters for these arguments, as far as it tells."""
    if isinstance(function, type) and issubclass(function, np.generic):
        return False  # it makes a number of one argument, and does not tell
    try:
        # A module hands the arguments on to `forward`.
        signature = inspect.signature(getattr(function, "forward", function))
    except (TypeError, ValueError):
        return not isinstance(function, type)  # such as int, which makes a number of its argument
    try:
        signature.bind(*inputs, **keywords)
    except TypeError:
        return False
    return True


def parameters_of(function: Callable[..., Any]) -> str:
    """Write the parameters of a function, without their types."""
    parameters = inspect.signature(function).parameters.values()
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters]))


def instance(argument: str, value: Any, kind: Any, expected: str, hint: str | None = None):
    """Return an object of a class, which `expected` words, such as ``"a Module"``."""
    if not isinstance(value, kind):
        raise ArgumentTypeError(
            argument=argument, expected=expected, got=describe(value), hint=hint
        )
    return value


def sequence(argument: str, value: Any, expected: str = "a sequence") -> list[Any]:
    """Return the items of an iterable that is neither a string nor a mapping."""
    if not isinstance(value, str | bytes | Mapping | type):
        try:
            return list(value)
        except TypeError:
            pass
    raise ArgumentTypeError(argument=argument, expected=expected, got=describe(value))


def pair_of_tensors(argument: str, value: Any) -> tuple[Any, Any]:
    """Return both parts of a tuple or list of two, such as the state of an LSTM, or raise."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ArgumentTypeError(
            argument=argument, expected="a pair of tensors", got=describe(value)
        )
    return value[0], value[1]


def walks(value: Any) -> bool:
    """Tell whether a value can be walked; arrays without dimensions look so, and cannot."""
    try:
        iter(value)
    except TypeError:
        return False
    return True


def iterable(argument: str, value: Any, expected: str = "an iterable") -> Iterable[Any]:
    """Return something that can be walked, without taking anything from it."""
    if not walks(value):
        raise ArgumentTypeError(argument=argument, expected=expected, got=describe(value))
    return value


def path(argument: str, value: Any, expected: str = "a path") -> "Path":
    """Return the path that a string or a path-like object names."""
    from pathlib import Path  # late: it is a tenth of the time that importing refquant takes

    named = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(named, str):
        raise ArgumentTypeError(argument=argument, expected=expected, got=describe(value))
    if "\0" in named:
        raise ArgumentError(
            argument=argument, expected=f"{expected} without null characters", got=repr(named)
        )
    return Path(named)


def file_path(argument: str, value: Any) -> "Path":
    """Return the path of a file that is to be written."""
    found = path(argument, value)
    if not found.name or found.is_dir():
        raise ArgumentError(
            argument=argument, expected="the path of a file", got=f"the folder {str(found)!r}"
        )
    return found


def mapping(argument: str, value: Any, expected: str = "a dict") -> Mapping[Any, Any]:
    """Return a mapping."""
    return instance(argument, value, Mapping, expected)
