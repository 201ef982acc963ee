"""Fake quantization: rounding to what a quantizer can represent, with a gradient."""

import operator
from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant.errors import (
    ArgumentTypeError,
    DtypeError,
    OperationError,
    QuantizationParameterError,
)
from refquant.ops import checks, layout
from refquant.tensors import Tensor, differentiable

__all__ = ["fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine"]

INT32 = np.iinfo(np.int32)


def _limits(quant_min, quant_max) -> tuple[int, int]:
    try:
        low, high = operator.index(quant_min), operator.index(quant_max)
    except TypeError:
        raise ArgumentTypeError(
            argument="quant_min, quant_max",
            expected="whole numbers",
            got=f"{arguments.describe(quant_min)}, {arguments.describe(quant_max)}",
        ) from None
    if not INT32.min <= low <= high <= INT32.max:
        raise OperationError(
            argument="quant_min, quant_max",
            got=f"{arguments.describe(low)}, {arguments.describe(high)}",
            expected="quant_min <= quant_max, both in the range of int32",
        )
    return low, high


def _outside(argument: str, got, low: int, high: int):
    return QuantizationParameterError(
        argument=argument,
        expected=f"between quant_min and quant_max, {low}..{high}",
        got=got,
        hint="choose both with an observer of the same quant_min and quant_max",
    )


def fake_quantize_per_tensor_affine(
    input: Any, scale: float, zero_point: int, quant_min: int, quant_max: int
) -> Tensor:
    r"""Round to the real numbers that a quantizer can represent.

    .. math:: y = s \, (\mathrm{clip}(\mathrm{round}(z + x / s), q_{min}, q_{max}) - z)

    Quotient (product with the reciprocal of the scale), sum and result are rounded to float32
    each, ties go to the even integer: the rule ``add_then_round``, under every engine.

    %(real_input)s
    scale : float
        Real units of one quantized step; its float32 value and reciprocal must be finite and
        positive.
    zero_point : int
        The integer that stands for real zero, in ``quant_min..quant_max``.
    quant_min, quant_max : int
        Range of the integers, inside that of int32; it need not be that of a dtype.

    Returns
    -------
    Tensor
        float32, of the shape and memory format of `input`. NaN gives what `quant_min` stands
        for, infinities saturate. The gradient passes unchanged where nothing was clipped and is
        zero elsewhere, NaN included.

    Raises
    ------
    DtypeError
        If `input` is not float32.
    QuantizationParameterError
        If the scale is not valid, or the zero point lies outside the range.
    OperationError
        If the range is empty or larger than int32.

    Notes
    -----
    Source: ``fake_quantize_per_tensor_affine`` of PyTorch 1.4; there infinities and numbers
    beyond int64 give `quant_min`, which is not reproduced.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([-1.0, 0.26, 9.9], requires_grad=True)
    >>> y = refquant.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 15)
    >>> y.detach()
    tensor([0. , 0.3, 1.5])
    >>> y.sum().backward()
    >>> x.grad
    tensor([0., 1., 0.])
    """
    tensor = checks.float32_tensor("input", input)
    low, high = _limits(quant_min, quant_max)
    scale = checks.scale_value("scale", scale)
    zero_point = checks.whole_number("zero_point", zero_point)
    if not low <= zero_point <= high:
        raise _outside("zero_point", zero_point, low, high)
    array = tensor.array
    flat, memory_format = layout.flatten(array)
    y = kernels.fake_quantize_per_tensor(flat, scale, zero_point, low, high)

    def backward(gradient):
        taken, _ = layout.flatten(gradient, memory_format)
        result = kernels.fake_quantize_per_tensor_backward(
            taken, flat, scale, zero_point, low, high
        )
        return (layout.restore(result, array.shape, memory_format),)

    return differentiable(layout.restore(y, array.shape, memory_format), (tensor,), backward)


def _channels(scale, zero_point, channels, low, high):
    s = checks.plain_numbers("scale", scale)
    z = checks.plain_numbers("zero_point", zero_point)
    for name, values in (("scale", s), ("zero_point", z)):
        if values.shape != (channels,):
            raise QuantizationParameterError(
                argument=name,
                got=f"shape {values.shape}",
                expected=f"of shape ({channels},), one for each slice along the axis",
            )
    if z.dtype.kind not in "iu":
        raise DtypeError(
            argument="zero_point",
            expected="an integer tensor",
            got=z.dtype,
            hint="convert it with .to(refquant.int64)",
        )
    z = np.ascontiguousarray(z, np.int64)
    outside = (z < low) | (z > high)
    if outside.any():
        index = int(np.argmax(outside))
        raise _outside(f"zero_point[{index}]", int(z[index]), low, high)
    return checks.scale_values("scale", s).astype(np.float32), z


def fake_quantize_per_channel_affine(
    input: Any, scale: Any, zero_point: Any, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    r"""Round each slice along an axis to the real numbers that its quantizer can represent.

    The formula is that of `fake_quantize_per_tensor_affine`, with a scale and a zero point for
    each slice.

    Parameters
    ----------
    input : Tensor or ndarray of float32
        Real values, any shape of at least one dimension, any layout.
    scale : Tensor or ndarray, shape (channels,)
        Real units of one quantized step; rounded to float32.
    zero_point : Tensor or ndarray of an integer type, shape (channels,)
        The integers that stand for real zero, in ``quant_min..quant_max``.
    axis : int
        The dimension of the channels; negative counts from the end.
    quant_min, quant_max : int
        Range of the integers, inside that of int32.

    Returns
    -------
    Tensor
        float32, of the shape and memory format of `input`, with the gradient of
        `fake_quantize_per_tensor_affine`.

    Raises
    ------
    DtypeError
        If `input` is not float32 or `zero_point` are not integers.
    QuantizationParameterError
        If scales or zero points are not valid or not one for each slice.
    IndexRangeError
        If `axis` is not a dimension of `input`.

    Notes
    -----
    Source: ``fake_quantize_per_channel_affine`` of PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([[0.26, 9.9], [0.26, 9.9]])
    >>> refquant.fake_quantize_per_channel_affine(
    ...     x, refquant.tensor([0.1, 1.0]), refquant.tensor([0, 0]), 0, 0, 15)
    tensor([[ 0.3,  1.5],
            [ 0. , 10. ]])
    """
    tensor = checks.float32_tensor("input", input)
    low, high = _limits(quant_min, quant_max)
    array = tensor.array
    axis = checks.dimension("axis", axis, array.ndim)
    channels = array.shape[axis] if array.ndim else 0
    scales, zero_points = _channels(scale, zero_point, channels, low, high)
    dense, memory_format = layout.slices(array, axis)
    y = kernels.fake_quantize_per_channel(dense, scales, zero_points, low, high)

    def backward(gradient):
        taken, _ = layout.slices(gradient, axis, memory_format)
        result = kernels.fake_quantize_per_channel_backward(
            taken, dense, scales, zero_points, low, high
        )
        return (layout.restore(result.reshape(-1), array.shape, memory_format),)

    shaped = layout.restore(y.reshape(-1), array.shape, memory_format)
    return differentiable(shaped, (tensor,), backward)


document(__name__)
