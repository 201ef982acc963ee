"""Batch and layer normalization."""

import math
from typing import Any

import numpy as np

from refquant.arguments import flag, real
from refquant.arguments import shape as sizes
from refquant.errors import OperationError, ShapeError
from refquant.ops.floating.operands import float_operand
from refquant.ops.rows import row
from refquant.tensors import Tensor, autograd, differentiable


def _vector(argument: str, value: Any, channels: int) -> Tensor:
    tensor = float_operand(argument, value)
    if tensor.array.shape != (channels,):
        raise ShapeError(
            argument=argument,
            expected=f"of shape ({channels},), one for each channel",
            got=f"shape {tensor.array.shape}",
        )
    return tensor


def _as_one_line(x, mean, slope, beta):
    """Compute ``slope * x + (beta - slope * mean)`` with fused multiply-adds, as PyTorch does.

    Products of float32 are exact in float64; the sum that is rounded there first is rounded
    differently from a fused one in one of 2**29 results.
    """
    slope, wide = slope.astype(x.dtype), np.float64
    offset = (beta - slope.astype(wide) * mean).astype(x.dtype)
    return (x * slope.astype(wide) + offset).astype(x.dtype)


def _statistics(x, axes, shape, running_mean, running_var, momentum):
    """Measure mean and variance of a batch and move the running ones towards them."""
    count = math.prod(x.shape[a] for a in axes)
    if count <= 1:
        raise ShapeError(
            argument="input",
            expected="more than one value for each channel in training",
            got=f"shape {x.shape}",
            hint="call .eval(), or pass a larger batch",
        )
    with np.errstate(all="ignore"):
        mean = x.mean(axis=axes, keepdims=True)
        distance = x - mean
        variance = np.square(distance).mean(axis=axes, keepdims=True)
    with autograd.no_grad(), np.errstate(all="ignore"):
        for running, now in ((running_mean, mean), (running_var, variance * (count / (count - 1)))):
            if running is not None:
                old = running.array
                old[...] = (1 - momentum) * old + momentum * now.reshape(-1)
    return distance, variance


@row("nn.functional", returns="In the memory format of `input`.")
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
    r"""Normalize every channel, :math:`y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    Parameters
    ----------
    input : Tensor of floats, shape (batch, channels, ...)
        Plain.
    running_mean, running_var : Tensor, shape (channels,), or None
        What evaluation normalizes with. Training moves them towards the batch's own.
    weight, bias : Tensor, shape (channels,), optional
        :math:`\gamma` and :math:`\beta`.
    training : bool, default False
        Whether mean and variance are those of the batch.
    momentum : float, default 0.1
        Share of the batch in the running statistics.

    Raises
    ------
    ShapeError
        If training sees only one value for each channel.
    OperationError
        If evaluation has no statistics.

    Notes
    -----
    The batch is normalized with the variance over n, the running variance collects that over
    n - 1. Source: Ioffe and Szegedy, "Batch normalization", 2015.

    >>> F.batch_norm(refquant.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    training = flag("training", training)
    momentum, eps = real("momentum", momentum), real("eps", eps)
    t = float_operand("input", input)
    x = t.array
    if x.ndim < 2:
        raise ShapeError(
            argument="input",
            expected="of at least 2 dimensions (batch, channels, ...)",
            got=f"shape {x.shape}",
        )
    channels = x.shape[1]
    axes = (0, *range(2, x.ndim))
    shape = (1, channels, *(1,) * (x.ndim - 2))
    running: list[Any] = [
        None if r is None else _vector(name, r, channels)
        for name, r in (("running_mean", running_mean), ("running_var", running_var))
    ]
    affine = [
        None if p is None else _vector(name, p, channels)
        for name, p in (("weight", weight), ("bias", bias))
    ]
    if training:
        distance, variance = _statistics(x, axes, shape, running[0], running[1], momentum)
    elif None in running:
        raise OperationError(
            argument="running_mean",
            expected="a tensor in evaluation",
            got=None,
            hint="pass training=True",
        )
    else:
        with np.errstate(all="ignore"):
            distance = x - running[0].array.reshape(shape).astype(x.dtype, copy=False)
            variance = running[1].array.reshape(shape).astype(x.dtype, copy=False)
    gamma = 1 if affine[0] is None else affine[0].array.reshape(shape)
    with np.errstate(all="ignore"):
        inverse = (1 / np.sqrt(variance + x.dtype.type(eps))).astype(x.dtype)
        normal = distance * inverse
        if training:
            normalized = normal * gamma
            if affine[1] is not None:
                normalized += affine[1].array.reshape(shape)
        else:
            beta = 0 if affine[1] is None else affine[1].array.reshape(shape)
            normalized = _as_one_line(x, running[0].array.reshape(shape), inverse * gamma, beta)
    inputs = [t, *(p for p in affine if p is not None)]

    def backward(g):
        total = g.sum(axis=axes, keepdims=True)
        along = (g * normal).sum(axis=axes, keepdims=True)
        parts = []
        if t.requires_grad:
            inner = g
            if training:
                # The batch's mean and variance depend on x, too.
                count = math.prod(x.shape[a] for a in axes)
                inner = g - (total + normal * along) / x.dtype.type(count)
            parts.append(inner * (inverse * gamma))
        else:
            parts.append(None)
        if affine[0] is not None:
            parts.append(along.reshape(-1))
        if affine[1] is not None:
            parts.append(total.reshape(-1))
        return parts

    return differentiable(normalized, inputs, backward)


@row("nn.functional")
def layer_norm(
    input: Any, normalized_shape, weight: Any = None, bias: Any = None, eps: float = 1e-05
) -> Tensor:
    """Normalize over the last dimensions, whose sizes are `normalized_shape`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Sizes of the last dimensions.
    weight : Tensor, optional
        Factors, of the normalized shape.
    bias : Tensor, optional
        Shifts, of the normalized shape.

    >>> F.layer_norm(refquant.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    t = float_operand("input", input)
    shape, eps = sizes("normalized_shape", normalized_shape), real("eps", eps)
    if t.array.shape[t.array.ndim - len(shape) :] != shape:
        raise ShapeError(
            argument="input",
            expected=f"of a shape that ends in {shape}",
            got=f"shape {t.array.shape}",
        )
    dims = tuple(range(-len(shape), 0))
    distance = t - t.mean(dims, keepdim=True)
    normalized = distance * (distance.square().mean(dims, keepdim=True) + eps).rsqrt()
    if weight is not None:
        normalized = normalized * _shaped("weight", weight, shape)
    return normalized if bias is None else normalized + _shaped("bias", bias, shape)


def _shaped(argument: str, value: Any, shape: tuple[int, ...]) -> Tensor:
    tensor = float_operand(argument, value)
    if tensor.array.shape != shape:
        raise ShapeError(
            argument=argument,
            expected=f"of shape {shape}",
            got=f"shape {tensor.array.shape}",
        )
    return tensor
