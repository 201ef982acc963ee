"""Neutral operands: integers of any int8 runtime with their scales, and where results go."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.engines.rules.rounding import round_number
from refquant.errors import ArgumentError, DtypeError

__all__ = ["ACTIVATIONS", "DTYPES", "Codes", "Output"]

DTYPES = ("int8", "uint8", "int16", "int32")
# Bounds of fused activations in real numbers; None stands for the end of the dtype.
ACTIVATIONS: dict[str, tuple[float | None, float | None]] = {
    "none": (None, None),
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}
_ENGINE_DTYPES = {"int8": dtypes.qint8, "uint8": dtypes.quint8, "int32": dtypes.qint32}


def _scales(value: Any) -> np.ndarray:
    given = arguments.numbers("scale", value)
    if given.dtype.kind not in "iuf" or given.ndim > 1:
        raise ArgumentError(
            argument="scale", expected="a number or a sequence of numbers", got=repr(value)
        )
    with np.errstate(over="ignore"):
        single = given.astype(np.float32)
    if not (np.isfinite(single) & (single > 0)).all():
        raise ArgumentError(
            argument="scale",
            expected="positive, finite numbers of float32",
            got=arguments.describe(value),
        )
    return single


def _zeros(value: Any, dtype: np.dtype) -> np.ndarray:
    given, info = arguments.numbers("zero_point", value), np.iinfo(dtype)
    if given.dtype.kind not in "iu" or given.ndim > 1:
        raise ArgumentError(
            argument="zero_point", expected="an integer or a sequence of integers", got=repr(value)
        )
    if given.size and not info.min <= given.min() <= given.max() <= info.max:
        raise ArgumentError(
            argument="zero_point",
            expected=f"in {info.min}..{info.max}, as {dtype} holds it",
            got=arguments.describe(value),
        )
    return given.astype(np.int64)


def _dtype(value: Any) -> np.dtype:
    name = value.numpy.name if isinstance(value, dtypes.dtype) else value
    if not isinstance(name, str):
        name = getattr(name, "__name__", getattr(name, "name", ""))
    if name not in DTYPES:
        raise DtypeError(
            argument="dtype", expected=f"one of {', '.join(DTYPES)}", got=arguments.describe(value)
        )
    return np.dtype(name)


@dataclass(frozen=True, eq=False)
class Codes:
    r"""Integers that stand for real numbers, :math:`x = s (q - z)`, as any runtime holds them.

    Parameters
    ----------
    array : ndarray of int8, uint8, int16 or int32
        The integers.
    scale : float or sequence of float
        Real units of one step, rounded to float32; one for each slice along `axis`.
    zero_point : int or sequence of int, default 0
        The integer that stands for real zero.
    axis : int, optional
        The axis of the scales if there are several; negative ones count from the end.

    Raises
    ------
    ArgumentError, DtypeError
        If an operand has no such meaning.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant import oracle
    >>> oracle.Codes(np.int8([[1, -2], [3, 4]]), [0.5, 0.25], axis=0)
    Codes(int8 (2, 2), 2 scales along axis 0)
    """

    array: np.ndarray
    scale: Any
    zero_point: Any = 0
    axis: int | None = None

    def __post_init__(self) -> None:
        array = arguments.instance("array", self.array, np.ndarray, "an ndarray of integers")
        if array.dtype.name not in DTYPES:
            raise DtypeError(
                argument="array", expected=f"of {', '.join(DTYPES)}", got=str(array.dtype)
            )
        scales, zeros = _scales(self.scale), _zeros(self.zero_point, array.dtype)
        axis = self.axis
        if axis is None and (scales.ndim or zeros.ndim):
            raise ArgumentError(
                argument="axis",
                expected="the axis along which scales or zero points change",
                got="None",
                hint="give one scale and one zero point, or an axis",
            )
        if axis is not None:
            axis = arguments.integer("axis", axis)
            if not -array.ndim <= axis < array.ndim:
                raise ArgumentError(
                    argument="axis", expected=f"one of {array.ndim} dimensions", got=axis
                )
            axis %= array.ndim
            count = array.shape[axis]
            for name, values in (("scale", scales), ("zero_point", zeros)):
                if values.ndim and values.size not in (1, count):
                    raise ArgumentError(
                        argument=name,
                        expected=f"{count} numbers, one for each slice along axis {axis}",
                        got=f"{values.size} of them",
                    )
            scales = np.broadcast_to(scales, (count,))
            zeros = np.broadcast_to(zeros, (count,))
        object.__setattr__(self, "scale", scales if axis is not None else float(scales))
        object.__setattr__(self, "zero_point", zeros if axis is not None else int(zeros))
        object.__setattr__(self, "axis", axis)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the integers."""
        return self.array.shape

    def like(self, array: np.ndarray) -> "Codes":
        """Make codes of other integers with the same scales."""
        return Codes(array, self.scale, self.zero_point, self.axis)

    def __repr__(self) -> str:
        if self.axis is None:
            how = f"scale {self.scale:.6g}, zero point {self.zero_point}"
        else:
            how = f"{self.scale.size} scales along axis {self.axis}"
        return f"Codes({self.array.dtype} {self.array.shape}, {how})"


@dataclass(frozen=True, eq=False)
class Output:
    """Quantizer and bounds of a result.

    Parameters
    ----------
    scale : float
        Real units of one step, rounded to float32.
    zero_point : int, default 0
        The integer that stands for real zero.
    dtype : str or dtype, default 'int8'
        ``'int8'``, ``'uint8'``, ``'int16'`` or ``'int32'``.
    activation : {'none', 'relu', 'relu6', 'relu_n1_to_1'}, default 'none'
        A fused activation: it bounds results to the integers nearest to its ends, ties away from
        zero.
    lower, upper : int, optional
        Bounds as integers, within those of the activation.

    Raises
    ------
    ArgumentError, DtypeError
        If a value has no such meaning.

    Examples
    --------
    >>> from refquant import oracle
    >>> out = oracle.Output(0.05, -28, activation="relu6")
    >>> out.lower, out.upper
    (-28, 92)
    """

    scale: Any
    zero_point: Any = 0
    dtype: Any = "int8"
    activation: str = "none"
    lower: int | None = None
    upper: int | None = None

    def __post_init__(self) -> None:
        dtype = _dtype(self.dtype)
        scale, zero = _scales(self.scale), _zeros(self.zero_point, dtype)
        if scale.ndim or zero.ndim:
            raise ArgumentError(
                argument="scale, zero_point", expected="one number each", got="sequences"
            )
        activation = arguments.choice("activation", self.activation, tuple(ACTIVATIONS))
        info = np.iinfo(dtype)
        ends = [info.min, info.max]
        for index, (real, given) in enumerate(
            zip(ACTIVATIONS[activation], (self.lower, self.upper), strict=True)
        ):
            narrow = max if index == 0 else min
            if real is not None:
                with np.errstate(over="ignore"):  # of tiny scales; no dtype reaches that far
                    steps = round_number(np.float32(real) / scale, "half_away")
                far = int(np.clip(steps, -(2.0**62), 2.0**62))
                ends[index] = narrow(ends[index], far + int(zero))
            if given is not None:
                name = ("lower", "upper")[index]
                given = arguments.integer(name, given)
                if not info.min <= given <= info.max:
                    raise ArgumentError(
                        argument=name, expected=f"in {info.min}..{info.max}", got=given
                    )
                ends[index] = narrow(ends[index], given)
        if ends[0] > ends[1]:
            raise ArgumentError(
                argument="lower, upper", expected="lower <= upper", got=f"{ends[0]} > {ends[1]}"
            )
        values = (float(scale), int(zero), dtype.name, ends[0], ends[1])
        for name, value in zip(
            ("scale", "zero_point", "dtype", "lower", "upper"), values, strict=True
        ):
            object.__setattr__(self, name, value)

    @property
    def engine_dtype(self) -> dtypes.dtype | None:
        """The quantized dtype that conditions of engines know, if there is one."""
        return _ENGINE_DTYPES.get(self.dtype)
