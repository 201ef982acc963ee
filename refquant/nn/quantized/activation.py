"""Activations of quantized models."""

from typing import Any, Self

from refquant._documentation import document
from refquant.nn import activation as floating
from refquant.nn.module import Module
from refquant.nn.quantized._output import OutputQuantizer
from refquant.nn.quantized.functional_modules import observed
from refquant.ops.quantized import activation, elementwise
from refquant.tensors import QuantizedTensor

__all__ = ["ELU", "LeakyReLU", "ReLU", "ReLU6"]


class ReLU(floating.ReLU):
    r"""Rectified linear unit, :math:`\max(q, z)` on the integers.

    Parameters
    ----------
    %(inplace)s

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
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, keeping its `inplace`."""
        return cls(mod.inplace)

    def _get_name(self) -> str:
        return "QuantizedReLU"


class ReLU6(floating.ReLU6):
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(q, z), quantize(6))`.

    Parameters
    ----------
    %(inplace)s

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
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, keeping its `inplace`."""
        return cls(mod.inplace)

    def _get_name(self) -> str:
        return "QuantizedReLU6"


class ELU(OutputQuantizer, floating.ELU):
    r"""Exponential linear unit, x above 0 and :math:`\alpha(e^x - 1)` below.

    Parameters
    ----------
    %(quantizer_of_result)s
    alpha : float, default 1
        What far negative inputs come near to, with the sign changed.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.5, 3, refquant.quint8)
    >>> refquant.nn.quantized.ELU(0.25, 8)(x).dequantize()
    tensor([-0.7500,  2.0000])
    """

    _shown = ("alpha", "scale", "zero_point")

    def __init__(self, scale: float, zero_point: int, alpha: float = 1.0) -> None:
        super().__init__(alpha)
        self.scale, self.zero_point = scale, zero_point

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor; the result is row-major."""
        return activation.elu(input, self.scale, self.zero_point, self.alpha)

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, whose observer has seen the output."""
        return cls(*observed(mod), mod.alpha)

    def _get_name(self) -> str:
        return "QuantizedELU"


class LeakyReLU(OutputQuantizer, floating.LeakyReLU):
    """Leaky rectified linear unit: negative numbers are multiplied by a slope.

    Parameters
    ----------
    %(quantizer_of_result)s
    negative_slope : float, default 0.01
        The slope.
    inplace : bool, default False
        Without effect; see `refquant.ops.quantized.leaky_relu`.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.5, 3, refquant.quint8)
    >>> refquant.nn.quantized.LeakyReLU(0.25, 8, 0.5)(x).dequantize()
    tensor([-0.5000,  2.0000])
    """

    _shown = ("negative_slope", "scale", "zero_point")

    def __init__(
        self, scale: float, zero_point: int, negative_slope: float = 0.01, inplace: bool = False
    ):
        super().__init__(negative_slope, inplace)
        self.scale, self.zero_point = scale, zero_point

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor."""
        return activation.leaky_relu(
            input, self.negative_slope, self.inplace, self.scale, self.zero_point
        )

    @classmethod
    def from_float(cls, mod: Module):
        """Convert the float module, whose observer has seen the output."""
        floating_module: Any = mod
        return cls(*observed(mod), floating_module.negative_slope, floating_module.inplace)

    def _get_name(self) -> str:
        return "QuantizedLeakyReLU"


document(__name__)
