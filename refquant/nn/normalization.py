"""Layers that normalize."""

import contextlib
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import document
from refquant._turns import Turn
from refquant.errors import ShapeError
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.floating.creation import empty, ones, zeros
from refquant.ops.floating.operands import operand
from refquant.tensors import Tensor

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LayerNorm"]


class _BatchNorm(Module):
    """Base class of batch normalization with any number of spatial dimensions."""

    _version = 2
    _ndims: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        num_features = arguments.integer("num_features", num_features)
        (self.num_features,) = arguments.shape("num_features", num_features)
        self.eps = arguments.number("eps", eps)
        self.momentum = None if momentum is None else arguments.number("momentum", momentum)
        self.affine = affine = arguments.switch("affine", affine)
        tracked = arguments.switch("track_running_stats", track_running_stats)
        self.track_running_stats = tracked
        for name in ("weight", "bias"):
            self.register_parameter(name, Parameter(empty(num_features)) if affine else None)
        self.register_buffer("running_mean", zeros(num_features) if tracked else None)
        self.register_buffer("running_var", ones(num_features) if tracked else None)
        count = Tensor(np.zeros((), np.int64))
        self.register_buffer("num_batches_tracked", count if tracked else None)
        # Threads move the statistics one after the other.
        self._turn = Turn()
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the statistics of all batches."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the statistics, and make the scale 1 and the shift 0."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize `input`; in training with its own statistics, which are collected."""
        input = operand("input", input)
        if input.ndim not in self._ndims:
            raise ShapeError(
                argument="input",
                got=f"shape {tuple(input.shape)}",
                expected=f"of {' or '.join(map(str, self._ndims))} dimensions",
            )
        with self._turn if self.training else contextlib.nullcontext():
            return self._normalized(input)

    def _normalized(self, input: Tensor) -> Tensor:
        momentum = 0.0 if self.momentum is None else self.momentum
        counts = self.training and self.track_running_stats
        if counts and self.momentum is None:  # the plain average over all batches
            momentum = 1.0 / (int(self.num_batches_tracked) + 1)
        use_batch = self.training or self.running_mean is None
        keeps = not self.training or self.track_running_stats
        result = F.batch_norm(
            input,
            self.running_mean if keeps else None,
            self.running_var if keeps else None,
            self.weight,
            self.bias,
            use_batch,
            momentum,
            self.eps,
        )
        if counts:
            self.num_batches_tracked.add_(1)
        return result

    def _load_from_state_dict(self, report, prefix: str) -> None:
        """Compare with a state; those of the first version have no count of batches."""
        name = "num_batches_tracked"
        if self.num_batches_tracked is None or prefix + name in report.state:
            super()._load_from_state_dict(report, prefix)
            return
        self._transient.add(name)
        super()._load_from_state_dict(report, prefix)
        self._transient.discard(name)

    def extra_repr(self) -> str:
        """Describe the settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Normalize the channels of rows or sequences; see `BatchNorm2d`.

    %(batch_norm_parameters)s

    %(example)s
    >>> refquant.nn.BatchNorm1d(2)(refquant.tensor([[1.0, 0.0], [3.0, 0.0]]))
    tensor([[-1.0000,  0.0000],
            [ 1.0000,  0.0000]], grad_fn=<recorded>)
    """

    _ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    r"""Normalize the channels of images, :math:`\gamma (x-\mu)/\sqrt{\sigma^2+\epsilon}+\beta`.

    %(batch_norm_parameters)s

    Attributes
    ----------
    weight, bias : Parameter, shape (num_features,), or None
    running_mean, running_var : Tensor, shape (num_features,), or None
    num_batches_tracked : Tensor of int64, shape (), or None

    %(example)s
    >>> refquant.nn.BatchNorm2d(4)
    BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    _ndims = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalize the channels of volumes; see `BatchNorm2d`.

    %(batch_norm_parameters)s

    %(example)s
    >>> refquant.nn.BatchNorm3d(2)(refquant.randn(1, 2, 3, 3, 3)).shape
    refquant.Size([1, 2, 3, 3, 3])
    """

    _ndims = (5,)


class LayerNorm(Module):
    """Normalize over the last dimensions.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Sizes of the dimensions.
    eps : float
        Keeps the square root away from 0.
    elementwise_affine : bool
        Whether there are a scale and a shift to learn.
    bias : bool
        Whether there is the shift.

    %(example)s
    >>> refquant.nn.LayerNorm(2)(refquant.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]], grad_fn=<recorded>)
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = arguments.shape("normalized_shape", normalized_shape)
        self.eps = arguments.number("eps", eps)
        self.elementwise_affine = arguments.switch("elementwise_affine", elementwise_affine)
        shifts = arguments.switch("bias", bias) and self.elementwise_affine
        for name, learned, start in (
            ("weight", self.elementwise_affine, ones),
            ("bias", shifts, zeros),
        ):
            made = Parameter(start(*self.normalized_shape)) if learned else None
            self.register_parameter(name, made)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize `input`."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Describe the settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


document(__name__)
