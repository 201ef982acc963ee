"""Fully connected layers, and flattening before them."""

import math
from typing import Any

from refquant import arguments
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops import views
from refquant.ops.floating.creation import empty
from refquant.tensors import Tensor

__all__ = ["Flatten", "Linear", "NonDynamicallyQuantizableLinear", "Unflatten"]


def reset_weight_and_bias(module: Module) -> None:
    r"""Draw weight and bias uniformly from :math:`\pm 1 / \sqrt{\mathrm{fan}_{in}}`."""
    init.kaiming_uniform_(module.weight, a=math.sqrt(5))
    if module.bias is not None:
        fan = math.prod(module.weight.array.shape[1:])
        bound = 1 / math.sqrt(fan) if fan else 0
        init.uniform_(module.bias, -bound, bound)


def features(module: Module, in_features: int, out_features: int) -> tuple[int, int]:
    """Check the sizes of a linear layer, for which there must be a matrix."""
    inputs = arguments.integer("in_features", in_features, 0)
    outputs = arguments.integer("out_features", out_features, 0)
    arguments.shape("(out_features, in_features)", (outputs, inputs))
    return inputs, outputs


class Linear(Module):
    r"""Apply a linear map and add a bias, :math:`y = x W^T + b`.

    Parameters
    ----------
    in_features, out_features : int
        Size of a row before and after.
    bias : bool
        Whether there is a bias.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
    bias : Parameter, shape (out_features,), or None

    Examples
    --------
    >>> import refquant
    >>> layer = refquant.nn.Linear(3, 2)
    >>> layer, layer(refquant.ones(5, 3)).shape
    (Linear(in_features=3, out_features=2, bias=True), refquant.Size([5, 2]))
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = features(self, in_features, out_features)
        has_bias = arguments.switch("bias", bias)
        self.weight = Parameter(empty(self.out_features, self.in_features))
        self.register_parameter("bias", Parameter(empty(self.out_features)) if has_bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new parameters."""
        reset_weight_and_bias(self)

    def forward(self, input: Tensor) -> Tensor:
        """Map the rows of `input`."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Describe the sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Flatten(Module):
    """Merge a range of dimensions into one; the first (batch) stays by default.

    Parameters
    ----------
    start_dim, end_dim : int
        First and last of the dimensions.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.Flatten()(refquant.ones(2, 3, 4)).shape
    refquant.Size([2, 12])
    """

    _shown = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = arguments.integer("start_dim", start_dim)
        self.end_dim = arguments.integer("end_dim", end_dim)

    def forward(self, input: Tensor) -> Tensor:
        """Flatten `input`, plain or quantized."""
        return views.flatten(input, self.start_dim, self.end_dim)


class Unflatten(Module):
    """Split one dimension into several.

    Parameters
    ----------
    dim : int
        The dimension.
    unflattened_size : sequence of int
        What it becomes.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.Unflatten(1, (3, 4))(refquant.ones(2, 12)).shape
    refquant.Size([2, 3, 4])
    """

    _shown = ("dim", "unflattened_size")

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim = arguments.integer("dim", dim)
        sizes = arguments.sequence("unflattened_size", unflattened_size, "a sequence of int")
        self.unflattened_size = tuple(
            arguments.integer("unflattened_size", size, -1) for size in sizes
        )

    def forward(self, input: Tensor) -> Tensor:
        """Split the dimension of `input`, plain or quantized."""
        return views.unflatten(input, self.dim, self.unflattened_size)


class NonDynamicallyQuantizableLinear(Linear):
    """A linear layer that ``quantize_dynamic`` leaves alone, see `Linear`.

    Parameters
    ----------
    in_features, out_features, bias
        As of `Linear`.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.NonDynamicallyQuantizableLinear(3, 2)(refquant.ones(1, 3)).shape
    refquant.Size([1, 2])
    """
