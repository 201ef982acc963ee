"""`Linear` for quantization-aware training of what is quantized dynamically."""

from typing import Any

from refquant._documentation import documented
from refquant.arguments import describe
from refquant.errors import ArgumentError
from refquant.nn.qat.linear import Linear as StaticLinear

__all__ = ["Linear"]


@documented()
class Linear(StaticLinear):
    """A `Linear` whose weight is rounded as dynamic quantization will round it.

    The observer of the activation has to forget every batch, as dynamic quantization chooses a
    quantizer for each: a recipe whose observer is no moving average with constant 1 is an error.

    %(qat_linear)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> qconfig = quantization.default_dynamic_qat_qconfig
    >>> module = nn.qat.dynamic.Linear(20, 30, qconfig=qconfig)
    >>> module(refquant.randn(128, 20)).size()
    refquant.Size([128, 30])
    """

    def start_fake_quantization(self, qconfig: Any) -> None:
        """Make the modules that round; the range of an activation has to be that of the batch."""
        super().start_fake_quantization(qconfig)
        activation = qconfig.activation()
        observer = getattr(activation, "activation_post_process", activation)
        if getattr(observer, "averaging_constant", None) != 1:
            raise ArgumentError(
                argument="qconfig.activation",
                expected="a moving average with averaging_constant=1, which keeps nothing",
                got=describe(observer),
                hint="use refquant.quantization.default_dynamic_qat_qconfig",
            )
