"""Activations as modules."""

from refquant import arguments
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


class ReLU(Module):
    r"""Rectified linear unit, :math:`\max(x, 0)`; takes quantized tensors, too.

    Parameters
    ----------
    inplace : bool
        Whether to overwrite the input.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.ReLU()(refquant.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = arguments.switch("inplace", inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Clamp `input`."""
        return F.relu(input, self.inplace)

    def extra_repr(self) -> str:
        """Show whether the input is overwritten."""
        return "inplace=True" if self.inplace else ""


class Hardtanh(Module):
    """Clamp to a range; takes quantized tensors, too.

    Parameters
    ----------
    min_val, max_val : float
        Ends of the range.
    inplace : bool
        Whether to overwrite the input.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.Hardtanh()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-1. ,  0.5,  1. ])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val = arguments.number("min_val", min_val)
        self.max_val = arguments.number("max_val", max_val)
        self.inplace = arguments.switch("inplace", inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Clamp `input`."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Describe the range."""
        text = f"min_val={self.min_val}, max_val={self.max_val}"
        return text + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(x, 0), 6)`.

    Parameters
    ----------
    inplace : bool
        Whether to overwrite the input.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.ReLU6()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0. , 0.5, 6. ])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Clamp `input`."""
        return F.relu6(input, self.inplace)

    def extra_repr(self) -> str:
        """Show whether the input is overwritten."""
        return "inplace=True" if self.inplace else ""


class ELU(Module):
    r"""Exponential linear unit, x above 0 and :math:`\alpha(e^x - 1)` below.

    Parameters
    ----------
    alpha : float
        What far negative inputs come near to, with the sign changed.
    inplace : bool
        Whether to overwrite the input.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.ELU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.6321,  0.5   ,  8.    ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = arguments.number("alpha", alpha)
        self.inplace = arguments.switch("inplace", inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class LeakyReLU(Module):
    """Leaky rectified linear unit: negative elements are multiplied by a slope.

    Parameters
    ----------
    negative_slope : float
        The slope.
    inplace : bool
        Whether to overwrite the input.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.LeakyReLU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.01,  0.5 ,  8.  ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = arguments.number("negative_slope", negative_slope)
        self.inplace = arguments.switch("inplace", inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class Sigmoid(Module):
    r"""Logistic function, :math:`1 / (1 + e^{-x})`.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.Sigmoid()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.2689, 0.6225, 0.9997])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.sigmoid(input)


class Tanh(Module):
    """Hyperbolic tangent.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.Tanh()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.7616,  0.4621,  1.    ])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.tanh(input)


class _MaybeInPlace(Module):
    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = arguments.switch("inplace", inplace)


class Hardsigmoid(_MaybeInPlace):
    """Piecewise linear logistic function; see `refquant.nn.functional`.

    Parameters
    ----------
    inplace : bool, default False
        Whether to change the input itself.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.Hardsigmoid()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3333, 0.5833, 1.    ])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.hardsigmoid(input, self.inplace)


class Hardswish(_MaybeInPlace):
    """Multiply by `Hardsigmoid`.

    Parameters
    ----------
    inplace : bool, default False
        Whether to change the input itself.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.Hardswish()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.3333,  0.2917,  8.    ])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        result = F.hardswish(input)
        return input.copy_(result) if self.inplace else result


class SiLU(_MaybeInPlace):
    r"""Multiply by the logistic function, :math:`x / (1 + e^{-x})`.

    Parameters
    ----------
    inplace : bool, default False
        Whether to change the input itself.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.SiLU()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.2689,  0.3112,  7.9973])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        result = F.silu(input)
        return input.copy_(result) if self.inplace else result

    def extra_repr(self) -> str:
        """Show whether the input is overwritten."""
        return "inplace=True" if self.inplace else ""


class Softplus(Module):
    r"""Smooth rectifier, :math:`\log(1 + e^{\beta x}) / \beta`.

    Parameters
    ----------
    beta : float
        How sharp the bend is.
    threshold : float
        Where :math:`\beta x` is larger, x itself is returned.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.Softplus()(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3133, 0.9741, 8.0003])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = arguments.number("beta", beta)
        self.threshold = arguments.number("threshold", threshold)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    r"""Normalize exponentials to a sum of 1, :math:`e^{x_i} / \sum_j e^{x_j}`.

    Parameters
    ----------
    dim : int
        Along which the shares add up.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.Softmax(dim=0)(refquant.tensor([0.0, 0.0]))
    tensor([0.5, 0.5])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = None if dim is None else arguments.integer("dim", dim)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Name the dimension."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """Logarithm of `Softmax`.

    Parameters
    ----------
    dim : int, optional
        The dimension.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.LogSoftmax(dim=0)(refquant.tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Describe nothing: PyTorch does not, either."""
        return f"dim={self.dim}"
