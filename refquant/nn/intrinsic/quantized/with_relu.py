"""Quantized layers with ReLU: the smallest output is the zero point."""

from refquant.nn import intrinsic, quantized

__all__ = ["ConvReLU1d", "ConvReLU2d", "ConvReLU3d", "LinearReLU"]


class ConvReLU1d(quantized.Conv1d):
    r"""A convolution of quantized sequences with ReLU, :math:`\max(x * w + b, 0)`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As of `refquant.nn.quantized.Conv1d`, whose other attributes and methods it has too.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.intrinsic.quantized.ConvReLU1d(3, 8, 3)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 3, 5), 0.1, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 8, 3])
    """

    _FLOAT_MODULE = intrinsic.ConvReLU1d
    _relu = True

    def _get_name(self) -> str:
        return "QuantizedConvReLU1d"


class ConvReLU2d(quantized.Conv2d):
    r"""A convolution of quantized images with ReLU, :math:`\max(x * w + b, 0)`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As of `refquant.nn.quantized.Conv2d`, whose other attributes and methods it has too.

    Notes
    -----
    Source: the documentation of ``torch.nn.intrinsic.quantized.ConvReLU2d``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.intrinsic.quantized.ConvReLU2d(3, 8, 3)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 3, 5, 5), 0.1, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 8, 3, 3])
    """

    _FLOAT_MODULE = intrinsic.ConvReLU2d
    _relu = True

    def _get_name(self) -> str:
        return "QuantizedConvReLU2d"


class ConvReLU3d(quantized.Conv3d):
    r"""A convolution of quantized volumes with ReLU, :math:`\max(x * w + b, 0)`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As of `refquant.nn.quantized.Conv3d`, whose other attributes and methods it has too.

    Notes
    -----
    Source: the documentation of ``torch.nn.intrinsic.quantized.ConvReLU3d``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.quantized.ConvReLU3d(3, 8, 2)
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 3, 4, 4, 4), 0.1, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([1, 8, 3, 3, 3])
    """

    _FLOAT_MODULE = intrinsic.ConvReLU3d
    _relu = True

    def _get_name(self) -> str:
        return "QuantizedConvReLU3d"


class LinearReLU(quantized.Linear):
    r"""A linear layer on quantized tensors with ReLU, :math:`\max(x w^T + b, 0)`.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    bias : bool, default True
        Whether there is a bias.

    Notes
    -----
    Its other attributes and methods are those of `refquant.nn.quantized.Linear`. Source: the
    documentation of ``torch.nn.intrinsic.quantized.LinearReLU``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.intrinsic.quantized.LinearReLU(20, 30)
    >>> x = refquant.quantize_per_tensor(refquant.randn(128, 20), 0.1, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([128, 30])
    """

    _FLOAT_MODULE = intrinsic.LinearReLU
    _relu = True

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)

    def _get_name(self) -> str:
        return "QuantizedLinearReLU"
