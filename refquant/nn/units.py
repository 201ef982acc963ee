"""Activations with a parameter, and those of the normal distribution, as modules."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.activation import _Activation
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.floating.creation import empty
from refquant.tensors import Tensor

__all__ = ["CELU", "GELU", "PReLU", "Threshold"]


class CELU(_Activation):
    r"""Exponential linear unit with slope 1 at 0.

    Parameters
    ----------
    alpha : float
        What far negative inputs come near to, with the sign changed.
    %(inplace)s

    %(example)s
    >>> refquant.nn.CELU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.6321,  0.5000,  8.0000])
    """

    _function, _arguments = staticmethod(F.celu), ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = arguments.number("alpha", alpha)
        self.inplace = arguments.switch("inplace", inplace)


class GELU(_Activation):
    r"""Multiply by the normal distribution function; takes quantized tensors, too.

    Parameters
    ----------
    approximate : {'none', 'tanh'}
        See `refquant.nn.functional.gelu`.

    %(example)s
    >>> refquant.nn.GELU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.1587,  0.3457,  8.0000])
    """

    _function, _arguments = staticmethod(F.gelu), ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = arguments.choice("approximate", approximate, ("none", "tanh"))

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f"approximate={self.approximate!r}"


class Threshold(_Activation):
    """Replace what is not above a threshold by a value; takes quantized tensors, too.

    Parameters
    ----------
    threshold, value : float
        The threshold, and the value.
    %(inplace)s

    %(example)s
    >>> refquant.nn.Threshold(0.5, 20.0)(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([20., 20.,  8.])
    """

    _function: Any = staticmethod(F.threshold)
    _arguments = ("threshold", "value", "inplace")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = arguments.number("threshold", threshold)
        self.value = arguments.number("value", value)
        self.inplace = arguments.switch("inplace", inplace)


class PReLU(Module):
    """Multiply negative elements by slopes that are learned.

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels, which dimension 1 counts.
    init : float
        The first value of the slopes.

    %(example)s
    >>> refquant.nn.PReLU()(refquant.tensor([-1.0, 2.0])).detach()
    tensor([-0.2500,  2.0000])
    """

    _shown = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = arguments.integer("num_parameters", num_parameters, 1)
        self.init = arguments.number("init", init)
        self.weight = Parameter(empty(self.num_parameters))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Make all slopes what they were at first."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Apply to `input`."""
        return F.prelu(input, self.weight)


document(__name__)
