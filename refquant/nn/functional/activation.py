"""Activation functions, in place if the caller wishes."""

from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.ops.floating import activation
from refquant.ops.floating import softmax as _softmax
from refquant.tensors import Tensor

__all__ = [
    "elu",
    "hardsigmoid",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "relu",
    "relu6",
    "sigmoid",
    "softmax",
    "tanh",
]


def relu(input: Any, inplace: bool = False) -> Tensor:
    r"""Rectified linear unit, :math:`\max(x, 0)`.

    Parameters
    ----------
    input : Tensor
        Plain or quantized.
    inplace : bool
        Whether to overwrite `input`.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.functional.relu(refquant.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    inplace = arguments.switch("inplace", inplace)
    return activation.relu_(input) if inplace else activation.relu(input)


def relu6(input: Any, inplace: bool = False) -> Tensor:
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(x, 0), 6)`; see `relu`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    inplace : bool, default False
        Whether to change the input itself.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.relu6(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0. , 0.5, 6. ])
    """
    if arguments.switch("inplace", inplace):
        return activation.relu6_(input)
    return activation.relu6(input)


def hardtanh(
    input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Clamp to a range; see `relu`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    min_val : float, default -1.0
        The lower end.
    max_val : float, default 1.0
        The upper end.
    inplace : bool, default False
        Whether to change the input itself.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.hardtanh(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-1. ,  0.5,  1. ])
    """
    if arguments.switch("inplace", inplace):
        return activation.hardtanh_(input, min_val, max_val)
    return activation.hardtanh(input, min_val, max_val)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    r"""Exponential linear unit, x above 0 and :math:`\alpha(e^x - 1)` below; see `relu`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    alpha : float, default 1.0
        Where the function goes below 0.
    inplace : bool, default False
        Whether to change the input itself.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    QuantizerError
        If `input` is quantized: that elu needs the scale of its result.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.elu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.6321,  0.5   ,  8.    ])
    """
    inplace = arguments.switch("inplace", inplace)
    return activation.elu_(input, alpha) if inplace else activation.elu(input, alpha)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Leaky rectified linear unit: negative elements are multiplied by a slope; see `relu`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    negative_slope : float, default 0.01
        Factor of what is negative.
    inplace : bool, default False
        Whether to change the input itself.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.leaky_relu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.01,  0.5 ,  8.  ])
    """
    if arguments.switch("inplace", inplace):
        return activation.leaky_relu_(input, negative_slope)
    return activation.leaky_relu(input, negative_slope)


def sigmoid(input: Any) -> Tensor:
    r"""Logistic function, :math:`1 / (1 + e^{-x})`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.sigmoid(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.2689, 0.6225, 0.9997])
    """
    return activation.sigmoid(input)


def tanh(input: Any) -> Tensor:
    """Hyperbolic tangent.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.tanh(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.7616,  0.4621,  1.    ])
    """
    return activation.tanh(input)


def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    r"""Piecewise linear logistic function, :math:`\min(\max(x + 3, 0), 6) / 6`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    inplace : bool, default False
        Whether to change the input itself.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.hardsigmoid(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3333, 0.5833, 1.    ])
    """
    inplace = arguments.switch("inplace", inplace)
    result = activation.hardsigmoid(input)
    return input.copy_(result) if inplace else result


def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    r"""Normalize exponentials to a sum of 1, :math:`e^{x_i} / \sum_j e^{x_j}`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, optional
        The dimension that adds up to 1.
    dtype : dtype, optional
        Converts the input first.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.softmax(refquant.tensor([0.0, 0.0]), dim=0)
    tensor([0.5, 0.5])
    """
    return _softmax.softmax(input, _given_dim(dim), dtype)


def log_softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    r"""Logarithm of `softmax`, :math:`x_i - \log \sum_j e^{x_j}`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    dim : int, optional
        The dimension that adds up to 1.
    dtype : dtype, optional
        Converts the input first.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
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
