"""`QuantizedTensor`: integers in a NumPy array, and what real numbers they stand for."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from refquant import arguments, dtypes, kernels
from refquant._operation import named
from refquant.errors import DtypeError, GradientError, QuantizerError
from refquant.tensors import arrays, formatting, html, quantizer
from refquant.tensors.plain import Tensor

__all__ = ["QuantizedTensor"]


class QuantizedTensor(Tensor):
    r"""Integers that stand for real numbers, :math:`x = s (q - z)`.

    Make one from real numbers with `refquant.quantize_per_tensor` or
    `refquant.quantize_per_channel`; the constructor takes integers that are there already, and
    checks them and their quantizer.

    Parameters
    ----------
    array : ndarray of uint8, int8 or int32
        The integers, each in a place of its own even where they have fewer than 8 bits. An array
        (or plain tensor) of the storage type of `dtype` is kept, not copied. Lists and arrays of
        other integer types are converted if every integer lies in the range of `dtype`.
    dtype : dtype
        quint8, qint8, qint32, quint4x2 or quint2x4.
    scale : float, or array of shape (channels,)
        Real units of one quantized step; its float32 value and reciprocal must be finite and
        positive. Kept in float64; an array is copied.
    zero_point : int, or array, shape (channels,)
        The integer that stands for real zero, in the range of `dtype`. An array of integers is
        copied to int64. An array of floats, of dtypes of at most 8 bits, is copied to float32, and
        so is `scale` then.
    axis : int, optional
        The dimension of the channels, not negative; None if there is one scale for all.

    Raises
    ------
    DtypeError
        If `dtype` is not quantized, or `array` does not hold integers.
    ArgumentError
        If an integer is outside the range of `dtype`.
    QuantizationParameterError, ArgumentTypeError
        If scale or zero point is not valid, or not one for each channel.
    IndexRangeError
        If `axis` is not a dimension of `array`.

    Examples
    --------
    >>> import refquant
    >>> import numpy as np
    >>> refquant.QuantizedTensor(np.uint8([10, 12]), refquant.quint8, 0.5, 10).dequantize()
    tensor([0., 1.])
    """

    __slots__ = ("_dtype", "axis", "scale", "zero_point")
    is_quantized = True

    def __init__(
        self, array: Any, dtype: dtypes.dtype, scale: Any, zero_point: Any, axis: int | None = None
    ) -> None:
        dtype = quantizer.quantized_dtype("dtype", dtype, sub_byte=True)
        array = quantizer.codes("array", array, dtype)
        if axis is None:
            scale = quantizer.scale_value("scale", scale)
            zero_point = quantizer.zero_point_value("zero_point", zero_point, dtype)
        else:
            scale, zero_point, axis = quantizer.channel_quantizer(
                scale, zero_point, axis, array, dtype, ("array", "scale", "zero_point")
            )
        self._fill_all(array, dtype, scale, zero_point, axis)

    def _fill_all(self, array, dtype, scale, zero_point, axis) -> None:
        self.array = array
        self.requires_grad = self.retains_grad = False
        self.grad = None
        self.node = None
        self._dtype = dtype
        self.scale = scale
        self.zero_point = zero_point
        self.axis = axis

    @staticmethod
    def _unchecked(array, dtype, scale, zero_point, axis=None) -> QuantizedTensor:
        """Make a tensor for operations, which checked their arguments: kernels trust it.

        `array` has the storage type of `dtype`; scale and zero point are float and int, or
        arrays of float64 and int64, or both of float32, with an element for each slice along
        `axis`. All are kept.
        """
        tensor = object.__new__(QuantizedTensor)
        # As `_fill_all`, without another call.
        tensor.array = array
        tensor.requires_grad = tensor.retains_grad = False
        tensor.grad = tensor.node = None
        tensor._dtype = dtype
        tensor.scale = scale
        tensor.zero_point = zero_point
        tensor.axis = axis
        return tensor

    def like(self, array: np.ndarray) -> QuantizedTensor:
        """Make a tensor of other integers with the same parameters; `array` is kept."""
        tensor = object.__new__(QuantizedTensor)
        tensor._fill_all(array, self._dtype, self.scale, self.zero_point, self.axis)
        return tensor

    @property
    def dtype(self) -> dtypes.dtype:
        """Quantized type of the elements."""
        return self._dtype

    def qscheme(self) -> dtypes.qscheme:
        """Return the scheme: one scale (``per_tensor_affine``) or one for each channel."""
        if self.axis is None:
            return dtypes.per_tensor_affine
        if self.zero_point.dtype.kind == "f":
            return dtypes.per_channel_affine_float_qparams
        return dtypes.per_channel_affine

    def _check_scheme(self, per_channel: bool) -> None:
        if (self.axis is not None) is not per_channel:
            wanted = "per channel" if per_channel else "per tensor"
            other = (
                "q_scale() and q_zero_point()"
                if per_channel
                else ("q_per_channel_scales() and q_per_channel_zero_points()")
            )
            raise QuantizerError(
                argument="self",
                expected=f"quantized {wanted}",
                got=self.qscheme(),
                hint=f"use {other}",
            )

    def q_scale(self) -> float:
        """Real units of one quantized step, as it was given."""
        self._check_scheme(False)
        return self.scale

    def q_zero_point(self) -> int:
        """Return the integer that stands for real zero."""
        self._check_scheme(False)
        return self.zero_point

    def q_per_channel_scales(self) -> Tensor:
        """Real units of one step, for each channel (float64; with float zero points float32)."""
        self._check_scheme(True)
        return Tensor(self.scale.copy())

    def q_per_channel_zero_points(self) -> Tensor:
        """Return the number that stands for real zero, for each channel (int64 or float32)."""
        self._check_scheme(True)
        return Tensor(self.zero_point.copy())

    def q_per_channel_axis(self) -> int:
        """Return the dimension of the channels."""
        self._check_scheme(True)
        return self.axis

    def int_repr(self) -> Tensor:
        """Copy the integers into a plain tensor, in the same memory format.

        Integers of fewer than 8 bits come packed, in row-major order and 1 dimension: the first in
        the lowest bits of a byte.
        """
        if self._dtype.bits < 8:
            return Tensor(kernels.pack_bits(self.array.ravel(), self._dtype.bits))
        return Tensor(self.array.copy(order="K"))

    def detach(self) -> QuantizedTensor:
        """Share the integers."""
        return self.like(self.array)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Raise an error: integers have no gradient."""
        if arguments.flag("requires_grad", requires_grad):
            raise GradientError(
                argument="self",
                expected="a floating-point tensor",
                got=self.dtype,
                hint="use fake quantization, which can be differentiated",
            )
        return self

    def _reject(self):
        raise DtypeError(
            argument="self",
            expected="a plain tensor",
            got=f"a {self.dtype} tensor",
            hint="take its integers with int_repr() or its real values with dequantize()",
        )

    def numpy(self) -> np.ndarray:
        """Raise an error: it is not clear whether integers or real values are meant."""
        return self._reject()

    @named("conversion to a NumPy array")
    def __array__(self, dtype: dtypes.dtype | None = None, copy: Any = None) -> np.ndarray:
        return self._reject()

    def __dlpack__(self, **options: Any) -> Any:
        return self._reject()

    def item(self) -> float:
        """Get the real value of the only element."""
        return self.dequantize().item()

    def tolist(self) -> Any:
        """Convert the real values to nested lists."""
        return self.dequantize().tolist()

    @property
    def data(self) -> Tensor:
        """The same integers."""
        return self.detach()

    @data.setter
    def data(self, other: Tensor) -> None:
        if not isinstance(other, QuantizedTensor):
            raise DtypeError(
                "assignment to .data",
                argument="data",
                expected="a quantized tensor",
                got=quantizer.describe(other),
            )
        # The quantizer belongs to the integers: another number of channels needs another one.
        self._fill_all(other.array, other.dtype, other.scale, other.zero_point, other.axis)

    def __reduce__(self) -> tuple[Any, ...]:
        quantizer = self._dtype, self.scale, self.zero_point, self.axis
        return _from_pickle, (*arrays.to_pickle(self.array), quantizer)

    def __deepcopy__(self, memo: dict[int, Any]) -> QuantizedTensor:
        """Copy integers and quantizer, for ``copy.deepcopy``."""
        return QuantizedTensor._unchecked(
            self.array.copy(order="K"),
            self._dtype,
            copy.copy(self.scale),
            copy.copy(self.zero_point),
            self.axis,
        )

    def __repr__(self) -> str:
        return formatting.quantized(self)

    def _repr_html_(self) -> str:
        return html.quantized_tensor(self)


def _from_pickle(array: Any, order: Any, quantizer: tuple[Any, ...]) -> QuantizedTensor:
    return QuantizedTensor(arrays.from_pickle(array, order), *quantizer)
