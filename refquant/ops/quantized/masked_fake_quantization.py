"""Fake quantization that also tells which elements were not clipped."""

from typing import Any, NamedTuple

import numpy as np

from refquant._environment import enclose
from refquant.ops import checks
from refquant.ops.quantized.fake_quantization import (
    fake_quantize_per_tensor_affine,
    rounded_per_channel,
    rounded_per_tensor,
)
from refquant.ops.quantized.fused_fake_quantization import RULE, fused_moving_avg_obs_fake_quant
from refquant.tensors import Tensor
from refquant.tensors.autograd import enable_grad


class OutputAndMask(NamedTuple):
    """Rounded numbers, and which of them were not clipped."""

    output: Tensor
    mask: Tensor


def _everything(tensor: Tensor) -> Tensor:
    return Tensor(np.ones_like(tensor.array, np.bool_))


def _passed(tensor: Tensor, rounded: Any) -> Tensor:
    """Find the elements that let the gradient pass: those that were not clipped."""
    leaf = Tensor(tensor.array, requires_grad=True)
    with enable_grad():
        made = rounded(leaf)
    if made.array.size:
        made.backward(Tensor(np.ones_like(made.array)))
    if leaf.grad is None:
        return _everything(tensor)
    return Tensor(leaf.grad.array != 0)


def _fake_quantize_per_tensor_affine_cachemask_tensor_qparams(
    input: Any,
    scale: Tensor,
    zero_point: Tensor,
    fake_quant_enabled: Tensor,
    quant_min: int,
    quant_max: int,
) -> OutputAndMask:
    """Round as `refquant.fake_quantize_per_tensor_affine` does, and tell what was not clipped.

    Parameters
    ----------
    input : Tensor of float32
        Real values.
    scale, zero_point : Tensor
        One number each.
    fake_quant_enabled : Tensor
        One number: 0 leaves the input as it is.
    quant_min, quant_max : int
        Range of the integers.

    Returns
    -------
    OutputAndMask
        `output`, and `mask` of bool: true where nothing was clipped.

    Examples
    --------
    >>> import refquant
    >>> x, on = refquant.tensor([-1.0, 0.26]), refquant.ones(1)
    >>> refquant._fake_quantize_per_tensor_affine_cachemask_tensor_qparams(
    ...     x, refquant.tensor([0.1]), refquant.tensor([0]), on, 0, 15).mask
    tensor([False,  True])
    """
    tensor = checks.plain_tensor("input", input)
    enabled = checks.plain_tensor("fake_quant_enabled", fake_quant_enabled)
    if not enabled.array.any():
        return OutputAndMask(tensor.clone(), _everything(tensor))

    def rounded(x: Tensor) -> Tensor:
        return fake_quantize_per_tensor_affine(x, scale, zero_point, quant_min, quant_max)  # type: ignore[arg-type]

    return OutputAndMask(rounded(tensor), _passed(tensor, rounded))


def _fused_moving_avg_obs_fq_helper(
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
) -> OutputAndMask:
    """Observe and round as `refquant.fused_moving_avg_obs_fake_quant`; tell what was not clipped.

    Parameters
    ----------
    input, observer_on, fake_quant_on, running_min, running_max, scale, zero_point, \
averaging_const, quant_min, quant_max, ch_axis, per_row_fake_quant, symmetric_quant
        As of `refquant.fused_moving_avg_obs_fake_quant`.

    Returns
    -------
    OutputAndMask
        `output`, and `mask` of bool: true where nothing was clipped.

    Examples
    --------
    >>> import refquant
    >>> on, off = refquant.ones(1), refquant.zeros(1)
    >>> kept = refquant.tensor(0.0), refquant.tensor(2.55), refquant.ones(1), refquant.zeros(1)
    >>> x = refquant.tensor([-1.0, 1.0])
    >>> refquant._fused_moving_avg_obs_fq_helper(x, off, on, *kept, 0.01, 0, 255, -1).mask
    tensor([False,  True])
    """
    output = fused_moving_avg_obs_fake_quant(
        *(input, observer_on, fake_quant_on, running_min, running_max, scale, zero_point),
        *(averaging_const, quant_min, quant_max, ch_axis, per_row_fake_quant, symmetric_quant),
    )
    tensor = checks.float32_tensor("input", input)
    if not fake_quant_on.array.any() or tensor.array.size == 0:
        return OutputAndMask(output, _everything(tensor))
    if per_row_fake_quant:
        return OutputAndMask(
            output,
            _passed(
                tensor,
                lambda x: rounded_per_channel(
                    x, scale.array, zero_point.array, 0, (quant_min, quant_max), RULE
                ),
            ),
        )
    one = float(scale.array.reshape(-1)[0]), int(zero_point.array.reshape(-1)[0])
    return OutputAndMask(
        output,
        _passed(tensor, lambda x: rounded_per_tensor(x, *one, quant_min, quant_max, RULE)),
    )


enclose(__name__)
