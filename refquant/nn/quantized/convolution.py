"""Convolutional layers whose input, weight and output are quantized."""

import functools
from typing import Any, ClassVar, Self

import numpy as np

from refquant import arguments, dtypes, nn
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.nn.convolution import bordered, channels, check_padding_mode
from refquant.nn.module import Module
from refquant.nn.quantized._output import OutputQuantizer
from refquant.nn.quantized.weights import quantize_weight, read_layer, reference_layer
from refquant.nn.state import quantized_value
from refquant.ops.quantized.convolution import check_image_rank, run_convolution
from refquant.ops.quantized.convolution_prepack import (
    conv1d_prepack,
    conv2d_prepack,
    conv3d_prepack,
    unpacked,
)
from refquant.ops.quantized.packed_convolution import PackedConvolution, geometry
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d"]


_PREPACK = {1: conv1d_prepack, 2: conv2d_prepack, 3: conv3d_prepack}


class Convolution(OutputQuantizer):
    """Base class of convolutions with any number of spatial dimensions."""

    _dims: int
    _FLOAT_MODULE: type
    _padding_modes: tuple[str, ...] = ()
    _like: ClassVar[Any]  # makes a layer with the settings of a float one
    _relu = False
    _output_dtype = dtypes.quint8

    def _build(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
        padding_mode, output_padding: Any = 0, transposed: bool = False,
    ) -> None:  # fmt: skip
        """Check the settings, and pack a weight of zeros."""
        check_padding_mode(padding_mode, *self._padding_modes)
        in_channels, out_channels, groups = channels(in_channels, out_channels, groups, 1)
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count % groups:
                raise ArgumentError(
                    argument=name, expected=f"divisible by groups={groups}", got=count
                )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        dims = self._dims
        self.kernel_size = geometry("kernel_size", kernel_size, dims, 1)
        self.stride = geometry("stride", stride, dims, 1)
        self.padding = geometry("padding", padding, dims, 0)
        self.dilation = geometry("dilation", dilation, dims, 1)
        self.padding_mode, self.transposed = padding_mode, transposed
        self.output_padding = geometry("output_padding", output_padding, dims, 0)
        self.scale, self.zero_point = 1.0, 0
        has_bias = arguments.switch("bias", bias)
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        arguments.shape("the shape of the weight", shape)
        weight = QuantizedTensor(np.zeros(shape, np.int8), dtypes.qint8, 1.0, 0)
        zeros = Tensor(np.zeros(out_channels, np.float32)) if has_bias else None
        self._packed_params: PackedConvolution = self._pack(weight, zeros)

    def _pack(self, weight: Any, bias: Any) -> PackedConvolution:
        padding = self.padding if self.padding_mode == "zeros" else 0
        return _PREPACK[self._dims](weight, bias, self.stride, padding, self.dilation, self.groups)

    def _bordered(self, input: Any) -> Any:
        """Check the dimensions of an input, and put a border around it if that is not of zeros."""
        check_image_rank(input, self._dims)
        return bordered(input, self.padding, self.padding_mode)

    def _weight_bias(self) -> tuple[QuantizedTensor, Tensor | None]:
        """Copy weight and bias."""
        return unpacked(self._dims, self._packed_params)

    def forward(self, input: Any) -> QuantizedTensor:
        """Compute the quint8 output, (channels last in memory), for a quint8 `input`."""
        return run_convolution(
            self._dims, self._bordered(input), self._packed_params, self.scale, self.zero_point,
            self._relu, self.transposed,
        )  # fmt: skip

    def weight(self) -> QuantizedTensor:
        """Copy the weight, shape (out_channels, in_channels // groups, ...)."""
        return self._weight_bias()[0]

    def bias(self) -> Tensor | None:
        """Copy the bias, float32 of shape (out_channels,); None if there is none."""
        return self._packed_params.bias()

    def set_weight_bias(self, w: Any, b: Any) -> None:
        """Replace weight and bias, packed for the engine that is chosen now.

        Parameters
        ----------
        w : QuantizedTensor, shape (out_channels, in_channels // groups, ...)
            qint8, per tensor or along axis 0.
        b : Tensor, shape (out_channels,), or None
            float32, in real units.

        Examples
        --------
        >>> import refquant
        >>> conv = refquant.nn.quantized.Conv1d(1, 1, 1)
        >>> weight = refquant.quantize_per_tensor(refquant.ones(1, 1, 1), 0.5, 0, refquant.qint8)
        >>> conv.set_weight_bias(weight, None)
        >>> conv.weight().int_repr()
        tensor([[[2]]], dtype=refquant.int8)
        """
        self._packed_params = self._pack(w, b)

    @classmethod
    def from_float(cls, mod: Module) -> Self:
        """Make a quantized layer from a float one that was prepared and has seen data.

        Parameters
        ----------
        mod : Module
            The float layer (or the fused pair) or its counterpart for quantization-aware
            training, whose batch normalization is folded.

        Raises
        ------
        ArgumentError
            If it is of another type, or has no QConfig, or one whose weights are not qint8.
        """
        layer = read_layer(mod, cls._FLOAT_MODULE)
        converted = cls._like(layer.module, layer.bias is not None)
        converted.set_weight_bias(quantize_weight(layer.weight, layer.observer), layer.bias)
        converted.scale, converted.zero_point = layer.scale, layer.zero_point
        return converted

    @classmethod
    def from_reference(cls, ref_qconv: Module, output_scale: float, output_zero_point: int) -> Self:
        """Make a quantized layer from a reference module.

        Parameters
        ----------
        ref_qconv : Module
            That of the same name in `refquant.nn.quantized.reference`, or a fused pair that begins
            with one.
        output_scale : float
            Real units of one quantized step of the output.
        output_zero_point : int
            The integer that stands for real zero there.
        """
        layer = reference_layer("ref_qconv", ref_qconv, "kernel_size", "get_quantized_weight")
        bias = None if layer.bias is None else Tensor(layer.bias.array)
        made = cls._like(layer, bias is not None)
        made.set_weight_bias(layer.get_quantized_weight(), bias)
        made._set_output(output_scale, output_zero_point)
        return made

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        destination[prefix + "weight"] = self.weight()
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "bias"] = self.bias()

    def _load_from_state_dict(self, report, prefix: str) -> None:
        weight = quantized_value(report, prefix + "weight", self.weight().shape)
        bias = report.take(prefix + "bias")
        super()._load_from_state_dict(report, prefix)
        if weight is None:
            return
        packed = report.attempt(prefix + "weight", self._pack, weight, bias)
        if packed is not None:
            report.change(functools.partial(setattr, self, "_packed_params", packed))

    def _get_name(self) -> str:
        return f"QuantizedConv{'Transpose' * self.transposed}{self._dims}d"

    def extra_repr(self) -> str:
        """Describe the geometry and the quantizer of the output; what is usual is left out."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, scale={self.scale}, zero_point={self.zero_point}"
        )
        if any(self.padding):
            text += f", padding={self.padding}"
        if any(d != 1 for d in self.dilation):
            text += f", dilation={self.dilation}"
        if any(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self._packed_params.kept_bias is None:
            text += ", bias=False"
        return text


class _Plain(Convolution):
    """Base class of convolutions that are not transposed."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        self._build(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode,
        )  # fmt: skip

    @classmethod
    def _like(cls, mod: Any, bias: bool) -> Self:
        return cls(
            mod.in_channels, mod.out_channels, mod.kernel_size, mod.stride, mod.padding,
            mod.dilation, mod.groups, bias, mod.padding_mode,
        )  # fmt: skip


class Conv1d(_Plain):
    """A convolution of quantized sequences, shape (batch, channels, length); see `Conv2d`.

    It is that of images of height 1, whose integers are the same.

    %(settings)s

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.Conv1d(4, 3, 3, stride=2)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 4, 7), 1.0, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 3, 3])
    """

    _dims = 1
    _FLOAT_MODULE: type = nn.Conv1d
    _padding_modes = ("reflect",)


class Conv2d(_Plain):
    """A convolution of quantized images.

    %(settings)s

    Notes
    -----
    A fresh layer has a weight of zeros with scale 1.0 and a bias of zeros. Input (quint8) and
    output have the shape (batch, channels, height, width); the output is channels_last. Source:
    the documentation of ``torch.nn.quantized.Conv2d``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2))
    >>> x = refquant.quantize_per_tensor(refquant.randn(2, 16, 5, 10), 1.0, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([2, 33, 6, 10])
    """

    _dims = 2
    _FLOAT_MODULE: type = nn.Conv2d
    _padding_modes = ("reflect",)


class Conv3d(_Plain):
    """A convolution of quantized volumes, shape (batch, channels, depth, height, width).

    %(settings)s
    EngineError
        If the engine has no such convolution.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.Conv3d(4, 3, 3, stride=2)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 4, 7, 7, 7), 1.0, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 3, 3, 3, 3])
    """

    _dims = 3
    _FLOAT_MODULE: type = nn.Conv3d


document(
    __name__,
    settings="""
Parameters
----------
in_channels, out_channels : int
    Channels before and after.
kernel_size : int or tuple of int
    Size of a filter.
stride, padding, dilation : int or tuple of int
    Pixels from window to window, border of zero points, pixels from tap to tap.
groups : int
    Channels are cut into as many groups that do not see each other.
bias : bool
    Whether there is a bias.
padding_mode : str
    ``'zeros'``, or for one and two dimensions ``'reflect'``: the border mirrors the image.

Attributes
----------
scale, zero_point : float, int
    Quantizer of the output, 1.0 and 0 at first.

Raises
------
ArgumentError
    If `groups` does not divide both numbers of channels, or the geometry is not valid.
NotSupportedError
    If `padding_mode` is another.""",
)
