"""Activations of quantized models."""

from typing import Any

from refquant.nn import activation
from refquant.nn.module import Module
from refquant.ops.quantized import elementwise
from refquant.tensors import QuantizedTensor

__all__ = ["ReLU", "ReLU6"]


class ReLU(activation.ReLU):
    r"""Replace what stands for negative numbers by zero, :math:`\max(q, z)`.

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
        """Make one in place of its float counterpart, with the same `inplace`."""
        return cls(mod.inplace)

    def _get_name(self) -> str:
        return "QuantizedReLU"


class ReLU6(activation.ReLU6):
    r"""Keep real numbers from 0 to 6, :math:`\min(\max(q, z), quantize(6))`.

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
        """Make one in place of its float counterpart, with the same `inplace`."""
        return cls(mod.inplace)

    def _get_name(self) -> str:
        return "QuantizedReLU6"
