"""Activations as modules."""

from collections.abc import Callable
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.tensors import Tensor

__all__ = [
    "ELU",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class _Activation(Module):
    """Base class of modules that call a function with some of their attributes."""

    _function: Callable[..., Any]
    _arguments: tuple[str, ...] = ()

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return type(self)._function(input, *[getattr(self, name) for name in self._arguments])

    def extra_repr(self) -> str:
        """Describe the settings; `inplace` where it is True."""
        shown = [name for name in self._arguments if name != "inplace" or self.inplace]
        return ", ".join(f"{name}={getattr(self, name)}" for name in shown)


class _MaybeInPlace(_Activation):
    _arguments = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = arguments.switch("inplace", inplace)


def _overwriting(function: Callable[[Any], Any]) -> Any:
    """Give a function an argument that tells whether to overwrite its input."""

    def apply(input, inplace):
        result = function(input)
        return input.copy_(result) if inplace else result

    return staticmethod(apply)


class ReLU(_MaybeInPlace):
    r"""Rectified linear unit, :math:`\max(x, 0)`; takes quantized tensors, too.

    %(only_inplace)s

    %(example)s
    >>> refquant.nn.ReLU()(refquant.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    _function = staticmethod(F.relu)


class Hardtanh(_Activation):
    """Clamp to a range; takes quantized tensors, too.

    Parameters
    ----------
    min_val, max_val : float
        Ends of the range.
    %(inplace)s

    %(example)s
    >>> refquant.nn.Hardtanh()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """

    _function: Callable[..., Any] = staticmethod(F.hardtanh)
    _arguments: tuple[str, ...] = ("min_val", "max_val", "inplace")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val = arguments.number("min_val", min_val)
        self.max_val = arguments.number("max_val", max_val)
        self.inplace = arguments.switch("inplace", inplace)


class ReLU6(Hardtanh):
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(x, 0), 6)`.

    %(only_inplace)s

    %(example)s
    >>> refquant.nn.ReLU6()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.0000, 0.5000, 6.0000])
    """

    _function = staticmethod(F.relu6)
    _arguments = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class ELU(_Activation):
    r"""Exponential linear unit, x above 0 and :math:`\alpha(e^x - 1)` below.

    Parameters
    ----------
    alpha : float
        What far negative inputs come near to, with the sign changed.
    %(inplace)s

    %(example)s
    >>> refquant.nn.ELU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.6321,  0.5000,  8.0000])
    """

    _function, _arguments = staticmethod(F.elu), ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = arguments.number("alpha", alpha)
        self.inplace = arguments.switch("inplace", inplace)


class LeakyReLU(_Activation):
    """Leaky rectified linear unit: negative elements are multiplied by a slope.

    Parameters
    ----------
    negative_slope : float
        The slope.
    %(inplace)s

    %(example)s
    >>> refquant.nn.LeakyReLU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.0100,  0.5000,  8.0000])
    """

    _function, _arguments = staticmethod(F.leaky_relu), ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = arguments.number("negative_slope", negative_slope)
        self.inplace = arguments.switch("inplace", inplace)


class Sigmoid(_Activation):
    r"""Logistic function, :math:`1 / (1 + e^{-x})`.

    %(example)s
    >>> refquant.nn.Sigmoid()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.2689, 0.6225, 0.9997])
    """

    _function = staticmethod(F.sigmoid)


class Tanh(_Activation):
    """Hyperbolic tangent.

    %(example)s
    >>> refquant.nn.Tanh()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.7616,  0.4621,  1.0000])
    """

    _function = staticmethod(F.tanh)


class Hardsigmoid(_MaybeInPlace):
    """Piecewise linear logistic function; see `refquant.nn.functional`.

    %(only_inplace)s

    %(example)s
    >>> refquant.nn.Hardsigmoid()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3333, 0.5833, 1.0000])
    """

    _function = staticmethod(F.hardsigmoid)

    def extra_repr(self) -> str:
        """Describe nothing: PyTorch does not, either."""
        return ""


class Hardswish(_MaybeInPlace):
    """Multiply by `Hardsigmoid`.

    %(only_inplace)s

    %(example)s
    >>> refquant.nn.Hardswish()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.3333,  0.2917,  8.0000])
    """

    _function = _overwriting(F.hardswish)

    def extra_repr(self) -> str:
        """Describe nothing: PyTorch does not, either."""
        return ""


class SiLU(_MaybeInPlace):
    r"""Multiply by the logistic function, :math:`x / (1 + e^{-x})`.

    %(only_inplace)s

    %(example)s
    >>> refquant.nn.SiLU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.2689,  0.3112,  7.9973])
    """

    _function = _overwriting(F.silu)


class Softplus(_Activation):
    r"""Smooth rectifier, :math:`\log(1 + e^{\beta x}) / \beta`.

    Parameters
    ----------
    beta : float
        How sharp the bend is.
    threshold : float
        Where :math:`\beta x` is larger, x itself is returned.

    %(example)s
    >>> refquant.nn.Softplus()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3133, 0.9741, 8.0003])
    """

    _function, _arguments = staticmethod(F.softplus), ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = arguments.number("beta", beta)
        self.threshold = arguments.number("threshold", threshold)


class Softmax(_Activation):
    r"""Normalize exponentials to a sum of 1, :math:`e^{x_i} / \sum_j e^{x_j}`.

    Parameters
    ----------
    dim : int
        Along which the shares add up.

    %(example)s
    >>> refquant.nn.Softmax(dim=0)(refquant.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    _function, _arguments = staticmethod(F.softmax), ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = None if dim is None else arguments.integer("dim", dim)


class LogSoftmax(Softmax):
    """Logarithm of `Softmax`.

    Parameters
    ----------
    dim : int, optional
        The dimension.

    %(example)s
    >>> refquant.nn.LogSoftmax(dim=0)(refquant.tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """

    _function = staticmethod(F.log_softmax)


document(__name__)
