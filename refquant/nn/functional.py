"""Functions of neural networks, under their documented names.

Those that quantized tensors have take them, too: relu, relu6, hardtanh, the poolings and
interpolate.
"""

from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError, QuantizerError
from refquant.ops.floating import activation, normalization, random
from refquant.ops.floating import softmax as _softmax
from refquant.ops.floating.activation import hardswish, silu, softplus
from refquant.ops.floating.convolution import conv1d, conv2d, conv3d
from refquant.ops.floating.joining import pad
from refquant.ops.floating.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from refquant.ops.floating.normalization import layer_norm
from refquant.ops.floating.pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from refquant.ops.floating.products import linear
from refquant.ops.floating.resizing import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv3d",
    "cross_entropy",
    "dropout",
    "elu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]


# -- activations: in place if asked ------------------------------------------------------------


def relu(input: Any, inplace: bool = False) -> Tensor:
    r"""Cut off what is negative, :math:`\max(x, 0)`.

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
    inplace = arguments.switch("relu", "inplace", inplace)
    return activation.relu_(input) if inplace else activation.relu(input)


def relu6(input: Any, inplace: bool = False) -> Tensor:
    r"""Cut off what is negative or above 6, :math:`\min(\max(x, 0), 6)`; see `relu`.

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
    if arguments.switch("relu6", "inplace", inplace):
        return activation.relu6_(input)
    return activation.relu6(input)


def hardtanh(
    input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Cut off what lies outside a range; see `relu`.

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
    if arguments.switch("hardtanh", "inplace", inplace):
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
    if isinstance(input, QuantizedTensor):
        raise QuantizerError(
            "elu",
            argument="input",
            expected="a plain tensor",
            got=f"a {input.dtype} tensor",
            mend="write refquant.nn.quantized.functional.elu(input, scale, zero_point, alpha), "
            "with the scale and zero point of the result, or call .dequantize() first",
        )
    inplace = arguments.switch("elu", "inplace", inplace)
    return activation.elu_(input, alpha) if inplace else activation.elu(input, alpha)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Multiply what is negative by a slope; see `relu`.

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
    if arguments.switch("leaky_relu", "inplace", inplace):
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
    r"""Straight lines instead of the logistic function, :math:`\min(\max(x + 3, 0), 6) / 6`.

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
    inplace = arguments.switch("hardsigmoid", "inplace", inplace)
    made = activation.hardsigmoid(input)
    return input.copy_(made) if inplace else made


def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    r"""Turn numbers into shares that add up to 1, :math:`e^{x_i} / \sum_j e^{x_j}`.

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
    return _softmax.softmax(input, _named("softmax", dim), dtype)


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
    return _softmax.log_softmax(input, _named("log_softmax", dim), dtype)


def _named(asked: str, dim: int | None) -> int:
    if dim is None:
        raise ArgumentError(
            asked,
            argument="dim",
            expected="the dimension along which shares add up",
            got=None,
            mend="pass dim=-1 for the last",
        )
    return dim


# -- the rest ----------------------------------------------------------------------------------


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    r"""Set elements to 0 with probability p, and multiply the others by :math:`1 / (1 - p)`.

    Parameters
    ----------
    input : Tensor
        Plain floats.
    p : float
        Probability, in 0..1.
    training : bool
        Whether to do so at all.
    inplace : bool
        Whether to overwrite `input`.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.dropout(refquant.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    inplace = arguments.switch("dropout", "inplace", inplace)
    made = random.dropout(input, p, training)
    return input.copy_(made) if inplace and made is not input else made


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    r"""Normalize channels, :math:`y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    running_mean, running_var : Tensor, shape (channels,), optional
        Changed in training.
    weight : Tensor, shape (channels,), optional
        Factors.
    bias : Tensor, shape (channels,), optional
        Shifts.
    training : bool, default False
        Whether to take statistics of the batch.
    momentum : float, default 0.1
        Weight of the batch in the running statistics.
    eps : float, default 1e-05
        Added to the variance.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.batch_norm(refquant.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.],
            [ 1.]])
    """
    return normalization.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )
