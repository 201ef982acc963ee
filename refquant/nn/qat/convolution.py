"""Convolutions for quantization-aware training."""

from typing import Any

from refquant import nn
from refquant._documentation import documented
from refquant.nn.qat.fake_quantized import FakeQuantized

__all__ = ["SETTINGS", "Conv1d", "Conv2d", "Conv3d"]

SETTINGS = (
    "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
    "padding_mode",
)  # fmt: skip


class _Convolution(FakeQuantized):
    """Base class for any number of spatial dimensions."""

    _SETTINGS = SETTINGS

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
        qconfig: Any = None,
    ) -> None:
        super().__init__(  # type: ignore[call-arg]  # the next class is the convolution
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
        )
        self.start_fake_quantization(qconfig)

    def _rounded(self, input):
        rounded = self.weight_fake_quant(self.weight)
        return self._convolve(input, rounded, self.bias)


@documented()
class Conv1d(_Convolution, nn.Conv1d):
    """A `Conv1d` whose weight and output are rounded as quantization will; see `Conv2d`.

    %(qat_convolution)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.qat.Conv1d(3, 8, 3, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(2, 3, 10)).size()
    refquant.Size([2, 8, 8])
    """

    _FLOAT_MODULE: type = nn.Conv1d


@documented()
class Conv2d(_Convolution, nn.Conv2d):
    r"""A `Conv2d` whose weight and output are rounded as quantization will round them.

    .. math:: y = Q_a(x * Q_w(W) + b)

    The rounding :math:`Q` lets gradients pass, so that training adapts to it.

    %(qat_convolution)s

    Notes
    -----
    Source: the documentation of ``torch.nn.qat.Conv2d``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.qat.Conv2d(3, 8, 3, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(2, 3, 10, 10)).size()
    refquant.Size([2, 8, 8, 8])
    """

    _FLOAT_MODULE: type = nn.Conv2d


@documented()
class Conv3d(_Convolution, nn.Conv3d):
    """A `Conv3d` whose weight and output are rounded as quantization will; see `Conv2d`.

    %(qat_convolution)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.qat.Conv3d(1, 2, 3, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(1, 1, 4, 4, 4)).size()
    refquant.Size([1, 2, 2, 2, 2])
    """

    _FLOAT_MODULE: type = nn.Conv3d
