"""Activation functions, each with its derivative, and their in-place variants.

Those that quantized tensors have too send them on (`refquant.ops.dispatch`).
"""

from typing import Any

import numpy as np

from refquant.arguments import real
from refquant.errors import ArgumentError
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import cast, element, number, operand, result_dtype, scalar
from refquant.ops.floating.unary import unary, unary_float
from refquant.ops.rows import in_place, row
from refquant.tensors import Tensor, differentiable


@row(returns="Of the dtype, shape and memory format of `input`.", domain=(-2, 2))
@dispatched
def relu(input: Any) -> Tensor:
    r"""Rectified linear unit, :math:`\max(x, 0)`.

    Parameters
    ----------
    input : Tensor
        Plain, or quantized in any way: then integers below the zero point become the zero point.

    >>> refquant.relu(refquant.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    t = operand("input", input)
    x = t.array
    return differentiable(np.maximum(x, 0), (t,), lambda g: (g * (x > 0),))


@dispatched
def relu6(input: Any) -> Tensor:
    r"""Rectified linear unit with an upper limit of 6, :math:`\min(\max(x, 0), 6)`."""
    return hardtanh(input, 0.0, 6.0)


@dispatched
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Clamp to a range; the gradient is 0 at its ends."""
    min_val = real("min_val", min_val)
    max_val = real("max_val", max_val)
    formula = unary if operand("input", input).array.dtype.kind in "iu" else unary_float
    return formula(
        input,
        lambda x: np.clip(x, _end(min_val, x.dtype), _end(max_val, x.dtype)),
        lambda x, *_: (x > min_val) & (x < max_val),
    )


def _end(value: float, dtype: np.dtype) -> Any:
    """Return the end of a range in a dtype: of integers the largest or smallest, if beyond."""
    if dtype.kind == "f":
        return dtype.type(value)
    info = np.iinfo(dtype)
    outside = info.min if value < 0 else info.max
    return dtype.type(int(value) if info.min <= value <= info.max else outside)


@row(domain=(-2, 2), options=({"min": -0.5, "max": 1.2}, {"min": 0.3}))
@dispatched
def clamp(input: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Clamp to a range; the gradient is 1 at its ends.

    Parameters
    ----------
    input : Tensor
        Plain.
    min, max : number, optional
        Ends of the range, at least one of them.

    Raises
    ------
    ArgumentError
        If neither end is given.

    >>> refquant.clamp(refquant.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    t = operand("input", input)
    if min is None and max is None:
        raise ArgumentError(argument="min", expected="a number, or `max` one", got=None)
    x = t.array
    if x.dtype.kind != "f":  # a range of floats makes floats
        for name, end in (("min", min), ("max", max)):
            if end is not None:
                x = cast(x, result_dtype(x, number(name, scalar(name, end), x).array))
    low = -np.inf if min is None else element("min", min, x.dtype)
    high = np.inf if max is None else element("max", max, x.dtype)
    y = x if min is None else np.maximum(x, low)
    y = y if max is None else np.minimum(y, high)
    return differentiable(
        y.copy() if y is x else y, (t,), lambda g: (g * ((x >= low) & (x <= high)),)
    )


@dispatched
def elu(input: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    r"""Exponential linear unit, :math:`s x` above 0 and :math:`s\alpha(e^{r x} - 1)` below.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units",
    2015.
    """
    alpha, scale = real("alpha", alpha), real("scale", scale)
    input_scale = real("input_scale", input_scale)
    return unary_float(
        input,
        lambda x: np.where(x > 0, scale * x, (scale * alpha) * np.expm1(input_scale * x)),
        lambda x, y: np.where(x > 0, scale, y * input_scale + scale * alpha * input_scale).astype(
            x.dtype
        ),
    )


@dispatched
def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """Leaky rectified linear unit: negative elements are multiplied by a slope."""
    negative_slope = real("negative_slope", negative_slope)
    return unary_float(
        input,
        lambda x: np.where(x > 0, x, x * x.dtype.type(negative_slope)),
        lambda x, y: np.where(x > 0, 1, negative_slope).astype(x.dtype),
    )


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@row("refquant Tensor nn.functional", domain=(-2, 2))
@dispatched
def sigmoid(input: Any) -> Tensor:
    """Logistic function, :math:`1 / (1 + e^{-x})`.

    >>> refquant.sigmoid(refquant.tensor([0.0]))
    tensor([0.5000])
    """
    return unary_float(input, _sigmoid, lambda x, y: y * (1 - y))


@row("refquant Tensor nn.functional", domain=(-2, 2))
@dispatched
def tanh(input: Any) -> Tensor:
    """Hyperbolic tangent.

    >>> refquant.tanh(refquant.tensor([0.0]))
    tensor([0.])
    """
    return unary_float(input, np.tanh, lambda x, y: 1 - y * y)


@dispatched
def hardsigmoid(input: Any) -> Tensor:
    r"""Piecewise linear logistic function, :math:`\min(\max(x + 3, 0), 6) / 6`."""
    return unary_float(
        input,
        lambda x: np.clip(x + 3, 0, 6) / 6,
        lambda x, y: ((x > -3) & (x < 3)) / x.dtype.type(6),
    )


@row("nn.functional", domain=(-5, 5))
@dispatched
def hardswish(input: Any) -> Tensor:
    r"""Multiply by `hardsigmoid`, :math:`x \min(\max(x + 3, 0), 6) / 6`.

    >>> F.hardswish(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.3333,  0.2917,  8.0000])
    """
    return unary_float(
        input,
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda x, y: np.where(x <= -3, 0, np.where(x < 3, (2 * x + 3) / 6, 1)).astype(x.dtype),
    )


@row("nn.functional", domain=(-2, 2))
def silu(input: Any) -> Tensor:
    """Multiply by the logistic function, :math:`x / (1 + e^{-x})`.

    >>> F.silu(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([-0.2689,  0.3112,  7.9973])
    """

    def slope(x, y):
        s = _sigmoid(x)
        return s + y * (1 - s)

    return unary_float(input, lambda x: x * _sigmoid(x), slope)


@row("nn.functional", domain=(-2, 2), options=({"beta": 1.5, "threshold": 2},))
def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    r"""Smooth rectifier, :math:`\log(1 + e^{\beta x}) / \beta`; x itself above the threshold.

    Parameters
    ----------
    beta : float, default 1.0
        How sharp the bend is.
    threshold : float, default 20.0
        Where the function is straight.

    >>> F.softplus(refquant.tensor([-1.0, 0.5, 8.0]))
    tensor([0.3133, 0.9741, 8.0003])
    """
    beta = real("beta", beta)
    threshold = real("threshold", threshold)
    return unary_float(
        input,
        lambda x: np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta),
        lambda x, y: np.where(x * beta > threshold, 1, _sigmoid(x * beta)).astype(x.dtype),
    )


# -- in place ----------------------------------------------------------------------------------

clamp_ = in_place(clamp)


@row(returns="Of the shape of `input`.", min="The smallest result.", max="The largest result.")
def clip(input: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Clamp to a range; another name of `clamp`.

    >>> refquant.clip(refquant.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return clamp(input, min, max)


clip_ = in_place(clip)
relu_ = in_place(
    relu,
    "refquant Tensor nn.functional",
    "refquant.relu_(refquant.tensor([-1.0, 2.0]))\ntensor([0., 2.])",
)
sigmoid_ = in_place(sigmoid)
tanh_ = in_place(tanh)
elu_ = in_place(
    elu,
    "nn.functional",
    "F.elu_(refquant.tensor([-1.0, 2.0]))\ntensor([-0.6321,  2.0000])",
)
hardtanh_ = in_place(
    hardtanh, "nn.functional", "F.hardtanh_(refquant.tensor([-1.5, 2.0]))\ntensor([-1.,  1.])"
)
leaky_relu_ = in_place(
    leaky_relu,
    "nn.functional",
    "F.leaky_relu_(refquant.tensor([-1.0, 2.0]))\ntensor([-0.0100,  2.0000])",
)
# For `inplace=True` of `refquant.nn.functional`.
hardsigmoid_ = in_place(hardsigmoid, at="")
relu6_ = in_place(relu6, at="")
