"""`QuantizedTensor`: integers in a NumPy array, and what real numbers they stand for."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from refquant import arguments, dtypes, notebook, printing
from refquant.errors import DtypeError, GradientError, QuantizerError
from refquant.plain_tensor import Tensor

__all__ = ["QuantizedTensor"]


class QuantizedTensor(Tensor):
    r"""Integers that stand for real numbers, :math:`x = s (q - z)`.

    Make one with `refquant.quantize_per_tensor` or `refquant.quantize_per_channel`.

    Parameters
    ----------
    array : ndarray of uint8, int8 or int32
        The integers; kept, not copied.
    dtype : dtype
        quint8, qint8 or qint32.
    scale : float or ndarray of float64, shape (channels,)
        Real units of one quantized step.
    zero_point : int or ndarray of int64, shape (channels,)
        The integer that stands for real zero.
    axis : int, optional
        The dimension of the channels; None if there is one scale for all.

    Examples
    --------
    >>> import refquant
    >>> import numpy as np
    >>> refquant.QuantizedTensor(np.uint8([10, 12]), refquant.quint8, 0.5, 10).dequantize()
    tensor([0., 1.])
    """

    __slots__ = ("_dtype", "axis", "scale", "zero_point")
    is_quantized = True

    def __init__(self, array, dtype, scale, zero_point, axis=None):
        self.array = array
        self.requires_grad = self.retains_grad = False
        self.grad = None
        self.node = None
        self._dtype = dtype
        self.scale = scale
        self.zero_point = zero_point
        self.axis = axis

    def like(self, array: np.ndarray) -> QuantizedTensor:
        """Make a tensor of other integers with the same parameters; `array` is kept."""
        return QuantizedTensor(array, self._dtype, self.scale, self.zero_point, self.axis)

    @property
    def dtype(self) -> dtypes.dtype:
        """Quantized type of the elements."""
        return self._dtype

    def qscheme(self) -> dtypes.qscheme:
        """Tell whether there is one scale (``per_tensor_affine``) or one for each channel."""
        return dtypes.per_tensor_affine if self.axis is None else dtypes.per_channel_affine

    def _check_scheme(self, asked: str, per_channel: bool) -> None:
        if (self.axis is not None) is not per_channel:
            wanted = "per channel" if per_channel else "per tensor"
            other = (
                "q_scale() and q_zero_point()"
                if per_channel
                else ("q_per_channel_scales() and q_per_channel_zero_points()")
            )
            raise QuantizerError(
                asked,
                argument="self",
                expected=f"quantized {wanted}",
                got=self.qscheme(),
                mend=f"use {other}",
            )

    def q_scale(self) -> float:
        """Real units of one quantized step, as it was given."""
        self._check_scheme("q_scale", False)
        return self.scale

    def q_zero_point(self) -> int:
        """Return the integer that stands for real zero."""
        self._check_scheme("q_zero_point", False)
        return self.zero_point

    def q_per_channel_scales(self) -> Tensor:
        """Real units of one quantized step, for each channel (float64)."""
        self._check_scheme("q_per_channel_scales", True)
        return Tensor(self.scale.copy())

    def q_per_channel_zero_points(self) -> Tensor:
        """Return the integer that stands for real zero, for each channel (int64)."""
        self._check_scheme("q_per_channel_zero_points", True)
        return Tensor(self.zero_point.copy())

    def q_per_channel_axis(self) -> int:
        """Return the dimension of the channels."""
        self._check_scheme("q_per_channel_axis", True)
        return self.axis

    def int_repr(self) -> Tensor:
        """Copy the integers into a plain tensor, in the same memory format."""
        return Tensor(self.array.copy(order="K"))

    def detach(self) -> QuantizedTensor:
        """Share the integers."""
        return self.like(self.array)

    def requires_grad_(self, requires_grad: bool = True):
        """Refuse: integers have no gradient."""
        if arguments.flag("requires_grad_", "requires_grad", requires_grad):
            raise GradientError(
                "requires_grad_",
                argument="self",
                expected="a floating-point tensor",
                got=self.dtype,
                mend="use fake quantization, which can be differentiated",
            )
        return self

    def _refuse(self, asked: str):
        raise DtypeError(
            asked,
            argument="self",
            expected="a plain tensor",
            got=f"a {self.dtype} tensor",
            mend="take its integers with int_repr() or its real values with dequantize()",
        )

    def numpy(self) -> np.ndarray:
        """Refuse: it is not clear whether integers or real values are meant."""
        return self._refuse("numpy")

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self._refuse("conversion to a NumPy array")

    def __dlpack__(self, **options):
        return self._refuse("__dlpack__")

    def item(self) -> float:
        """Get the real value of the only element."""
        return self.dequantize().item()

    def tolist(self) -> Any:
        """Convert the real values to nested lists."""
        return self.dequantize().tolist()

    def __deepcopy__(self, memo):
        return QuantizedTensor(
            self.array.copy(order="K"),
            self._dtype,
            copy.copy(self.scale),
            copy.copy(self.zero_point),
            self.axis,
        )

    def __repr__(self) -> str:
        return printing.quantized(self)

    def _repr_html_(self) -> str:
        return notebook.quantized_tensor(self)
