"""`Linear` for quantization-aware training."""

from typing import Any, Self

from refquant import nn
from refquant.nn import functional
from refquant.nn.qat.fake_quantized import FakeQuantized, checked_qconfig
from refquant.tensors import Tensor

__all__ = ["Linear"]


class Linear(FakeQuantized, nn.Linear):
    r"""A `Linear` whose weight and output are rounded as quantization will round them.

    .. math:: y = Q_a(x \, Q_w(W)^T + b)

    The rounding :math:`Q` lets gradients pass, so that training adapts to it.

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
    Source: the documentation of ``torch.nn.qat.Linear``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.qat.Linear(20, 30, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(128, 20)).size()
    refquant.Size([128, 30])
    """

    _FLOAT_MODULE: type = nn.Linear

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, qconfig: Any = None
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.start_fake_quantization(qconfig)

    def _rounded(self, input):
        return functional.linear(input, self.weight_fake_quant(self.weight), self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Compute the rounded output, float32 of shape (..., out_features)."""
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
        linear = mod if type(mod) is nn.Linear else mod[0]
        converted = cls(linear.in_features, linear.out_features, linear.bias is not None, qconfig)
        converted.weight, converted.bias = linear.weight, linear.bias
        return converted.train(mod.training)
