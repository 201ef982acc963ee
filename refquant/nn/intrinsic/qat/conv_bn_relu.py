"""Convolution with batch normalization and ReLU for quantization-aware training."""

from refquant.nn import functional
from refquant.nn.intrinsic import fused
from refquant.nn.intrinsic.qat.conv_bn import ConvBn2d, ConvBn3d
from refquant.tensors import Tensor

__all__ = ["ConvBnReLU2d", "ConvBnReLU3d"]


class ConvBnReLU2d(ConvBn2d):
    """A `Conv2d`, `BatchNorm2d` and `ReLU`, trained with the rounding that quantization will do.

    As `ConvBn2d`, with the ReLU before the output is rounded; parameters and attributes too.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    out_channels : int
        Channels of the output.
    kernel_size : int or tuple of int
        Size of the filters.
    stride : int or tuple of int, default 1
        Step of the window.
    padding : int or tuple of int, default 0
        Zeros around the input.
    dilation : int or tuple of int, default 1
        Distance of the elements of a window.
    groups : int, default 1
        Parts into which the channels are cut.
    padding_mode : str, default 'zeros'
        What stands around the input.
    eps : float, default 1e-05
        Added to the variance.
    momentum : float, default 0.1
        Weight of a batch in the running statistics.
    freeze_bn : bool, default False
        Whether to use the running statistics from the first step.
    qconfig : QConfig, optional
        How to round weight and output.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBnReLU2d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> m(refquant.randn(2, 1, 4, 4)).shape
    refquant.Size([2, 2, 2, 2])
    """

    _FLOAT_MODULE = fused.ConvBnReLU2d

    def forward(self, input: Tensor) -> Tensor:
        """Compute the rounded output, float32 of shape (N, out_channels, ...)."""
        return self.activation_post_process(functional.relu(self._normalized(input)))


class ConvBnReLU3d(ConvBn3d):
    """A `Conv3d`, `BatchNorm3d` and `ReLU`, trained with the rounding that quantization will do.

    As `ConvBn3d`, with the ReLU before the output is rounded; parameters and attributes too.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    out_channels : int
        Channels of the output.
    kernel_size : int or tuple of int
        Size of the filters.
    stride : int or tuple of int, default 1
        Step of the window.
    padding : int or tuple of int, default 0
        Zeros around the input.
    dilation : int or tuple of int, default 1
        Distance of the elements of a window.
    groups : int, default 1
        Parts into which the channels are cut.
    padding_mode : str, default 'zeros'
        What stands around the input.
    eps : float, default 1e-05
        Added to the variance.
    momentum : float, default 0.1
        Weight of a batch in the running statistics.
    freeze_bn : bool, default False
        Whether to use the running statistics from the first step.
    qconfig : QConfig, optional
        How to round weight and output.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBnReLU3d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> m(refquant.randn(2, 1, 4, 4, 4)).shape
    refquant.Size([2, 2, 2, 2, 2])
    """

    _FLOAT_MODULE = fused.ConvBnReLU3d

    def forward(self, input: Tensor) -> Tensor:
        """Compute the rounded output, float32 of shape (N, out_channels, ...)."""
        return self.activation_post_process(functional.relu(self._normalized(input)))
