"""Observers that learn nothing from data: fixed parameters, placeholders, an input's own."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, NotSupportedError
from refquant.ops import checks
from refquant.quantization.observers import ranges
from refquant.quantization.observers.base import ObserverBase
from refquant.tensors import Tensor

__all__ = ["FixedQParamsObserver", "PlaceholderObserver", "ReuseInputObserver"]


class FixedQParamsObserver(ObserverBase):
    """Give the scale and zero point that were chosen beforehand, for outputs of known range.

    Parameters
    ----------
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that stands for real zero.
    dtype : dtype, default quint8
        The dtype to quantize to.
    qscheme : qscheme, default per_tensor_affine
        Kept as an attribute.
    quant_min, quant_max : int, default 0 and 255
        The range of integers.
    is_dynamic : bool, default False
        Whether each call quantizes its input anew; not possible here.

    Attributes
    ----------
    scale : Tensor of float32, shape (1,)
    zero_point : Tensor of int32, shape (1,)

    Examples
    --------
    >>> from refquant.quantization import FixedQParamsObserver
    >>> FixedQParamsObserver(1 / 256, 0).calculate_qparams()
    (tensor([0.0039]), tensor([0], dtype=refquant.int32))
    """

    def __init__(
        self,
        scale: float,
        zero_point: Any,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_tensor_affine,
        quant_min: int | None = 0,
        quant_max: int | None = 255,
        is_dynamic: bool = False,
    ) -> None:
        if arguments.switch("is_dynamic", is_dynamic):
            raise NotSupportedError(
                argument="is_dynamic", expected="False: the parameters are fixed", got=True
            )
        super().__init__(dtype)
        ranges.checked_dtype(dtype)
        self.quant_min, self.quant_max = ranges.choose_range(dtype, quant_min, quant_max)
        self.qscheme = qscheme
        scale, point = (
            checks.scale_value("scale", scale),
            arguments.integer("zero_point", zero_point),
        )
        if not self.quant_min <= point <= self.quant_max:
            raise ArgumentError(
                argument="zero_point", expected=f"in {self.quant_min}..{self.quant_max}", got=point
            )
        self.register_buffer("scale", Tensor(np.array([scale], np.float32)))
        self.register_buffer("zero_point", Tensor(np.array([point], np.int32)))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`."""
        return x

    def calculate_qparams(self, **keywords: Any) -> tuple[Any, ...]:
        """Return the scale and the zero point."""
        return self.scale, self.zero_point

    def extra_repr(self) -> str:
        """Show the parameters."""
        parameters = f"scale={self.scale.item():g}, zero_point={self.zero_point.item()}"
        return f"{parameters}, {super().extra_repr()}"


class PlaceholderObserver(ObserverBase):
    """Name the dtype of a tensor and choose nothing: for float16 and dynamic quantization.

    Parameters
    ----------
    dtype : dtype, default float32
        What the tensor is to become.
    custom_op_name, compute_dtype, quant_min, quant_max, qscheme, eps
        Kept as attributes, otherwise unused.
    is_dynamic : bool, default False
        Whether each call quantizes its input anew.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import PlaceholderObserver
    >>> PlaceholderObserver(dtype=refquant.quint8, is_dynamic=True).is_dynamic
    True
    """

    def __init__(
        self,
        dtype: dtypes.dtype = dtypes.float32,
        custom_op_name: str = "",
        compute_dtype: dtypes.dtype | None = None,
        quant_min: int | None = None,
        quant_max: int | None = None,
        qscheme: dtypes.qscheme | None = None,
        eps: float | None = None,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, arguments.switch("is_dynamic", is_dynamic) or bool(compute_dtype))
        self.custom_op = custom_op_name
        self.qscheme = dtypes.per_tensor_affine if qscheme is None else qscheme
        self.quant_min, self.quant_max = quant_min, quant_max
        self.eps = eps
        if compute_dtype is not None:
            self.dtype = compute_dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`."""
        return x

    def extra_repr(self) -> str:
        """Show the dtype."""
        return f"dtype={self.dtype}, is_dynamic={self.is_dynamic}"


class ReuseInputObserver(ObserverBase):
    """Say that an output keeps the scale and zero point of its input, as in a reshape.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import ReuseInputObserver
    >>> ReuseInputObserver()(refquant.tensor([1.0]))
    tensor([1.])
    """

    def __init__(self) -> None:
        super().__init__(dtypes.quint8)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`."""
        return x
