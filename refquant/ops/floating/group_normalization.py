"""Normalization of groups of channels and of single channels."""

from typing import Any

import numpy as np

from refquant.arguments import flag, integer, real
from refquant.errors import ArgumentError, OperationError, ShapeError
from refquant.ops.floating.normalization import batch_norm
from refquant.ops.floating.operands import float_operand
from refquant.ops.rows import row
from refquant.tensors import Tensor, autograd

_AFFINE = "One number for each channel."


def _channels(t: Tensor, least: int) -> int:
    if t.array.ndim < least:
        raise ShapeError(
            argument="input",
            expected=f"of at least {least} dimensions (batch, channels, ...)",
            got=f"shape {t.array.shape}",
        )
    return t.array.shape[1]


def _of_channels(argument: str, value: Any, t: Tensor) -> Tensor:
    tensor = float_operand(argument, value)
    if tensor.array.shape != (t.array.shape[1],):
        raise ShapeError(
            argument=argument,
            expected=f"of shape ({t.array.shape[1]},), one for each channel",
            got=f"shape {tensor.array.shape}",
        )
    return tensor.reshape(1, -1, *(1,) * (t.array.ndim - 2))


@row("nn.functional", weight=_AFFINE, bias=_AFFINE)
def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-05
) -> Tensor:
    """Normalize groups of channels by their own mean and variance; see `batch_norm`.

    Parameters
    ----------
    num_groups : int
        How many groups there are; they have equally many channels.

    Notes
    -----
    Source: Wu and He, "Group normalization", 2018.

    >>> F.group_norm(refquant.tensor([[[1.0, 3.0], [0.0, 4.0]]]), 2)
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    t, groups, eps = (
        float_operand("input", input),
        integer("num_groups", num_groups),
        real("eps", eps),
    )
    channels = _channels(t, 2)
    if groups < 1 or channels % groups:
        raise ArgumentError(
            argument="num_groups", expected=f"a divisor of {channels} channels", got=groups
        )
    if not t.array.size:
        return t.clone()
    rows = t.reshape(t.array.shape[0], groups, -1)
    distance = rows - rows.mean(-1, keepdim=True)
    normal = distance * (distance.square().mean(-1, keepdim=True) + eps).rsqrt()
    result = normal.reshape(*t.array.shape)
    if weight is not None:
        result = result * _of_channels("weight", weight, t)
    return result if bias is None else result + _of_channels("bias", bias, t)


@row(
    "nn.functional",
    running_mean="What evaluation normalizes with; moved towards the mean of the input otherwise.",
    running_var="The same for the variance.",
    weight=_AFFINE,
    bias=_AFFINE,
    use_input_stats="Whether mean and variance are those of the input.",
    momentum="Share of the input in the running statistics.",
)
def instance_norm(
    input: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """Normalize each channel of each element of the batch; see `group_norm`.

    Raises
    ------
    OperationError
        If a channel has one element only, or there are no statistics to use.

    >>> F.instance_norm(refquant.tensor([[[1.0, 3.0], [0.0, 4.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    t, own = float_operand("input", input), flag("use_input_stats", use_input_stats)
    channels, batch = _channels(t, 3), t.array.shape[0]
    if (running_mean is None) != (running_var is None) or (running_mean is None and not own):
        raise OperationError(
            argument="running_mean",
            expected="given with `running_var`, if `use_input_stats` is False",
            got=None,
        )
    running: list[Any] = [running_mean, running_var]
    repeated: list[Any] = [
        None if r is None else Tensor(np.tile(float_operand(name, r).array, batch))
        for name, r in zip(("running_mean", "running_var"), running, strict=True)
    ]
    if not t.array.size:
        return t.clone()
    flat = t.reshape(1, batch * channels, *t.array.shape[2:])
    normal = batch_norm(flat, repeated[0], repeated[1], None, None, own, momentum, eps)
    if own and running_mean is not None:
        with autograd.no_grad():
            for target, found in zip(running, repeated, strict=True):
                target.array[...] = found.array.reshape(batch, channels).mean(axis=0)
    result = normal.reshape(*t.array.shape)
    if weight is not None:
        result = result * _of_channels("weight", weight, t)
    return result if bias is None else result + _of_channels("bias", bias, t)
