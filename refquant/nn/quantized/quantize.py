"""The borders of the quantized part of a model: into integers, and back."""

from typing import Any

import numpy as np

from refquant import dtypes
from refquant.errors import ArgumentTypeError
from refquant.nn.module import Module
from refquant.nn.quantized.functional_modules import observed
from refquant.nn.state import load_quantizer
from refquant.ops import checks
from refquant.ops.quantized.affine import dequantize, quantize_per_tensor
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["DeQuantize", "Quantize"]


class Quantize(Module):
    """Quantize what comes in with one scale and zero point.

    Parameters
    ----------
    scale : float or Tensor of one element
        Real units of one quantized step; kept in float32.
    zero_point : int or Tensor of one element
        The integer that stands for real zero; kept in int64.
    dtype : dtype
        quint8, qint8 or qint32.

    Attributes
    ----------
    scale, zero_point : Tensor, shape (1,)
        Buffers, float32 and int64.
    dtype : dtype
        What is quantized to.

    Raises
    ------
    QuantizationParameterError
        If scale or zero point is not valid.
    DtypeError
        If `dtype` is not quantized.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.Quantize(0.5, 2, refquant.qint8)
    >>> m
    Quantize(scale=tensor([0.5000]), zero_point=tensor([2]), dtype=refquant.qint8)
    >>> m(refquant.tensor([1.0, -1.0])).int_repr()
    tensor([4, 0], dtype=refquant.int8)
    """

    _shown = ("scale", "zero_point", "dtype")

    def __init__(self, scale: Any, zero_point: Any, dtype: dtypes.dtype) -> None:
        super().__init__()
        self.dtype = checks.quantized_dtype("dtype", dtype)
        s = checks.scale_value("scale", scale)
        z = checks.zero_point_value("zero_point", zero_point, dtype)
        self.register_buffer("scale", Tensor(np.array([s], np.float32)))
        self.register_buffer("zero_point", Tensor(np.array([z], np.int64)))

    def forward(self, X: Any) -> QuantizedTensor:
        """Quantize `X`, float32."""
        buffers = self._buffers
        return quantize_per_tensor(
            X, buffers["scale"].array.item(), buffers["zero_point"].array.item(), self.dtype
        )

    def _load_from_state_dict(self, report, prefix: str) -> None:
        def fill(name: str, number: float) -> None:
            self._buffers[name].array[...] = number

        load_quantizer(report, prefix, self.dtype, fill)

    @classmethod
    def from_float(cls, mod: Module) -> "Quantize":
        """Convert an observed module, with the scale and zero point that its observer chose.

        Parameters
        ----------
        mod : Module
            Such as QuantStub; its ``activation_post_process`` is an observer that has seen data.

        Returns
        -------
        Quantize

        Raises
        ------
        ArgumentTypeError
            If `mod` has no observer.
        """
        scale, zero_point = observed(mod)
        dtype = getattr(mod.activation_post_process, "dtype", None)
        if dtype is None:
            raise ArgumentTypeError(
                argument="mod.activation_post_process",
                expected="an observer with a dtype",
                got=type(mod.activation_post_process).__name__,
            )
        return cls(scale, zero_point, dtype)


class DeQuantize(Module):
    """Turn integers into the real numbers that they stand for.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0]), 0.5, 2, refquant.quint8)
    >>> refquant.nn.quantized.DeQuantize()(x)
    tensor([1.])
    """

    def forward(self, Xq: Any) -> Tensor:
        """Dequantize `Xq`."""
        return dequantize(Xq)

    @classmethod
    def from_float(cls, mod: Module) -> "DeQuantize":
        """Convert a DeQuantStub, which has no parameters."""
        return cls()
