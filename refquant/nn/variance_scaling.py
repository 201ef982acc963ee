"""Variance scaling: the deviation of initial weights, from their shape and the activation."""

import math
from typing import Any

from refquant import arguments
from refquant.errors import ShapeError
from refquant.ops import checks
from refquant.tensors import Tensor

__all__ = ["calculate_gain", "fans", "fillable", "standard_deviation"]

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "sigmoid")
_GAINS = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the gain of a nonlinearity: a factor of the deviation of the weights before it.

    Parameters
    ----------
    nonlinearity : str
        'linear', 'conv2d' ..., 'sigmoid', 'tanh', 'relu', 'leaky_relu' or 'selu'.
    param : float, optional
        Slope of leaky_relu, 0.01 if not given.

    Returns
    -------
    float

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.init.calculate_gain('tanh')
    1.6666666666666667
    """
    return gain_of("param", nonlinearity, param)


def gain_of(argument: str, nonlinearity: Any, slope: Any) -> float:
    """Compute the gain; `argument` is what the operation calls the slope of leaky_relu."""
    arguments.choice("nonlinearity", nonlinearity, (*_LINEAR, "leaky_relu", *_GAINS))
    if nonlinearity != "leaky_relu":
        return _GAINS.get(nonlinearity, 1.0)
    slope = 0.01 if slope is None else arguments.real(argument, slope)
    return math.sqrt(2 / (1 + slope * slope))


def fillable(tensor: Any) -> Tensor:
    """Return the tensor to fill, or raise: nobody would see the copy of an array."""
    return checks.plain_tensor("tensor", arguments.instance("tensor", tensor, Tensor, "a tensor"))


def fans(tensor: Tensor) -> tuple[int, int]:
    """Count the inputs of one output, and the outputs of one input."""
    shape = fillable(tensor).array.shape
    if len(shape) < 2:
        raise ShapeError(
            argument="tensor", expected="of at least 2 dimensions", got=f"shape {shape}"
        )
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def standard_deviation(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """Compute the deviation that keeps the spread of what goes through (Kaiming He)."""
    arguments.choice("mode", mode, ("fan_in", "fan_out"))
    fan = fans(tensor)[mode == "fan_out"]
    # Where there are no inputs, there is nothing to fill.
    return gain_of("a", nonlinearity, a) / math.sqrt(max(fan, 1))
