"""Activations of quantized models."""

from typing import Any

import numpy as np

from refquant import dtypes
from refquant.nn import activation as floating
from refquant.nn.module import Module
from refquant.nn.quantized.functional_modules import observed
from refquant.nn.state import load_quantizer
from refquant.ops.quantized import activation, elementwise
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["ELU", "ReLU", "ReLU6"]


class ReLU(floating.ReLU):
    r"""Rectified linear unit, :math:`\max(q, z)` on the integers.

    Parameters
    ----------
    inplace : bool, default False
        Whether to change the input instead of making a new tensor.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 1.0, 3, refquant.qint32)
    >>> refquant.nn.quantized.ReLU()(x).int_repr()
    tensor([3, 5], dtype=refquant.int32)
    """

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor."""
        return elementwise.relu(input, self.inplace)

    @classmethod
    def from_float(cls, mod: Module):
        """Convert the float module, keeping its `inplace`."""
        return cls(mod.inplace)

    def _get_name(self) -> str:
        return "QuantizedReLU"


class ReLU6(floating.ReLU6):
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(q, z), quantize(6))`.

    Parameters
    ----------
    inplace : bool, default False
        Whether to change the input instead of making a new tensor.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 9.0]), 1.0, 3, refquant.quint8)
    >>> refquant.nn.quantized.ReLU6()(x).dequantize()
    tensor([0., 6.])
    """

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor."""
        return elementwise.relu6(input, self.inplace)

    @classmethod
    def from_float(cls, mod: Module):
        """Convert the float module, keeping its `inplace`."""
        return cls(mod.inplace)

    def _get_name(self) -> str:
        return "QuantizedReLU6"


class ELU(floating.ELU):
    r"""Exponential linear unit, x above 0 and :math:`\alpha(e^x - 1)` below.

    Parameters
    ----------
    scale : float
        Real units of one quantized step of the output.
    zero_point : int
        The integer that stands for real zero in the output.
    alpha : float, default 1
        What far negative inputs come near to, with the sign changed.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.5, 3, refquant.quint8)
    >>> refquant.nn.quantized.ELU(0.25, 8)(x).dequantize()
    tensor([-0.75,  2.  ])
    """

    def __init__(self, scale: float, zero_point: int, alpha: float = 1.0):
        super().__init__(alpha)
        self.scale, self.zero_point = scale, zero_point

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor; the result is row-major."""
        return activation.elu(input, self.scale, self.zero_point, self.alpha)

    @classmethod
    def from_float(cls, mod: Module):
        """Convert the float module, whose observer has seen the output."""
        return cls(*observed(mod), mod.alpha)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "scale"] = Tensor(np.asarray(self.scale, np.float32))
        destination[prefix + "zero_point"] = Tensor(np.asarray(self.zero_point, np.int64))

    def _load_from_state_dict(self, report, prefix: str) -> None:
        # The dtype is that of the input, which is not known here.
        load_quantizer(report, prefix, dtypes.qint32, self.__setattr__)
        super()._load_from_state_dict(report, prefix)

    def _get_name(self) -> str:
        return "QuantizedELU"

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f"alpha={self.alpha}, scale={self.scale}, zero_point={self.zero_point}"
