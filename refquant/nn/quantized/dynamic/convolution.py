"""Convolutional layers with a quantized weight and float input and output."""

from typing import Any, Self

from refquant import arguments, engines, nn
from refquant._documentation import document
from refquant._operation import warn
from refquant.nn import quantized
from refquant.nn.module import Module
from refquant.nn.quantized.convolution import Convolution
from refquant.nn.quantized.weights import dynamic_weight_observer, quantize_weight
from refquant.ops.quantized import dynamic_convolution as ops
from refquant.tensors import Tensor

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]


class _Dynamic(Convolution):
    """What all of them share, before the class of the quantized layer."""

    _function: Any

    def _build(self, *settings: Any, **more: Any) -> None:
        warn(
            "the result is cut to the range of the input, as PyTorch does it, which takes away "
            "much of the accuracy; quantize convolutions statically, or leave them float"
        )
        super()._build(*settings, **more)

    def forward(self, input: Any, reduce_range: bool = True) -> Tensor:  # type: ignore[override]
        """Compute the float32 output for a float32 `input`.

        Parameters
        ----------
        input : Tensor
            float32.
        reduce_range : bool, default True
            Choose the quantizer of the input for seven of the eight bits, where the engine's
            dynamic layers do.
        """
        fewer = arguments.flag("reduce_range", reduce_range)
        fewer = fewer and bool(engines.current().recipe.get("dynamic_reduce_range"))
        return type(self)._function(self._bordered(input), self._packed_params, fewer)

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> Self:
        """Make a layer from a float one; no data is needed.

        Parameters
        ----------
        mod : Module
            Exactly the float layer. Its QConfig has the observer of the weight; without one that is
            the default.
        use_precomputed_fake_quant : bool, default False
            Has no effect here.

        Raises
        ------
        ArgumentError
            If it is of another type, or the observer is not one for qint8.
        """
        kind: Any = cls
        layer: Any = mod
        observer = dynamic_weight_observer(mod, kind._FLOAT_MODULE)()
        weight = Tensor(layer.weight.array)
        bias = None if layer.bias is None else Tensor(layer.bias.array)
        observer(weight)
        converted = kind._like(layer, bias is not None)
        converted.set_weight_bias(quantize_weight(weight, observer), bias)
        return converted

    def _get_name(self) -> str:
        return f"DynamicQuantized{type(self).__name__}"


class Conv1d(_Dynamic, quantized.Conv1d):
    """A convolution of sequences that quantizes its input by its range; see `Conv2d`.

    %(plain)s

    %(quiet)s
    ...     m = refquant.nn.quantized.dynamic.Conv1d(4, 3, 3, stride=2)
    >>> m(refquant.randn(1, 4, 7)).size()
    refquant.Size([1, 3, 3])
    """

    _FLOAT_MODULE: type = nn.Conv1d
    _function = staticmethod(ops.conv1d_dynamic)


class Conv2d(_Dynamic, quantized.Conv2d):
    """A convolution of images that quantizes its input by the range of each batch.

    %(plain)s

    Notes
    -----
    The result is quantized, too, by the quantizer of the input, and so cut to its range: a fault of
    PyTorch, which warns as this module does. Source: the documentation of
    ``torch.ao.nn.quantized.dynamic.Conv2d``, PyTorch 2.13.

    %(quiet)s
    ...     m = refquant.nn.quantized.dynamic.Conv2d(4, 3, 3, padding=1)
    >>> m(refquant.randn(1, 4, 5, 5)).size()
    refquant.Size([1, 3, 5, 5])
    """

    _FLOAT_MODULE: type = nn.Conv2d
    _function = staticmethod(ops.conv2d_dynamic)


class Conv3d(_Dynamic, quantized.Conv3d):
    """A convolution of volumes that quantizes its input by its range; see `Conv2d`.

    %(plain)s

    %(quiet)s
    ...     m = refquant.nn.quantized.dynamic.Conv3d(4, 3, 2)
    >>> m(refquant.randn(1, 4, 3, 3, 3)).size()
    refquant.Size([1, 3, 2, 2, 2])
    """

    _FLOAT_MODULE: type = nn.Conv3d
    _function = staticmethod(ops.conv3d_dynamic)


class ConvTranspose1d(_Dynamic, quantized.ConvTranspose1d):
    """A transposed convolution of sequences that quantizes its input; see `Conv2d`.

    %(transposed_parameters)s

    %(quiet)s
    ...     m = refquant.nn.quantized.dynamic.ConvTranspose1d(4, 3, 3)
    >>> m(refquant.randn(1, 4, 7)).size()
    refquant.Size([1, 3, 9])
    """

    _FLOAT_MODULE: type = nn.ConvTranspose1d
    _function = staticmethod(ops.conv_transpose1d_dynamic)


class ConvTranspose2d(_Dynamic, quantized.ConvTranspose2d):
    """A transposed convolution of images that quantizes its input; see `Conv2d`.

    %(transposed_parameters)s

    %(quiet)s
    ...     m = refquant.nn.quantized.dynamic.ConvTranspose2d(4, 3, 2, stride=2)
    >>> m(refquant.randn(1, 4, 3, 3)).size()
    refquant.Size([1, 3, 6, 6])
    """

    _FLOAT_MODULE: type = nn.ConvTranspose2d
    _function = staticmethod(ops.conv_transpose2d_dynamic)


class ConvTranspose3d(_Dynamic, quantized.ConvTranspose3d):
    """A transposed convolution of volumes that quantizes its input; see `Conv2d`.

    %(transposed_parameters)s

    %(quiet)s
    ...     m = refquant.nn.quantized.dynamic.ConvTranspose3d(4, 3, 2)
    >>> m(refquant.randn(1, 4, 3, 3, 3)).size()
    refquant.Size([1, 3, 4, 4, 4])
    """

    _FLOAT_MODULE: type = nn.ConvTranspose3d
    _function = staticmethod(ops.conv_transpose3d_dynamic)


document(
    __name__,
    plain="""
Parameters
----------
in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
    As of the quantized convolution, whose other attributes and methods it has, too.

Warns
-----
UserWarning
    Always: of the accuracy.""",
    quiet="""
Examples
--------
>>> import warnings
>>> import refquant
>>> with warnings.catch_warnings(action="ignore"):""",
)
