"""Normalizations of quantized models: the parameters of the result belong to the module."""

from typing import Any, ClassVar, Self

from refquant._documentation import document
from refquant.nn import intrinsic
from refquant.nn import normalization as floating
from refquant.nn.group_normalization import GroupNorm as FloatGroupNorm
from refquant.nn.group_normalization import InstanceNorm1d as FloatInstanceNorm1d
from refquant.nn.group_normalization import InstanceNorm2d as FloatInstanceNorm2d
from refquant.nn.group_normalization import InstanceNorm3d as FloatInstanceNorm3d
from refquant.nn.module import Module
from refquant.nn.quantized._output import OutputQuantizer
from refquant.nn.quantized.functional_modules import observed
from refquant.ops import quantized as ops
from refquant.tensors import QuantizedTensor

__all__ = [
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
]


class _Normalization(OutputQuantizer):
    """Base class: takes parameters over."""

    def _take(self, weight: Any, bias: Any) -> None:
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        self.weight, self.bias = weight, bias

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"


class _BatchNorm(_Normalization):
    """Base class of batch normalization."""

    _operation: ClassVar[Any]
    _pair: ClassVar[type]
    num_features: int
    eps: float

    def __init__(self, num_features: int, eps: float = 1e-05, momentum: float = 0.1) -> None:
        super().__init__(num_features, eps, momentum)  # type: ignore[call-arg]
        self._set_output(1.0, 0)

    def forward(self, input: Any) -> QuantizedTensor:
        """Normalize `input`, quantized per tensor, by the running statistics."""
        return type(self)._operation(
            input, self.weight, self.bias, self.running_mean, self.running_var, self.eps,
            self.scale, self.zero_point,
        )  # fmt: skip

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, or its pair with ReLU, whose observer has seen the output."""
        output = observed(mod)
        given: Any = mod[0] if isinstance(mod, cls._pair) else mod  # type: ignore[index]
        made = cls(given.num_features, given.eps)
        made._take(given.weight, given.bias)
        made.running_mean, made.running_var = given.running_mean, given.running_var
        made._set_output(*output)
        return made


class BatchNorm2d(_BatchNorm, floating.BatchNorm2d):
    """Normalize the channels of quantized images by running statistics.

    %(quantized_batch_norm)s

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.BatchNorm2d(2)
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 2, 1, 1), 0.5, 0, refquant.quint8)
    >>> m(x).dequantize().flatten()
    tensor([1., 1.])
    """

    _operation = staticmethod(ops.batch_norm2d)
    _pair = intrinsic.BNReLU2d


class BatchNorm3d(_BatchNorm, floating.BatchNorm3d):
    """Normalize the channels of quantized volumes by running statistics.

    %(quantized_batch_norm)s

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.BatchNorm3d(2)
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 2, 1, 1, 1), 0.5, 0, refquant.quint8)
    >>> m(x).dequantize().flatten()
    tensor([1., 1.])
    """

    _operation = staticmethod(ops.batch_norm3d)
    _pair = intrinsic.BNReLU3d


class LayerNorm(_Normalization, floating.LayerNorm):
    """Normalize quantized tensors over the last dimensions.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Sizes of the last dimensions.
    weight, bias : Tensor or None
        Factors and shifts, of that shape.
    %(quantizer_of_result)s
    eps : float, default 1e-05
        Added to the variance.
    elementwise_affine : bool, default True
        Kept as an attribute.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.LayerNorm(2, None, None, 0.5, 8)
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, 3.0]]), 0.5, 0, refquant.quint8)
    >>> m(x).dequantize()
    tensor([[-1.,  1.]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        weight: Any,
        bias: Any,
        scale: float,
        zero_point: int,
        eps: float = 1e-05,
        elementwise_affine: bool = True,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine)
        self._take(weight, bias)
        self._set_output(scale, zero_point)

    def forward(self, input: Any) -> QuantizedTensor:
        """Normalize `input`, quantized per tensor."""
        return ops.layer_norm(
            input, self.normalized_shape, self.weight, self.bias, self.eps, self.scale,
            self.zero_point,
        )  # fmt: skip

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, whose observer has seen the output."""
        given: Any = mod
        return cls(
            given.normalized_shape, given.weight, given.bias, *observed(mod), given.eps,
            given.elementwise_affine,
        )  # fmt: skip


class GroupNorm(_Normalization, FloatGroupNorm):
    """Normalize groups of channels of quantized tensors.

    Parameters
    ----------
    num_groups, num_channels : int
        Groups and channels.
    weight, bias : Tensor or None
        Factors and shifts of the channels.
    %(quantizer_of_result)s
    eps : float, default 1e-05
        Added to the variance.
    affine : bool, default True
        Kept as an attribute.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.GroupNorm(1, 2, None, None, 0.5, 8)
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[[1.0], [3.0]]]), 0.5, 0, refquant.quint8)
    >>> m(x).dequantize().flatten()
    tensor([-1.,  1.])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        weight: Any,
        bias: Any,
        scale: float,
        zero_point: int,
        eps: float = 1e-05,
        affine: bool = True,
    ) -> None:
        super().__init__(num_groups, num_channels, eps, affine)
        self._take(weight, bias)
        self._set_output(scale, zero_point)

    def forward(self, input: Any) -> QuantizedTensor:
        """Normalize `input`, quantized per tensor."""
        return ops.group_norm(
            input, self.num_groups, self.weight, self.bias, self.eps, self.scale, self.zero_point
        )

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, whose observer has seen the output."""
        given: Any = mod
        return cls(
            given.num_groups, given.num_channels, given.weight, given.bias, *observed(mod),
            given.eps, given.affine,
        )  # fmt: skip


class _InstanceNorm(_Normalization):
    """Base class of instance normalization."""

    eps: float

    def __init__(
        self,
        num_features: int,
        weight: Any,
        bias: Any,
        scale: float,
        zero_point: int,
        eps: float = 1e-05,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        settings: Any = num_features, eps, momentum, affine, track_running_stats
        super().__init__(*settings)
        self._take(weight, bias)
        self._set_output(scale, zero_point)

    def forward(self, input: Any) -> QuantizedTensor:
        """Normalize `input`, quantized per tensor."""
        return ops.instance_norm(
            input, self.weight, self.bias, self.eps, self.scale, self.zero_point
        )

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Convert the float module, whose observer has seen the output."""
        given: Any = mod
        return cls(
            given.num_features, given.weight, given.bias, *observed(mod), given.eps, given.affine
        )


class InstanceNorm1d(_InstanceNorm, FloatInstanceNorm1d):
    """Normalize each channel of each quantized sequence.

    %(quantized_instance_norm)s

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.InstanceNorm1d(1, None, None, 0.5, 8)
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[[1.0, 3.0]]]), 0.5, 0, refquant.quint8)
    >>> m(x).dequantize().flatten()
    tensor([-1.,  1.])
    """


class InstanceNorm2d(_InstanceNorm, FloatInstanceNorm2d):
    """Normalize each channel of each quantized image.

    %(quantized_instance_norm)s

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.InstanceNorm2d(1, None, None, 0.5, 8)
    >>> x = refquant.tensor([1.0, 3.0]).reshape(1, 1, 1, 2)
    >>> m(refquant.quantize_per_tensor(x, 0.5, 0, refquant.quint8)).dequantize().flatten()
    tensor([-1.,  1.])
    """


class InstanceNorm3d(_InstanceNorm, FloatInstanceNorm3d):
    """Normalize each channel of each quantized volume.

    %(quantized_instance_norm)s

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.InstanceNorm3d(1, None, None, 0.5, 8)
    >>> x = refquant.tensor([1.0, 3.0]).reshape(1, 1, 1, 1, 2)
    >>> m(refquant.quantize_per_tensor(x, 0.5, 0, refquant.quint8)).dequantize().flatten()
    tensor([-1.,  1.])
    """


document(
    __name__,
    quantized_batch_norm="""
Parameters
----------
num_features : int
    Channels.
eps : float, default 1e-05
    Added to the variances.
momentum : float, default 0.1
    Kept as an attribute.

Attributes
----------
scale, zero_point : float, int
    Of the result; 1 and 0 at first.""",
    quantized_instance_norm="""
Parameters
----------
num_features : int
    Channels.
weight, bias : Tensor or None
    Factors and shifts of the channels.
%(quantizer_of_result)s
eps : float, default 1e-05
    Added to the variances.
momentum, affine, track_running_stats : float, bool, bool
    Kept as attributes; running statistics are not used.""",
)
