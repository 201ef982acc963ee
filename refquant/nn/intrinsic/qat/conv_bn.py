r"""Convolution with batch normalization for quantization-aware training.

What will be quantized is the convolution with the normalization folded into it. In training too
the weight that is rounded must therefore be the folded one, :math:`w \gamma / \sigma`, with the
running deviation :math:`\sigma`, which hardly moves from step to step. The normalization of the
batch is restored after the convolution.

The steps and their order are those of PyTorch 1.4, with one difference: the square root here is
the float32 next to the true one. PyTorch 1.4 takes its root from MKL, which misses that one by a
unit in the last place for one value in five. It matters because in the first batch the symmetric
scale puts the largest weight, if negative, on the edge between -128 and -127: the last bit decides.
"""

from typing import Any, Self

import numpy as np

from refquant import arguments, nn
from refquant.errors import ShapeError
from refquant.nn.intrinsic import fused
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.qat.convolution import settings
from refquant.nn.qat.fake_quantized import FakeQuantized, checked_qconfig
from refquant.tensors import Tensor

__all__ = [
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnNd",
    "freeze_bn_stats",
    "update_bn_stats",
]


class ConvBnNd(FakeQuantized):
    """Base class of convolutions with batch normalization, for any number of dimensions."""

    num_batches_tracked: Tensor

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
    ) -> None:
        super().__init__(  # type: ignore[call-arg]  # the next class is the convolution
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            False,
            padding_mode,
        )
        channels = self.out_channels
        self.eps = arguments.number("eps", eps)
        self.momentum = None if momentum is None else arguments.number("momentum", momentum)
        self.freeze_bn = arguments.switch("freeze_bn", freeze_bn)
        self.num_features, self.affine, self.track_running_stats = channels, True, True
        self.gamma = Parameter(Tensor(np.empty(channels, np.float32)))
        self.beta = Parameter(Tensor(np.empty(channels, np.float32)))
        self.register_buffer("running_mean", Tensor(np.zeros(channels, np.float32)))
        self.register_buffer("running_var", Tensor(np.ones(channels, np.float32)))
        self.register_buffer("num_batches_tracked", Tensor(np.zeros((), np.int64)))
        self.start_fake_quantization(qconfig)
        self.reset_bn_parameters()

    def reset_running_stats(self) -> None:
        """Forget the statistics of the batches."""
        self.running_mean.array[...] = 0
        self.running_var.array[...] = 1
        self.num_batches_tracked.array[...] = 0

    def reset_bn_parameters(self) -> None:
        """Start the normalization anew: gamma uniform in 0..1, beta 0."""
        self.reset_running_stats()
        nn.init.uniform_(self.gamma)
        nn.init.zeros_(self.beta)

    def update_bn_stats(self) -> Self:
        """Normalize with the statistics of each batch, and average them; returns the module."""
        self.freeze_bn = False
        return self

    def freeze_bn_stats(self) -> Self:
        """Normalize with the running statistics and leave them as they are; returns the module.

        Late in training this makes the module compute exactly what it will when quantized.
        """
        self.freeze_bn = True
        return self

    def _per_channel(self, vector):
        """Shape a vector of channels so that it meets the channels of an activation."""
        return vector.reshape([1, -1] + [1] * (self.weight.dim() - 2))

    def _normalized(self, input):
        running_deviation = (self.running_var + self.eps).sqrt()
        factor = self.gamma / running_deviation
        folded = self.weight * factor.reshape([-1] + [1] * (self.weight.dim() - 1))
        scaled = self._convolve(input, self.weight_fake_quant(folded), None)
        if not self.training or self.freeze_bn:
            shift = self.beta - self.gamma * self.running_mean / running_deviation
            return scaled + self._per_channel(shift)
        count = scaled.numel() // scaled.size(1)
        if count < 2:
            raise ShapeError(
                argument="input",
                expected="more than one value a channel in training, as their variance is needed",
                got=f"shape {tuple(input.shape)}",
                hint="use a larger batch, or call freeze_bn_stats()",
            )
        plain = scaled / self._per_channel(factor)
        reduced = [0, *range(2, plain.dim())]
        mean = plain.mean(reduced)
        centered = plain - self._per_channel(mean)
        variance = (centered * centered).mean(reduced)
        inverse = 1 / (variance + self.eps).sqrt()
        self._average(mean.array, variance.array, count)
        restored = scaled * self._per_channel(running_deviation * inverse)
        return restored + self._per_channel(self.beta - self.gamma * mean * inverse)

    def _average(self, mean, variance, count: int) -> None:
        """Move the running statistics towards those of a batch of `count` values a channel."""
        # New tensors, because the old ones are still needed for the gradient.
        self.num_batches_tracked = Tensor(np.asarray(self.num_batches_tracked.array + 1))
        part = self.momentum
        if part is None:  # the plain average of all batches
            part = 1.0 / int(self.num_batches_tracked.array)
        unbiased = variance * np.float32(count / (count - 1))
        for name, now in (("running_mean", mean), ("running_var", unbiased)):
            moved = np.float32(part) * now + np.float32(1 - part) * getattr(self, name).array
            setattr(self, name, Tensor(moved))

    def forward(self, input: Tensor) -> Tensor:
        """Compute the rounded output, float32 of shape (N, out_channels, ...)."""
        return self.activation_post_process(self._normalized(input))

    @classmethod
    def from_float(cls, mod: Any, qconfig: Any = None) -> Self:
        """Make the module for training from a fused float one.

        Parameters are shared with it, running statistics begin as its own.

        Parameters
        ----------
        mod : Module
            Exactly of the fused type.
        qconfig : QConfig, optional
            By default the attribute `qconfig` of `mod`.
        """
        qconfig = checked_qconfig(cls, mod, qconfig)
        conv, bn = mod[0], mod[1]
        converted = cls(
            *settings(conv),
            padding_mode=conv.padding_mode,
            eps=bn.eps,
            momentum=bn.momentum,
            qconfig=qconfig,
        )
        converted.weight, converted.gamma, converted.beta = conv.weight, bn.weight, bn.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            setattr(converted, name, getattr(bn, name))
        if conv.bias is not None:
            # In training the mean of the batch takes a bias away again.
            converted.running_mean = Tensor(bn.running_mean.array - conv.bias.array)
        return converted.train(mod.training)

    def extra_repr(self) -> str:
        """Show the settings of the convolution and whether statistics are frozen."""
        return f"{super().extra_repr()}, freeze_bn={self.freeze_bn}"


class ConvBn2d(ConvBnNd, nn.Conv2d):
    r"""A `Conv2d` and `BatchNorm2d`, trained with the rounding that quantization will do.

    With :math:`\sigma = \sqrt{\text{running\_var} + \epsilon}`, the mean :math:`\mu_B` and
    deviation :math:`\sigma_B` of the batch in :math:`c \, \sigma / \gamma`:

    .. math::
        c = x * Q_w(W \gamma / \sigma), \quad
        y = Q_a(c \, \sigma / \sigma_B + \beta - \gamma \mu_B / \sigma_B)

    In evaluation, or when the statistics are frozen, :math:`y = Q_a(c + \beta - \gamma
    \text{running\_mean} / \sigma)`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        As of `refquant.nn.Conv2d`; there is no bias.
    eps, momentum
        As of `refquant.nn.BatchNorm2d`.
    freeze_bn : bool, default False
        Whether to normalize with the running statistics in training, too.
    qconfig : QConfig
        What makes the fake quantization of output and weight.

    Attributes
    ----------
    gamma, beta : Parameter of float32, shape (out_channels,)
        Scale and shift of the normalization.
    running_mean, running_var : Tensor of float32, shape (out_channels,)
    num_batches_tracked : Tensor of int64

    Raises
    ------
    ArgumentError
        If there is no `qconfig`.

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


class ConvBn3d(ConvBnNd, nn.Conv3d):
    """A `Conv3d` and `BatchNorm3d`, trained with the rounding that quantization will do.

    As `ConvBn2d`, for three spatial dimensions; parameters and attributes too.

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
    >>> m = nn.intrinsic.qat.ConvBn3d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> m(refquant.randn(2, 1, 4, 4, 4)).shape
    refquant.Size([2, 2, 2, 2, 2])
    """

    _FLOAT_MODULE: type = fused.ConvBn3d


def update_bn_stats(mod: Module) -> None:
    """Use batch statistics in a convolution with batch normalization; for ``model.apply``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBn2d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> _ = m.apply(nn.intrinsic.qat.update_bn_stats)
    >>> m.freeze_bn
    False
    """
    if isinstance(mod, ConvBnNd):
        mod.update_bn_stats()


def freeze_bn_stats(mod: Module) -> None:
    """Use running statistics in a convolution with batch normalization; for ``model.apply``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBn2d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> _ = m.apply(nn.intrinsic.qat.freeze_bn_stats)
    >>> m.freeze_bn
    True
    """
    if isinstance(mod, ConvBnNd):
        mod.freeze_bn_stats()
