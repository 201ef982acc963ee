"""Convolutions and linear layers with batch normalization for quantization-aware training."""

from typing import Any

from refquant import nn
from refquant._documentation import documented
from refquant.nn import functional
from refquant.nn.intrinsic import fused
from refquant.nn.intrinsic.qat.normalized import Normalized
from refquant.nn.qat.convolution import SETTINGS
from refquant.nn.qat.fake_quantized import either_order

__all__ = [
    "ConvBn1d",
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnNd",
    "ConvBnReLU1d",
    "ConvBnReLU2d",
    "ConvBnReLU3d",
    "LinearBn1d",
]


class ConvBnNd(Normalized):
    """Base class of convolutions with batch normalization, for any number of dimensions."""

    _SETTINGS = SETTINGS
    _convolve: Any

    @either_order(8, bool | None, "bias", "padding_mode", "eps", "momentum", "freeze_bn", "qconfig")
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        freeze_bn: bool = False,
        qconfig: Any = None,
        bias: bool = False,
    ) -> None:
        super().__init__(  # type: ignore[call-arg]  # the next class is the convolution
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            False if bias is None else bias,
            padding_mode,
        )
        self._start_normalization(self.out_channels, eps, momentum, freeze_bn, qconfig)

    def _layer(self, input, weight):
        return self._convolve(input, weight, None)


@documented()
class ConvBn1d(ConvBnNd, nn.Conv1d):
    """A `Conv1d` and `BatchNorm1d`, trained with the rounding of quantization; see `ConvBn2d`.

    %(qat_normalized)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBn1d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> m(refquant.randn(2, 1, 4)).shape
    refquant.Size([2, 2, 2])
    """

    _FLOAT_MODULE: type = fused.ConvBn1d
    _NORM = nn.BatchNorm1d


@documented()
class ConvBn2d(ConvBnNd, nn.Conv2d):
    r"""A `Conv2d` and `BatchNorm2d`, trained with the rounding that quantization will do.

    With :math:`\sigma = \sqrt{\text{running\_var} + \epsilon}`, and :math:`N` the normalization,
    of the batch in training, with the running statistics in evaluation or when they are frozen:

    .. math:: y = Q_a(N((x * Q_w(W \gamma / \sigma)) \, \sigma / \gamma + b))

    Under the engines of PyTorch 1.4 there is no bias, and with the mean :math:`\mu_B` and
    deviation :math:`\sigma_B` of the batch in :math:`c \, \sigma / \gamma`

    .. math::
        c = x * Q_w(W \gamma / \sigma), \quad
        y = Q_a(c \, \sigma / \sigma_B + \beta - \gamma \mu_B / \sigma_B)

    %(qat_normalized)s

    Attributes
    ----------
    bn : BatchNorm2d
        The normalization. Under the engines of PyTorch 1.4 there are the parameters `gamma` and
        `beta` and the buffers `running_mean`, `running_var` and `num_batches_tracked` instead; a
        state with the names of either release is loaded.

    Notes
    -----
    Source: the documentation of ``torch.nn.intrinsic.qat.ConvBn2d``, PyTorch 1.4; R.
    Krishnamoorthi, *Quantizing deep convolutional networks for efficient inference*, 2018.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.intrinsic.qat.ConvBn2d(3, 8, 3, qconfig=quantization.default_qat_qconfig)
    >>> module(refquant.randn(2, 3, 10, 10)).size()
    refquant.Size([2, 8, 8, 8])
    """

    _FLOAT_MODULE: type = fused.ConvBn2d
    _NORM = nn.BatchNorm2d


@documented()
class ConvBn3d(ConvBnNd, nn.Conv3d):
    """A `Conv3d` and `BatchNorm3d`, trained with the rounding of quantization; see `ConvBn2d`.

    %(qat_normalized)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBn3d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> m(refquant.randn(2, 1, 4, 4, 4)).shape
    refquant.Size([2, 2, 2, 2, 2])
    """

    _FLOAT_MODULE: type = fused.ConvBn3d
    _NORM = nn.BatchNorm3d


@documented()
class ConvBnReLU1d(ConvBn1d):
    """A `Conv1d`, `BatchNorm1d` and `ReLU`: `ConvBn1d` with the ReLU before the rounding.

    %(qat_normalized)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBnReLU1d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> float(m(refquant.randn(2, 1, 4)).min())
    0.0
    """

    _FLOAT_MODULE = fused.ConvBnReLU1d
    _WITHOUT_NORM = fused.ConvReLU1d
    _relu = True


@documented()
class ConvBnReLU2d(ConvBn2d):
    """A `Conv2d`, `BatchNorm2d` and `ReLU`: `ConvBn2d` with the ReLU before the rounding.

    %(qat_normalized)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBnReLU2d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> float(m(refquant.randn(2, 1, 4, 4)).min())
    0.0
    """

    _FLOAT_MODULE = fused.ConvBnReLU2d
    _WITHOUT_NORM = fused.ConvReLU2d
    _relu = True


@documented()
class ConvBnReLU3d(ConvBn3d):
    """A `Conv3d`, `BatchNorm3d` and `ReLU`: `ConvBn3d` with the ReLU before the rounding.

    %(qat_normalized)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBnReLU3d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> float(m(refquant.randn(2, 1, 4, 4, 4)).min())
    0.0
    """

    _FLOAT_MODULE = fused.ConvBnReLU3d
    _WITHOUT_NORM = fused.ConvReLU3d
    _relu = True


@documented()
class LinearBn1d(Normalized, nn.Linear):
    """A `Linear` and `BatchNorm1d`, trained with the rounding of quantization; see `ConvBn2d`.

    Parameters
    ----------
    in_features, out_features, bias
        As of `refquant.nn.Linear`.
    %(normalization_settings)s

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.LinearBn1d(3, 2, qconfig=default_qat_qconfig)
    >>> m(refquant.randn(4, 3)).shape
    refquant.Size([4, 2])
    """

    _SETTINGS = ("in_features", "out_features")
    _FLOAT_MODULE = fused.LinearBn1d
    _NORM = nn.BatchNorm1d

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        eps: float = 1e-05,
        momentum: float = 0.1,
        freeze_bn: bool = False,
        qconfig: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self._start_normalization(self.out_features, eps, momentum, freeze_bn, qconfig)

    def _layer(self, input, weight):
        return functional.linear(input, weight, None)
