"""Activation functions with a parameter, and those of the normal distribution."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._operation import named
from refquant.arguments import real
from refquant.engines.rules.exponential import erf
from refquant.errors import ArgumentError, ShapeError
from refquant.ops.dispatch import QUANTIZED_FORMS, dispatched
from refquant.ops.floating.operands import broadcast, float_operand, held, operand
from refquant.ops.floating.selection import where
from refquant.ops.floating.unary import unary, unary_float
from refquant.ops.rows import in_place, row
from refquant.tensors import QuantizedTensor, Tensor, differentiable

_ROOT_TWO_OVER_PI, _CUBIC = np.sqrt(2 / np.pi), 0.044715


@row("refquant", domain=(-2, 2), options=({}, {"alpha": 0.5}))
@dispatched
def celu(input: Any, alpha: float = 1.0) -> Tensor:
    r"""Exponential linear unit with slope 1 at 0: x, or :math:`\alpha (e^{x / \alpha} - 1)`.

    Parameters
    ----------
    alpha : float, default 1.0
        Where the function goes below 0, with the sign changed; not 0.

    Raises
    ------
    ArgumentError
        If `alpha` is 0.
    QuantizerError
        If `input` is quantized: that celu needs the scale of its result.

    >>> refquant.celu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.6321,  0.5000,  8.0000])
    """
    alpha = real("alpha", alpha)
    if alpha == 0:
        raise ArgumentError(argument="alpha", expected="a number that is not 0", got=alpha)
    return unary_float(
        input,
        lambda x: np.where(x > 0, x, alpha * np.expm1(x / alpha)).astype(x.dtype),
        lambda x, y: np.where(x > 0, 1, y / alpha + 1).astype(x.dtype),
    )


@row(
    "nn.functional",
    domain=(-2, 2),
    options=({}, {"approximate": "tanh"}),
    input="Plain, or quantized per tensor: the result keeps its parameters.",
)
@dispatched
def gelu(input: Any, approximate: str = "none") -> Tensor:
    r"""Multiply by the normal distribution function, :math:`x \Phi(x)`.

    Parameters
    ----------
    approximate : {'none', 'tanh'}
        Whether to take
        :math:`(1 + \tanh(\sqrt{2 / \pi} (x + 0.044715 x^3))) / 2` for :math:`\Phi`.

    >>> F.gelu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.1587,  0.3457,  8.0000])
    """
    arguments.choice("approximate", approximate, ("none", "tanh"))
    if approximate == "none":
        return unary_float(input, lambda x: _rounded(x, x * _below(x)), _slope)

    def formula(x):
        return _rounded(x, 0.5 * x * (1 + np.tanh(_inner(x))))

    def slope(x, y):
        t, wide = np.tanh(_inner(x)), x.astype(np.float64)
        inner = _ROOT_TWO_OVER_PI * (1 + 3 * _CUBIC * wide * wide)
        return _rounded(x, 0.5 * (1 + t) + 0.5 * wide * (1 - t * t) * inner)

    return unary_float(input, formula, slope)


def _rounded(x: np.ndarray, y: Any) -> np.ndarray:
    return np.asarray(y).astype(x.dtype)


def _below(x: np.ndarray) -> np.ndarray:
    """Return the share of the normal distribution below x."""
    return 0.5 * (1 + erf(x.astype(np.float64) * np.sqrt(0.5)))


def _slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    density = np.exp(-0.5 * wide * wide) / np.sqrt(2 * np.pi)
    return _rounded(x, _below(x) + wide * density)


def _inner(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    return _ROOT_TWO_OVER_PI * (wide + _CUBIC * wide**3)


@row(
    "refquant Tensor nn.functional",
    input="Plain, or quantized per tensor: the result keeps its parameters.",
)
@dispatched
def prelu(input: Any, weight: Any) -> Tensor:
    r"""Multiply negative elements by slopes that can be learned.

    Parameters
    ----------
    weight : Tensor
        One slope, or one for each channel, which dimension 1 counts.

    >>> F.prelu(refquant.tensor([-1.0, 2.0]), refquant.tensor([0.25]))
    tensor([-0.2500,  2.0000])
    """
    t, w = float_operand("input", input), float_operand("weight", weight)
    x, ndim = t.array, t.array.ndim
    channels = x.shape[1] if ndim > 1 else 1
    if w.array.size not in (1, channels) or w.array.ndim > 1:
        raise ShapeError(
            argument="weight",
            expected=f"one element, or one for each of {channels} channels",
            got=f"shape {w.array.shape}",
        )
    one = w.array.size == 1
    slopes = w.array.reshape((1,) * ndim if one else (1, -1, *(1,) * (ndim - 2)))
    y = np.where(x > 0, x, broadcast(np.multiply, x, slopes.astype(x.dtype)))

    def backward(g):
        of_slopes = np.where(x > 0, 0, g * x)
        axes = tuple(d for d in range(ndim) if one or d != 1)
        return (
            np.where(x > 0, g, g * slopes),
            of_slopes.sum(axis=axes).reshape(w.array.shape).astype(w.array.dtype),
        )

    return differentiable(y.astype(x.dtype, copy=False), (t, w), backward)


@named("_prelu_kernel")
def prelu_kernel(input: Any, weight: Any) -> Tensor:
    """Multiply negative elements by slopes of any shape; `prelu` of slopes that broadcast.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized per tensor: the result keeps its parameters.
    weight : Tensor
        Slopes, of the dtype of `input`; shapes broadcast. Of a quantized `input` a vector holds
        the slopes of its channels.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant._prelu_kernel(refquant.tensor([-1.0, 2.0]), refquant.tensor([0.25, 0.5]))
    tensor([-0.2500,  2.0000])
    """
    if type(input) is QuantizedTensor:
        return QUANTIZED_FORMS["prelu"](input, weight)
    t, w = float_operand("input", input), float_operand("weight", weight)
    return where(t > 0, t, t * w)


@row("refquant", input="Plain, or quantized per tensor: the result keeps its parameters.")
@dispatched
def threshold(input: Any, threshold: float, value: float) -> Tensor:
    r"""Replace what is not above a threshold by a value.

    Parameters
    ----------
    threshold : float
        The threshold.
    value : float
        The value.

    >>> refquant.threshold(refquant.tensor([-1.0, 0.5, 8.0]), 0.5, 20.0)
    tensor([20., 20.,  8.])
    """
    dtype = operand("input", input).array.dtype
    limit, number = held("threshold", threshold, dtype), held("value", value, dtype)
    return unary(input, lambda x: np.where(x <= limit, number, x), lambda x: ~(x <= limit))


celu_ = in_place(
    celu,
    "refquant nn.functional",
    "refquant.celu_(refquant.tensor([-1.0, 2.0]))\ntensor([-0.6321,  2.0000])",
)
threshold_ = in_place(
    threshold,
    "refquant nn.functional",
    "refquant.threshold_(refquant.tensor([-1.0, 2.0]), 0.0, 5.0)\ntensor([5., 2.])",
)
