"""Functions of one number, applied to every element; each with its derivative.

Those that quantized tensors have too send them on (`refquant.ops.dispatch`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.errors import ArgumentError
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import operand, scalar
from refquant.ops.inplace import become
from refquant.tensors import Tensor, differentiable

__all__ = [
    "abs",
    "ceil",
    "clamp",
    "clamp_",
    "cos",
    "elu",
    "elu_",
    "exp",
    "floor",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log",
    "log1p",
    "log2",
    "log10",
    "reciprocal",
    "relu",
    "relu6",
    "relu_",
    "round",
    "rsqrt",
    "sigmoid",
    "sigmoid_",
    "sign",
    "silu",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "tanh",
    "tanh_",
    "trunc",
]


def _floats(array: np.ndarray) -> np.ndarray:
    """Integers become float32."""
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _apply(asked: str, input: Any, formula: Callable, slope: Callable) -> Tensor:
    """Apply a formula to a tensor.

    `formula` takes the elements x and gives y, `slope` takes x and y and gives dy/dx. What is
    infinite or undefined becomes inf or NaN, silently.
    """
    t = operand(asked, "input", input)
    x = _floats(t.array)
    with np.errstate(all="ignore"):
        y = formula(x)
    return differentiable(y, (t,), lambda g: (g * slope(x, y),))


# -- rectifiers and other activations ----------------------------------------------------------


@dispatched("elementwise")
def relu(input: Any) -> Tensor:
    r"""Cut off what is negative, :math:`\max(x, 0)`.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized in any way: then integers below the zero point become the zero point.

    Returns
    -------
    Tensor
        Of the dtype, shape and memory format of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.relu(refquant.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    t = operand("relu", "input", input)
    x = t.array
    return differentiable(np.maximum(x, 0), (t,), lambda g: (g * (x > 0),))


@dispatched("elementwise")
def relu6(input: Any) -> Tensor:
    r"""Cut off what is negative or above 6, :math:`\min(\max(x, 0), 6)`."""
    return hardtanh(input, 0.0, 6.0)


@dispatched("elementwise")
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Cut off what lies outside a range; the gradient is 0 on its ends."""
    return _apply(
        "hardtanh",
        input,
        lambda x: np.clip(x, x.dtype.type(min_val), x.dtype.type(max_val)),
        lambda x, y: (x > min_val) & (x < max_val),
    )


@dispatched("elementwise")
def clamp(input: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Cut off what lies outside a range; the gradient is 1 on its ends.

    Parameters
    ----------
    input : Tensor
        Plain.
    min, max : number, optional
        Ends of the range, at least one of them.

    Returns
    -------
    Tensor

    Raises
    ------
    ArgumentError
        If neither end is given.

    Examples
    --------
    >>> import refquant
    >>> refquant.clamp(refquant.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0. , 0.5, 1. ])
    """
    t = operand("clamp", "input", input)
    if min is None and max is None:
        raise ArgumentError("clamp", argument="min", expected="a number, or `max` one", got=None)
    low = -np.inf if min is None else scalar("clamp", "min", min)
    high = np.inf if max is None else scalar("clamp", "max", max)
    x = t.array
    y = x if min is None else np.maximum(x, x.dtype.type(low))
    y = y if max is None else np.minimum(y, x.dtype.type(high))
    return differentiable(
        y.copy() if y is x else y, (t,), lambda g: (g * ((x >= low) & (x <= high)),)
    )


@dispatched("elementwise")
def elu(input: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    r"""Exponential linear unit, :math:`s x` above 0 and :math:`s\alpha(e^{r x} - 1)` below.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units",
    2015.
    """
    return _apply(
        "elu",
        input,
        lambda x: np.where(x > 0, scale * x, (scale * alpha) * np.expm1(input_scale * x)),
        lambda x, y: np.where(x > 0, scale, y * input_scale + scale * alpha * input_scale).astype(
            x.dtype
        ),
    )


@dispatched("elementwise")
def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """Multiply what is negative by a slope."""
    return _apply(
        "leaky_relu",
        input,
        lambda x: np.where(x > 0, x, x * x.dtype.type(negative_slope)),
        lambda x, y: np.where(x > 0, 1, negative_slope).astype(x.dtype),
    )


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@dispatched("elementwise")
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
    >>> refquant.sigmoid(refquant.tensor([0.0]))
    tensor([0.5])
    """
    return _apply("sigmoid", input, _sigmoid, lambda x, y: y * (1 - y))


@dispatched("elementwise")
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
    >>> refquant.tanh(refquant.tensor([0.0]))
    tensor([0.])
    """
    return _apply("tanh", input, np.tanh, lambda x, y: 1 - y * y)


@dispatched("elementwise")
def hardsigmoid(input: Any) -> Tensor:
    r"""Straight lines instead of the logistic function, :math:`\min(\max(x + 3, 0), 6) / 6`."""
    return _apply(
        "hardsigmoid",
        input,
        lambda x: np.clip(x + 3, 0, 6) / 6,
        lambda x, y: ((x > -3) & (x < 3)) / x.dtype.type(6),
    )


@dispatched("elementwise")
def hardswish(input: Any) -> Tensor:
    r"""Multiply by `hardsigmoid`, :math:`x \min(\max(x + 3, 0), 6) / 6`.

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
    >>> F.hardswish(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.3333,  0.2917,  8.    ])
    """
    return _apply(
        "hardswish",
        input,
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda x, y: np.where(x <= -3, 0, np.where(x < 3, (2 * x + 3) / 6, 1)).astype(x.dtype),
    )


def silu(input: Any) -> Tensor:
    r"""Multiply by the logistic function, :math:`x / (1 + e^{-x})`.

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
    >>> F.silu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.2689,  0.3112,  7.9973])
    """

    def slope(x, y):
        s = _sigmoid(x)
        return s + y * (1 - s)

    return _apply("silu", input, lambda x: x * _sigmoid(x), slope)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    r"""Smooth rectifier, :math:`\log(1 + e^{\beta x}) / \beta`; x itself above the threshold.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    beta : float, default 1.0
        How sharp the bend is.
    threshold : float, default 20.0
        Where the function is straight.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.softplus(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3133, 0.9741, 8.0003])
    """
    return _apply(
        "softplus",
        input,
        lambda x: np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta),
        lambda x, y: np.where(x * beta > threshold, 1, _sigmoid(x * beta)).astype(x.dtype),
    )


# -- powers, exponentials, angles --------------------------------------------------------------


def exp(input: Any) -> Tensor:
    """Exponential function.

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
    >>> refquant.exp(refquant.tensor([0.0, 1.0]))
    tensor([1.    , 2.7183])
    """
    return _apply("exp", input, np.exp, lambda x, y: y)


def log(input: Any) -> Tensor:
    """Natural logarithm; -inf at 0 and NaN below.

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
    >>> refquant.log(refquant.tensor([1.0, 0.0]))
    tensor([  0., -inf])
    """
    return _apply("log", input, np.log, lambda x, y: 1 / x)


def log2(input: Any) -> Tensor:
    """Logarithm to the base 2.

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
    >>> refquant.log2(refquant.tensor([8.0]))
    tensor([3.])
    """
    return _apply("log2", input, np.log2, lambda x, y: x.dtype.type(1 / np.log(2)) / x)


def log10(input: Any) -> Tensor:
    """Logarithm to the base 10.

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
    >>> refquant.log10(refquant.tensor([100.0]))
    tensor([2.])
    """
    return _apply("log10", input, np.log10, lambda x, y: x.dtype.type(1 / np.log(10)) / x)


def log1p(input: Any) -> Tensor:
    r"""Compute :math:`\log(1 + x)`, exact for small x.

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
    >>> refquant.log1p(refquant.tensor([0.0, 1.0]))
    tensor([0.    , 0.6931])
    """
    return _apply("log1p", input, np.log1p, lambda x, y: 1 / (1 + x))


def sqrt(input: Any) -> Tensor:
    """Square root; NaN below 0.

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
    >>> refquant.sqrt(refquant.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return _apply("sqrt", input, np.sqrt, lambda x, y: 1 / (2 * y))


def rsqrt(input: Any) -> Tensor:
    """Reciprocal of the square root.

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
    >>> refquant.rsqrt(refquant.tensor([4.0]))
    tensor([0.5])
    """
    return _apply("rsqrt", input, lambda x: 1 / np.sqrt(x), lambda x, y: -y * y * y / 2)


def reciprocal(input: Any) -> Tensor:
    """Compute 1 / x.

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
    >>> refquant.reciprocal(refquant.tensor([2.0, 4.0]))
    tensor([0.5 , 0.25])
    """
    return _apply("reciprocal", input, lambda x: 1 / x, lambda x, y: -y * y)


def square(input: Any) -> Tensor:
    """Multiply by itself.

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
    >>> refquant.square(refquant.tensor([3.0, -2.0]))
    tensor([9., 4.])
    """
    return _exactly("square", input, np.square, lambda x: 2 * x)


def sin(input: Any) -> Tensor:
    """Sine.

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
    >>> refquant.sin(refquant.tensor([0.0]))
    tensor([0.])
    """
    return _apply("sin", input, np.sin, lambda x, y: np.cos(x))


def cos(input: Any) -> Tensor:
    """Cosine.

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
    >>> refquant.cos(refquant.tensor([0.0]))
    tensor([1.])
    """
    return _apply("cos", input, np.cos, lambda x, y: -np.sin(x))


# -- sign and rounding: integers stay integers -------------------------------------------------


def _exactly(asked: str, input: Any, formula: Callable, slope: Callable) -> Tensor:
    t = operand(asked, "input", input)
    x = t.array
    with np.errstate(all="ignore"):
        y = formula(x)
    return differentiable(y, (t,), lambda g: (g * slope(x),))


def abs(input: Any) -> Tensor:
    """Absolute value; the gradient at 0 is 0.

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
    >>> refquant.abs(refquant.tensor([-1.5, 2.0]))
    tensor([1.5, 2. ])
    """
    return _exactly("abs", input, np.abs, np.sign)


def sign(input: Any) -> Tensor:
    """-1, 0 or 1.

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
    >>> refquant.sign(refquant.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return _exactly("sign", input, np.sign, np.zeros_like)


def floor(input: Any) -> Tensor:
    """Round down; the gradient is 0.

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
    >>> refquant.floor(refquant.tensor([-1.5, 1.2]))
    tensor([-2.,  1.])
    """
    return _exactly("floor", input, np.floor, np.zeros_like)


def ceil(input: Any) -> Tensor:
    """Round up; the gradient is 0.

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
    >>> refquant.ceil(refquant.tensor([-1.5, 1.2]))
    tensor([-1.,  2.])
    """
    return _exactly("ceil", input, np.ceil, np.zeros_like)


def trunc(input: Any) -> Tensor:
    """Round towards 0; the gradient is 0.

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
    >>> refquant.trunc(refquant.tensor([-1.5, 1.7]))
    tensor([-1.,  1.])
    """
    return _exactly("trunc", input, np.trunc, np.zeros_like)


def round(input: Any) -> Tensor:
    """Round to the nearest integer, ties to the even one; the gradient is 0.

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
    >>> refquant.round(refquant.tensor([0.5, 1.5, 2.6]))
    tensor([0., 2., 3.])
    """
    return _exactly("round", input, np.rint, np.zeros_like)


# -- in place ----------------------------------------------------------------------------------


@dispatched("elementwise")
def relu_(input: Tensor) -> Tensor:
    """Cut off what is negative, in place; see `relu`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.

    Returns
    -------
    Tensor
        `input` itself.

    Examples
    --------
    >>> import refquant
    >>> refquant.relu_(refquant.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return become("relu_", input, relu(input))


@dispatched("elementwise")
def relu6_(input: Tensor) -> Tensor:
    """Cut off what is negative or above 6, in place; see `relu6`."""
    return become("relu6_", input, relu6(input))


@dispatched("elementwise")
def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Cut off what lies outside a range, in place; see `hardtanh`."""
    return become("hardtanh_", input, hardtanh(input, min_val, max_val))


@dispatched("elementwise")
def clamp_(input: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """Cut off what lies outside a range, in place; see `clamp`."""
    return become("clamp_", input, clamp(input, min, max))


@dispatched("elementwise")
def elu_(input: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0):
    """Apply `elu` in place."""
    return become("elu_", input, elu(input, alpha, scale, input_scale))


@dispatched("elementwise")
def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Apply `leaky_relu` in place."""
    return become("leaky_relu_", input, leaky_relu(input, negative_slope))


def sigmoid_(input: Tensor) -> Tensor:
    """Apply `sigmoid` in place."""
    return become("sigmoid_", input, sigmoid(input))


def tanh_(input: Tensor) -> Tensor:
    """Apply `tanh` in place."""
    return become("tanh_", input, tanh(input))
