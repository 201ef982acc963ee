"""Fake quantization that observes on the way, and one whose parameters are learned."""

from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._environment import enclose
from refquant.engines.rules.float_sums import sum_in_cascades
from refquant.errors import NotSupportedError, OperationError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.quantized.fake_quantization import (
    integer_limits,
    rounded_per_channel,
    rounded_per_tensor,
)
from refquant.reference.learned import backward_zero_point, learned_gradients
from refquant.reference.qparams import qparams_of_operation
from refquant.tensors import Tensor, differentiable

__all__ = [
    "averaged_range",
    "batch_range",
    "fused_moving_avg_obs_fake_quant",
    "learned_per_channel",
    "learned_per_tensor",
]

RULE = "round_then_add"


def batch_range(array: np.ndarray, per_row: bool) -> np.ndarray:
    """Find the ends of the range of a batch, or of each slice along its first axis.

    Parameters
    ----------
    array : ndarray of float32
        The batch.
    per_row : bool
        Whether each slice along the first axis has a range of its own.

    Returns
    -------
    ndarray of float32, shape (2, n)
    """
    if per_row:
        return kernels.min_max_per_channel(layout.slices(array, 0)[0])
    return kernels.min_max(layout.flatten(array)[0]).reshape(2, 1)


def averaged_range(current: np.ndarray, seen: np.ndarray | None, constant: float) -> np.ndarray:
    """Move the ends of ranges towards those of a batch.

    An end that is still infinite takes the new one, each by itself.

    Parameters
    ----------
    current : ndarray of float32, shape (2, n)
        Ends of the batch.
    seen : ndarray of float32, shape (2, n), or None
        The ends so far.
    constant : float
        How far to move.

    Returns
    -------
    ndarray of float32, shape (2, n)
    """
    if seen is None:
        return current
    if seen.shape != current.shape:
        raise ShapeError(
            argument="input",
            expected=f"of {seen.shape[1]} rows, as before",
            got=f"{current.shape[1]} rows",
        )
    finite = np.where(np.isinf(seen), np.float32(0), seen)
    moved = kernels.moving_average(finite.reshape(-1), current.reshape(-1), constant)
    return np.where(np.isinf(seen), current, moved.reshape(seen.shape))


def _kept(name: str, value: Any, size: int | None = None) -> Tensor:
    """Return a tensor of real numbers, of so many elements if that is known."""
    arguments.instance(name, value, Tensor, "a plain tensor")
    tensor = checks.plain_tensor(name, value)
    if tensor.array.dtype.kind not in "fiub" or (size is not None and tensor.array.size != size):
        raise ShapeError(
            argument=name,
            expected="one number" if size == 1 else f"{size or 'any number of'} real numbers",
            got=f"{tensor.array.dtype} of shape {tensor.array.shape}",
        )
    return tensor


def fused_moving_avg_obs_fake_quant(
    input: Any,
    observer_on: Tensor,
    fake_quant_on: Tensor,
    running_min: Tensor,
    running_max: Tensor,
    scale: Tensor,
    zero_point: Tensor,
    averaging_const: float,
    quant_min: int,
    quant_max: int,
    ch_axis: int,
    per_row_fake_quant: bool = False,
    symmetric_quant: bool = False,
) -> Tensor:
    """Observe a moving average of the range, choose the quantizer, and round: in one operation.

    Scale and zero point are chosen as in dynamic operations, whether or not the range is observed;
    see `refquant.reference.qparams.qparams_of_operation`.

    Parameters
    ----------
    input : Tensor of float32
        Real values.
    observer_on, fake_quant_on : Tensor
        One number each: whether to observe and whether to round.
    running_min, running_max, scale, zero_point : Tensor
        What is kept between calls; changed in place, and given as many elements as there are rows.
    averaging_const : float
        How far a batch moves the range.
    quant_min, quant_max : int
        Range of the integers.
    ch_axis : int
        The dimension of the channels; 0 if there is a quantizer for each of them.
    per_row_fake_quant : bool, default False
        Whether each slice along `ch_axis` has a quantizer of its own.
    symmetric_quant : bool, default False
        Whether real zero lies in the middle of the integers.

    Returns
    -------
    Tensor of float32

    Raises
    ------
    DtypeError
        If `input` is not float32.
    NotSupportedError
        If channels do not lie along the first dimension.
    OperationError
        If `input` has NaN or infinity while it is observed.

    Examples
    --------
    >>> import refquant
    >>> on, nothing = refquant.ones(1), refquant.tensor(float("inf"))
    >>> kept = nothing, -nothing, refquant.ones(1), refquant.zeros(1, dtype=refquant.int32)
    >>> x = refquant.tensor([-1.0, 0.26, 4.1])
    >>> refquant.fused_moving_avg_obs_fake_quant(x, on, on, *kept, 0.01, 0, 255, -1)
    tensor([-1.0000,  0.2600,  4.1000])
    >>> kept[2]
    tensor([0.0200])
    """
    tensor = checks.float32_tensor("input", input)
    on, fake = (bool(_kept(name, flag, 1).array.item()) for name, flag in (
        ("observer_on", observer_on), ("fake_quant_on", fake_quant_on)
    ))  # fmt: skip
    _kept("running_min", running_min)
    _kept("running_max", running_max, running_min.array.size)
    _kept("scale", scale)
    _kept("zero_point", zero_point)
    quant_min, quant_max = integer_limits(quant_min, quant_max)
    averaging_const = arguments.number("averaging_const", averaging_const)
    ch_axis = arguments.integer("ch_axis", ch_axis)
    per_row_fake_quant = arguments.switch("per_row_fake_quant", per_row_fake_quant)
    symmetric_quant = arguments.switch("symmetric_quant", symmetric_quant)
    if tensor.array.size == 0:
        return tensor
    if per_row_fake_quant and (ch_axis != 0 or tensor.array.ndim == 0):
        raise NotSupportedError(argument="ch_axis", expected="0", got=ch_axis)
    ends = [end.array.astype(np.float32) for end in (running_min, running_max)]
    if on:
        seen = np.stack([end.reshape(-1) for end in ends])
        known = None if seen.size == 0 else seen
        if per_row_fake_quant and seen.shape[1] == 1 and np.isinf(seen).all():
            known = None
        current = batch_range(tensor.array, per_row_fake_quant)
        if not np.isfinite(current).all():
            raise OperationError(argument="input", expected="finite", got="NaN or infinity")
        moved = averaged_range(current, known, averaging_const)
        shape = moved.shape[1:] if per_row_fake_quant else ends[0].shape
        running_min.array, running_max.array = (end.reshape(shape) for end in moved)
    if not fake:
        return differentiable(tensor.array.copy(order="K"), (tensor,), lambda g: (g,))
    low, high = (end.array.reshape(-1) for end in (running_min, running_max))
    scales, zero_points = qparams_of_operation(low, high, quant_min, quant_max, symmetric_quant)
    if per_row_fake_quant and len(scales) != tensor.array.shape[0]:  # nothing was observed
        scales, zero_points = (
            np.full(tensor.array.shape[0], v[0] if v.size else w, v.dtype)
            for v, w in ((scales, 0.1), (zero_points, quant_min))
        )
    scale.array, zero_point.array = scales, zero_points
    if per_row_fake_quant:
        limits = quant_min, quant_max
        return rounded_per_channel(tensor, scales, zero_points, 0, limits, RULE)
    number = float(scales[0]), int(zero_points[0])
    return rounded_per_tensor(tensor, *number, quant_min, quant_max, RULE)


def learned_per_tensor(
    tensor: Tensor, scale: Tensor, zero_point: Tensor, limits: tuple[int, int], factor: float
) -> Tensor:
    """Round with one scale and zero point that get gradients; arguments are not checked.

    The backward pass per tensor has another zero point than the forward pass, as in PyTorch 2.13;
    see `refquant.reference.learned.backward_zero_point`.
    """
    low, high = limits
    point = int(np.clip(np.rint(zero_point.array[0]), low, high))
    y = rounded_per_tensor(tensor.detach(), float(scale.array[0]), point, low, high, RULE)
    x, s = tensor.array, scale.array.copy()
    back = backward_zero_point(zero_point.array, low, high)

    def backward(gradient):
        parts = learned_gradients(gradient, x, s, back, low, high, factor)
        sums = (_total(part, None) for part in parts[1:])
        return (parts[0], *sums)

    return differentiable(y.array, (tensor, scale, zero_point), backward)


def learned_per_channel(
    tensor: Tensor,
    scale: Tensor,
    zero_point: Tensor,
    axis: int,
    limits: tuple[int, int],
    factor: float,
) -> Tensor:
    """Round each slice along an axis with parameters that get gradients; nothing is checked."""
    axis = checks.dimension("ch_axis", axis, tensor.array.ndim)
    x, s = tensor.array, scale.array.copy()
    points = np.clip(np.rint(zero_point.array), *limits).astype(np.float32)
    y = rounded_per_channel(tensor.detach(), s, points.astype(np.int64), axis, limits, RULE)
    shape = [-1 if d == axis else 1 for d in range(x.ndim)]

    def backward(gradient):
        parts = learned_gradients(
            gradient, x, s.reshape(shape), points.reshape(shape), *limits, factor
        )
        sums = (_total(part, axis) for part in parts[1:])
        return (parts[0], *sums)

    return differentiable(y.array, (tensor, scale, zero_point), backward)


def _total(part: np.ndarray, axis: int | None) -> np.ndarray:
    """Sum over all dimensions but one; the result has one dimension."""
    part = np.ascontiguousarray(part, np.float32)
    if axis is None:
        return sum_in_cascades(part.reshape(-1), (0,)).reshape(1)
    return sum_in_cascades(part, tuple(d for d in range(part.ndim) if d != axis)).reshape(-1)


def _fake_quantize_learnable_per_tensor_affine(
    input: Any,
    scale: Tensor,
    zero_point: Tensor,
    quant_min: int,
    quant_max: int,
    grad_factor: float = 1.0,
) -> Tensor:
    """Round with one scale and zero point that get gradients; see `learned_per_tensor`."""
    tensor = checks.float32_tensor("input", input)
    return learned_per_tensor(tensor, scale, zero_point, (quant_min, quant_max), grad_factor)


def _fake_quantize_learnable_per_channel_affine(
    input: Any,
    scale: Tensor,
    zero_point: Tensor,
    axis: int,
    quant_min: int,
    quant_max: int,
    grad_factor: float = 1.0,
) -> Tensor:
    """Round each slice along an axis with parameters that get gradients."""
    tensor = checks.float32_tensor("input", input)
    limits = quant_min, quant_max
    return learned_per_channel(tensor, scale, zero_point, axis, limits, grad_factor)


enclose(__name__)
