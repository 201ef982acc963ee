"""Activation functions, in place if the caller wishes."""

from collections.abc import Callable
from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.ops.floating import activation, units
from refquant.ops.floating import softmax as _softmax
from refquant.ops.rows import row
from refquant.tensors import Tensor


def _chosen(inplace: Any, form: Callable[..., Tensor], operation: Callable[..., Tensor]):
    return form if arguments.switch("inplace", inplace) else operation


@row("nn.functional", domain=(-2, 2), input="Plain or quantized.")
def relu(input: Any, inplace: bool = False) -> Tensor:
    r"""Rectified linear unit, :math:`\max(x, 0)`.

    >>> F.relu(refquant.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _chosen(inplace, activation.relu_, activation.relu)(input)


@row("nn.functional", domain=(-8, 8))
def relu6(input: Any, inplace: bool = False) -> Tensor:
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(x, 0), 6)`; see `relu`.

    >>> F.relu6(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.0000, 0.5000, 6.0000])
    """
    return _chosen(inplace, activation.relu6_, activation.relu6)(input)


@row("nn.functional", domain=(-2, 2), options=({"min_val": -0.5, "max_val": 1.2},))
def hardtanh(
    input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Clamp to a range; see `relu`.

    Parameters
    ----------
    min_val : float, default -1.0
        The lower end.
    max_val : float, default 1.0
        The upper end.

    >>> F.hardtanh(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    return _chosen(inplace, activation.hardtanh_, activation.hardtanh)(input, min_val, max_val)


@row("nn.functional", domain=(-2, 2), options=({"alpha": 0.7},))
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    r"""Exponential linear unit, x above 0 and :math:`\alpha(e^x - 1)` below; see `relu`.

    Parameters
    ----------
    alpha : float, default 1.0
        Where the function goes below 0.

    Raises
    ------
    QuantizerError
        If `input` is quantized: that elu needs the scale of its result.

    >>> F.elu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.6321,  0.5000,  8.0000])
    """
    return _chosen(inplace, activation.elu_, activation.elu)(input, alpha)


@row("nn.functional", domain=(-2, 2), options=({"alpha": 0.5},))
def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    r"""Exponential linear unit with slope 1 at 0; see `refquant.celu`.

    Parameters
    ----------
    alpha : float, default 1.0
        Where the function goes below 0, with the sign changed; not 0.

    >>> F.celu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.6321,  0.5000,  8.0000])
    """
    return _chosen(inplace, units.celu_, units.celu)(input, alpha)


@row("nn.functional", input="Plain, or quantized per tensor if `inplace` is False.")
def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Replace what is not above a threshold by a value.

    Parameters
    ----------
    threshold, value : float
        The threshold, and the value.

    >>> F.threshold(refquant.tensor([-1.0, 0.5, 8.0]), 0.5, 20.0)
    tensor([20., 20.,  8.])
    """
    return _chosen(inplace, units.threshold_, units.threshold)(input, threshold, value)


@row("nn.functional", domain=(-2, 2), options=({"negative_slope": 0.2},))
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Leaky rectified linear unit: negative elements are multiplied by a slope; see `relu`.

    Parameters
    ----------
    negative_slope : float, default 0.01
        Factor of what is negative.

    >>> F.leaky_relu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.0100,  0.5000,  8.0000])
    """
    return _chosen(inplace, activation.leaky_relu_, activation.leaky_relu)(input, negative_slope)


@row("nn.functional", domain=(-5, 5))
def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    r"""Piecewise linear logistic function, :math:`\min(\max(x + 3, 0), 6) / 6`.

    >>> F.hardsigmoid(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3333, 0.5833, 1.0000])
    """
    return _chosen(inplace, activation.hardsigmoid_, activation.hardsigmoid)(input)


@row("nn.functional", dim="The dimension that adds up to 1.", dtype="Converts the input first.")
def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    r"""Normalize exponentials to a sum of 1, :math:`e^{x_i} / \sum_j e^{x_j}`.

    >>> F.softmax(refquant.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _softmax.softmax(input, _given_dim(dim), dtype)


@row("nn.functional", dim="The dimension that adds up to 1.", dtype="Converts the input first.")
def log_softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    r"""Logarithm of `softmax`, :math:`x_i - \log \sum_j e^{x_j}`.

    >>> F.log_softmax(refquant.tensor([0.0, 0.0]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    return _softmax.log_softmax(input, _given_dim(dim), dtype)


def _given_dim(dim: int | None) -> int:
    if dim is None:
        raise ArgumentError(
            argument="dim",
            expected="the dimension along which shares add up",
            got=None,
            hint="pass dim=-1 for the last",
        )
    return dim
