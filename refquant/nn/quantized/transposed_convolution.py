"""Transposed convolutional layers whose input, weight and output are quantized."""

from typing import Any, Self

from refquant import nn
from refquant._documentation import document
from refquant.nn.quantized.convolution import Convolution
from refquant.ops.quantized.packed_convolution import PackedConvolution
from refquant.ops.quantized.transposed_convolution import (
    conv_transpose1d_prepack,
    conv_transpose2d_prepack,
    conv_transpose3d_prepack,
)

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_PREPACK = {1: conv_transpose1d_prepack, 2: conv_transpose2d_prepack, 3: conv_transpose3d_prepack}


class _Transposed(Convolution):
    """Base class of transposed convolutions, whose arguments come in another order."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        self._build(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, output_padding, transposed=True,
        )  # fmt: skip

    def _pack(self, weight: Any, bias: Any) -> PackedConvolution:
        return _PREPACK[self._dims](
            weight, bias, self.stride, self.padding, self.output_padding, self.dilation,
            self.groups,
        )  # fmt: skip

    @classmethod
    def _like(cls, mod: Any, bias: bool) -> Self:
        return cls(
            mod.in_channels, mod.out_channels, mod.kernel_size, mod.stride, mod.padding,
            mod.output_padding, mod.groups, bias, mod.dilation, mod.padding_mode,
        )  # fmt: skip


class ConvTranspose1d(_Transposed):
    """A transposed convolution of quantized sequences; see `ConvTranspose2d`.

    %(transposed_parameters)s

    %(example)s
    >>> m = refquant.nn.quantized.ConvTranspose1d(4, 3, 3, stride=2)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 4, 7), 1.0, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 3, 15])
    """

    _dims = 1
    _FLOAT_MODULE: type = nn.ConvTranspose1d


class ConvTranspose2d(_Transposed):
    """A transposed convolution of quantized images.

    %(transposed_parameters)s

    Attributes
    ----------
    scale, zero_point : float, int
        Quantizer of the output, 1.0 and 0 at first.

    Notes
    -----
    Weights have the shape (in_channels, out_channels / groups, height, width) and one scale: FBGEMM
    has no others. So a model for it needs a QConfig with an observer of weights per tensor. Source:
    the documentation of ``torch.ao.nn.quantized.ConvTranspose2d``, PyTorch 2.13.

    %(example)s
    >>> m = refquant.nn.quantized.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 4, 5, 6), 1.0, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 3, 12, 14])
    """

    _dims = 2
    _FLOAT_MODULE: type = nn.ConvTranspose2d


class ConvTranspose3d(_Transposed):
    """A transposed convolution of quantized volumes; see `ConvTranspose2d`.

    %(transposed_parameters)s

    %(example)s
    >>> m = refquant.nn.quantized.ConvTranspose3d(2, 3, 2)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 2, 2, 2, 2), 1.0, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 3, 3, 3, 3])
    """

    _dims = 3
    _FLOAT_MODULE: type = nn.ConvTranspose3d


document(__name__)
