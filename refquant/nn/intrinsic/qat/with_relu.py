"""Convolution and linear layer with ReLU, for quantization-aware training."""

from refquant.nn import functional, qat
from refquant.nn.intrinsic import fused
from refquant.tensors import Tensor

__all__ = ["ConvReLU2d", "LinearReLU"]


class ConvReLU2d(qat.Conv2d):
    r"""A `Conv2d` and `ReLU` whose weight and output are rounded as quantization will.

    .. math:: y = Q_a(\max(x * Q_w(W) + b, 0))

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As of `refquant.nn.Conv2d`.
    qconfig : QConfig
        What makes the fake quantization of output and weight.

    Raises
    ------
    ArgumentError
        If there is no `qconfig`.

    Notes
    -----
    Source: the documentation of ``torch.nn.intrinsic.qat.ConvReLU2d``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.intrinsic.qat.ConvReLU2d(3, 8, 3, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(2, 3, 10, 10)).size()
    refquant.Size([2, 8, 8, 8])
    """

    _FLOAT_MODULE = fused.ConvReLU2d

    def forward(self, input: Tensor) -> Tensor:
        """Compute the rounded output, float32 of shape (N, out_channels, H, W)."""
        return self.activation_post_process(functional.relu(self._rounded(input)))


class LinearReLU(qat.Linear):
    r"""A `Linear` and `ReLU` whose weight and output are rounded as quantization will.

    .. math:: y = Q_a(\max(x \, Q_w(W)^T + b, 0))

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    bias : bool, default True
        Whether there is a bias.
    qconfig : QConfig
        What makes the fake quantization of output and weight.

    Raises
    ------
    ArgumentError
        If there is no `qconfig`.

    Notes
    -----
    Source: the documentation of ``torch.nn.intrinsic.qat.LinearReLU``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.intrinsic.qat.LinearReLU(20, 30, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(128, 20)).size()
    refquant.Size([128, 30])
    """

    _FLOAT_MODULE = fused.LinearReLU

    def forward(self, input: Tensor) -> Tensor:
        """Compute the rounded output, float32 of shape (..., out_features)."""
        return self.activation_post_process(functional.relu(self._rounded(input)))
