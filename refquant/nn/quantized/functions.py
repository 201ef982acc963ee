"""Activations of quantized models that look like functions: sigmoid, softmax and others."""

from typing import Any, Self

from refquant import dtypes
from refquant._documentation import document
from refquant._operation import warn
from refquant.nn import activation as floating
from refquant.nn import dropout
from refquant.nn.module import Module
from refquant.nn.quantized._output import OutputQuantizer
from refquant.nn.quantized.functional_modules import observed
from refquant.nn.quantized.weights import qconfig_of
from refquant.ops import checks
from refquant.ops import quantized as ops
from refquant.ops.floating.random import randn
from refquant.ops.quantized.affine import quantize_per_tensor
from refquant.tensors import QuantizedTensor

__all__ = ["Dropout", "Hardswish", "PReLU", "Sigmoid", "Softmax"]


class Hardswish(OutputQuantizer, floating.Hardswish):
    r"""Compute :math:`x \min(\max(x + 3, 0), 6) / 6` of quantized tensors.

    Parameters
    ----------
    %(quantizer_of_result)s

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, -2.0]), 0.5, 8, refquant.quint8)
    >>> refquant.nn.quantized.Hardswish(0.25, 8)(x).dequantize()
    tensor([ 0.7500, -0.2500])
    """

    def __init__(self, scale: float, zero_point: int) -> None:
        super().__init__()
        self._set_output(scale, zero_point)

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor."""
        return ops.hardswish(input, self.scale, self.zero_point)

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, whose observer has seen the output."""
        return cls(*observed(mod))

    def _get_name(self) -> str:
        return "QuantizedHardswish"


class Sigmoid(floating.Sigmoid):
    """Logistic function of quantized tensors, with parameters of its own.

    Parameters
    ----------
    output_scale : float
        Real units of one quantized step of the result.
    output_zero_point : int
        The integer that stands for real zero in the result.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, -2.0]), 0.5, 8, refquant.quint8)
    >>> refquant.nn.quantized.Sigmoid(0.01, 0)(x).dequantize()
    tensor([0.7300, 0.1200])
    """

    _shown = ("output_scale", "output_zero_point")
    extra_repr = Module.extra_repr

    def __init__(self, output_scale: float, output_zero_point: int) -> None:
        super().__init__()
        self.output_scale, self.output_zero_point = output_scale, output_zero_point

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor."""
        return ops.sigmoid(input, self.output_scale, self.output_zero_point)

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, whose observer has seen the output."""
        return cls(*observed(mod))


class Softmax(floating.Softmax):
    """Softmax of quantized tensors.

    Parameters
    ----------
    dim : int, optional
        Along which the shares add up; as of `refquant.nn.functional.softmax`, it has to be given
        before the module is called.
    scale : float, default 1
        Real units of one quantized step of the result.
    zero_point : int, default 0
        The integer that stands for real zero in the result.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, 2.0]), 0.5, 8, refquant.quint8)
    >>> refquant.nn.quantized.Softmax(0, 0.01)(x).dequantize()
    tensor([0.2700, 0.7300])
    """

    _shown = ("dim", "scale", "zero_point")
    extra_repr = Module.extra_repr

    def __init__(self, dim: int | None = None, scale: float = 1.0, zero_point: int = 0) -> None:
        super().__init__(dim)
        self.scale, self.zero_point = scale, zero_point

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized."""
        dim: Any = self.dim
        return ops.softmax(input, dim, self.scale, self.zero_point)

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, whose observer has seen the output."""
        given: Any = mod
        return cls(given.dim, *observed(mod))

    def _get_name(self) -> str:
        return "QuantizedSoftmax"


class Dropout(dropout.Dropout):
    """Hand quantized tensors on as they are, in training too.

    Parameters
    ----------
    p : float, default 0.5
        Kept as an attribute.
    inplace : bool, default False
        Kept as an attribute.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, -2.0]), 0.5, 8, refquant.quint8)
    >>> refquant.nn.quantized.Dropout()(x) is x
    True
    """

    def forward(self, input: Any) -> Any:
        """Return `input`."""
        return input

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module."""
        given: Any = mod
        return cls(given.p, given.inplace)

    def _get_name(self) -> str:
        return "QuantizedDropout"


class PReLU(Module):
    """Multiply negative numbers of quantized tensors by slopes.

    Parameters
    ----------
    output_scale : float
        Real units of one quantized step of the result.
    output_zero_point : int
        The integer that stands for real zero in the result.
    num_parameters : int, default 1
        1, or the number of channels.

    Attributes
    ----------
    weight : QuantizedTensor, shape (num_parameters,)
        The slopes; random until `set_weight` or `from_float` sets them.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.PReLU(0.125, 8)
    >>> w = refquant.tensor([0.25])
    >>> m.set_weight(refquant.quantize_per_tensor(w, 0.25, 0, refquant.quint8))
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, -2.0]), 0.5, 8, refquant.quint8)
    >>> m(x).dequantize()
    tensor([ 1.0000, -0.5000])
    """

    _shown = ("num_parameters", "scale", "zero_point")

    def __init__(
        self, output_scale: float, output_zero_point: int, num_parameters: int = 1
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.scale, self.zero_point = output_scale, output_zero_point
        self.set_weight(quantize_per_tensor(randn(num_parameters), 1.0, 0, dtypes.quint8))

    def set_weight(self, w: QuantizedTensor) -> None:
        """Set the slopes.

        Parameters
        ----------
        w : QuantizedTensor
            Quantized per tensor, with the dtype of the input.
        """
        self.weight = checks.quantized_per_tensor("w", w)

    def forward(self, input: Any) -> QuantizedTensor:
        """Apply to `input`, quantized per tensor."""
        return ops.prelu(input, self.weight, self.scale, self.zero_point)

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module: its recipe for weights chooses the quantizer of the slopes."""
        given: Any = mod
        made = cls(*observed(mod), given.num_parameters)
        weight = given.weight.detach()
        observer = qconfig_of(mod).weight()
        observer(weight)
        if observer.dtype is not dtypes.quint8:
            warn(f"the recipe for slopes should have dtype quint8, but has {observer.dtype}")
        scale, zero_point = (v.item() for v in observer.calculate_qparams()[:2])
        made.set_weight(quantize_per_tensor(weight, scale, int(zero_point), dtypes.quint8))
        return made

    def _get_name(self) -> str:
        return "QuantizedPReLU"


document(__name__)
