"""Layers that normalize groups of channels, and single channels."""

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError, ShapeError
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.module import Module
from refquant.nn.normalization import _BatchNorm
from refquant.nn.parameter import Parameter
from refquant.ops.floating.creation import empty
from refquant.ops.floating.operands import operand
from refquant.tensors import Tensor

__all__ = ["GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class GroupNorm(Module):
    """Normalize groups of channels.

    Parameters
    ----------
    num_groups : int
        How many groups there are.
    num_channels : int
        Channels, a multiple of `num_groups`.
    eps : float, default 1e-05
        Added to the variance.
    affine : bool, default True
        Whether there are a factor and a shift for each channel.

    %(example)s
    >>> refquant.nn.GroupNorm(1, 2)(refquant.tensor([[[1.0], [3.0]]])).detach()
    tensor([[[-1.0000],
             [ 1.0000]]])
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-05, affine: bool = True
    ) -> None:
        super().__init__()
        self.num_groups = arguments.integer("num_groups", num_groups, 1)
        self.num_channels = arguments.integer("num_channels", num_channels, 0)
        if self.num_channels % self.num_groups:
            raise ArgumentError(
                argument="num_channels",
                expected=f"a multiple of {self.num_groups} groups",
                got=self.num_channels,
            )
        self.eps = arguments.number("eps", eps)
        self.affine = arguments.switch("affine", affine)
        for name in ("weight", "bias"):
            made = Parameter(empty(self.num_channels)) if self.affine else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Make the factors 1 and the shifts 0."""
        if self.affine:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize `input`."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Describe the settings."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class _InstanceNorm(_BatchNorm):
    """Base class of instance normalization with any number of spatial dimensions."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize `input`, with a batch or without one."""
        input = operand("input", input)
        if input.ndim not in self._ndims:
            raise ShapeError(
                argument="input",
                got=f"shape {tuple(input.shape)}",
                expected=f"of {' or '.join(map(str, self._ndims))} dimensions",
            )
        batch = input if input.ndim == self._ndims[1] else input.unsqueeze(0)
        result = F.instance_norm(
            batch,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result if batch is input else result.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Normalize each channel of each sequence; see `InstanceNorm2d`.

    %(batch_norm_parameters)s

    %(example)s
    >>> refquant.nn.InstanceNorm1d(2)(refquant.tensor([[[1.0, 3.0], [0.0, 4.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """

    _ndims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalize each channel of each image.

    There are no running statistics and nothing to learn unless `track_running_stats` or `affine`
    ask for it.

    %(batch_norm_parameters)s

    %(example)s
    >>> refquant.nn.InstanceNorm2d(2)(refquant.randn(1, 2, 3, 3)).shape
    refquant.Size([1, 2, 3, 3])
    """

    _ndims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalize each channel of each volume; see `InstanceNorm2d`.

    %(batch_norm_parameters)s

    %(example)s
    >>> refquant.nn.InstanceNorm3d(2)(refquant.randn(1, 2, 3, 3, 3)).shape
    refquant.Size([1, 2, 3, 3, 3])
    """

    _ndims = (4, 5)


document(__name__)
