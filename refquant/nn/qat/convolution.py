"""`Conv2d` for quantization-aware training."""

from typing import Any, Self

from refquant import nn
from refquant.nn.qat.fake_quantized import FakeQuantized, checked_qconfig
from refquant.tensors import Tensor

__all__ = ["Conv2d", "settings"]


def settings(conv: Any) -> tuple[int, int, Any, Any, Any, Any, int]:
    """List the arguments that make a convolution like `conv`, up to the groups."""
    return (
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
    )


class Conv2d(FakeQuantized, nn.Conv2d):
    r"""A `Conv2d` whose weight and output are rounded as quantization will round them.

    .. math:: y = Q_a(x * Q_w(W) + b)

    The rounding :math:`Q` lets gradients pass, so that training adapts to it.

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
        super().__init__(
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
        return self._convolve(input, self.weight_fake_quant(self.weight), self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Compute the rounded output, float32 of shape (N, out_channels, H, W)."""
        return self.activation_post_process(self._rounded(input))

    @classmethod
    def from_float(cls, mod: Any, qconfig: Any = None) -> Self:
        """Make the module for training from a float one, whose parameters it shares.

        Parameters
        ----------
        mod : Module
            Exactly of the float type.
        qconfig : QConfig, optional
            By default the attribute `qconfig` of `mod`.
        """
        qconfig = checked_qconfig(cls, mod, qconfig)
        conv = mod if type(mod) is nn.Conv2d else mod[0]
        converted = cls(*settings(conv), conv.bias is not None, conv.padding_mode, qconfig)
        converted.weight, converted.bias = conv.weight, conv.bias
        return converted.train(mod.training)
