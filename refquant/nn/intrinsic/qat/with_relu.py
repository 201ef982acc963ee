"""Convolutions and linear layer with ReLU, for quantization-aware training."""

from refquant._documentation import documented
from refquant.nn import qat
from refquant.nn.intrinsic import fused

__all__ = ["ConvReLU1d", "ConvReLU2d", "ConvReLU3d", "LinearReLU"]


@documented()
class ConvReLU1d(qat.Conv1d):
    """A `Conv1d` and `ReLU` whose weight and output are rounded; see `ConvReLU2d`.

    %(qat_convolution)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.intrinsic.qat.ConvReLU1d(3, 8, 3, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(2, 3, 10)).size()
    refquant.Size([2, 8, 8])
    """

    _FLOAT_MODULE = fused.ConvReLU1d
    _relu = True


@documented()
class ConvReLU2d(qat.Conv2d):
    r"""A `Conv2d` and `ReLU` whose weight and output are rounded as quantization will.

    .. math:: y = Q_a(\max(x * Q_w(W) + b, 0))

    %(qat_convolution)s

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
    _relu = True


@documented()
class ConvReLU3d(qat.Conv3d):
    """A `Conv3d` and `ReLU` whose weight and output are rounded; see `ConvReLU2d`.

    %(qat_convolution)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.intrinsic.qat.ConvReLU3d(1, 2, 3, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(1, 1, 4, 4, 4)).size()
    refquant.Size([1, 2, 2, 2, 2])
    """

    _FLOAT_MODULE = fused.ConvReLU3d
    _relu = True


@documented()
class LinearReLU(qat.Linear):
    r"""A `Linear` and `ReLU` whose weight and output are rounded as quantization will.

    .. math:: y = Q_a(\max(x \, Q_w(W)^T + b, 0))

    %(qat_linear)s

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
    _relu = True
