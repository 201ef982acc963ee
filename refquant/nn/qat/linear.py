"""`Linear` for quantization-aware training."""

from typing import Any

from refquant import nn
from refquant._documentation import documented
from refquant.nn import functional
from refquant.nn.qat.fake_quantized import FakeQuantized

__all__ = ["Linear"]


@documented()
class Linear(FakeQuantized, nn.Linear):
    r"""A `Linear` whose weight and output are rounded as quantization will round them.

    .. math:: y = Q_a(x \, Q_w(W)^T + b)

    The rounding :math:`Q` lets gradients pass, so that training adapts to it.

    %(qat_linear)s

    Notes
    -----
    Source: the documentation of ``torch.nn.qat.Linear``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.qat.Linear(20, 30, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(128, 20)).size()
    refquant.Size([128, 30])
    """

    _SETTINGS = ("in_features", "out_features")
    _FLOAT_MODULE: type = nn.Linear

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, qconfig: Any = None
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.start_fake_quantization(qconfig)

    def _rounded(self, input):
        return functional.linear(input, self.weight_fake_quant(self.weight), self.bias)
