"""Fake quantization: rounding to what a quantizer can represent, with a gradient."""

import operator
from typing import Any

import numpy as np

from refquant import arguments, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import (
    ArgumentTypeError,
    DtypeError,
    OperationError,
    QuantizationParameterError,
)
from refquant.ops import checks, layout
from refquant.reference import fake_quantization as reference
from refquant.reference.fake_quantization import rounded_values
from refquant.reference.learned import float_point_values
from refquant.tensors import Tensor, differentiable

__all__ = [
    "fake_quantize_per_channel_affine",
    "fake_quantize_per_tensor_affine",
    "integer_limits",
    "rounded_per_channel",
    "rounded_per_tensor",
]

INT32 = np.iinfo(np.int32)
# Dtypes besides float32 that the rule of PyTorch 2.13 takes.
OTHER_FLOATS = ("float16", "float64")


def integer_limits(quant_min, quant_max) -> tuple[int, int]:
    """Check a range of integers inside that of int32, or raise."""
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

    .. math:: y = s \, (\mathrm{clip}(\mathrm{round}(x / s) + z, q_{min}, q_{max}) - z)

    Quotient (product with the reciprocal of the scale), sum and result are rounded to float32
    each, ties go to the even integer. The engine's release decides what comes first:
    ``round_then_add``, under 1.4 ``add_then_round``.

    Parameters
    ----------
    input : Tensor or ndarray of float32
        Real values, any shape and layout; under 2.13 also float16 and float64.
    scale : float or Tensor
        Real units of one quantized step; its float32 value and reciprocal must be finite and
        positive.
    zero_point : int or Tensor
        The integer that stands for real zero, in ``quant_min..quant_max``; a tensor is not
        checked for that, and a float in it is cut towards zero.
    quant_min, quant_max : int
        Range of the integers, inside that of int32; it need not be that of a dtype.

    Returns
    -------
    Tensor
        Of the dtype, shape and memory format of `input`. NaN gives what `quant_min` stands
        for, infinities saturate. The gradient passes unchanged where nothing was clipped and is
        zero elsewhere, NaN included.

    Raises
    ------
    DtypeError
        If `input` is not of such a dtype.
    QuantizationParameterError
        If the scale is not valid, or the zero point lies outside the range.
    OperationError
        If the range is empty or larger than int32.

    Notes
    -----
    Source: ``fake_quantize_per_tensor_affine`` of PyTorch; in 1.4 infinities and numbers beyond
    int64 give `quant_min`, which is not reproduced.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([-1.0, 0.26, 9.9], requires_grad=True)
    >>> y = refquant.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 15)
    >>> y.detach()
    tensor([0.0000, 0.3000, 1.5000])
    >>> y.sum().backward()
    >>> x.grad
    tensor([0., 1., 0.])
    """
    rule = engines.current().workflow.fake_quantize
    tensor = _real_tensor(input, rule)
    low, high = integer_limits(quant_min, quant_max)
    if isinstance(zero_point, Tensor):
        zero_point = int(_one("zero_point", zero_point))
    else:
        zero_point = checks.whole_number("zero_point", zero_point)
        if not low <= zero_point <= high:
            raise _outside("zero_point", zero_point, low, high)
    scale = checks.scale_value("scale", _one("scale", scale))
    return rounded_per_tensor(tensor, scale, zero_point, low, high, rule)


def _one(argument: str, value: Any) -> Any:
    """Return the number that a tensor of one element holds; other values as they are."""
    if not isinstance(value, Tensor):
        return value
    if value.array.size != 1:
        raise QuantizationParameterError(
            argument=argument, expected="one number", got=f"shape {value.array.shape}"
        )
    return value.array.reshape(-1)[0].item()


def _real_tensor(input: Any, rule: str) -> Tensor:
    """Return a tensor of a dtype that the rule of a release takes, or raise."""
    plain = isinstance(input, Tensor) and not input.is_quantized
    if rule == "round_then_add" and plain and input.array.dtype.name in OTHER_FLOATS:
        return input
    return checks.float32_tensor("input", input)


def rounded_per_tensor(
    tensor: Tensor, scale: float, zero_point: int, low: int, high: int, rule: str
) -> Tensor:
    """Round a tensor by a rule, with its gradient; arguments are not checked."""
    array = tensor.array
    flat, memory_format = layout.flatten(array)
    if array.dtype == np.float32:
        x, y = flat, kernels.fake_quantize_per_tensor(flat, scale, zero_point, low, high, rule)
        backward_of = kernels.fake_quantize_per_tensor_backward
    else:
        x = _computed(flat)
        values = rounded_values(x, np.float32(scale), zero_point, low, high, False)
        y = _narrowed(values, array.dtype)
        backward_of = reference.fake_quantize_per_tensor_backward

    def backward(gradient):
        taken, _ = layout.flatten(gradient, memory_format)
        result = backward_of(taken, x, scale, zero_point, low, high, rule)
        return (layout.restore(result, array.shape, memory_format),)

    return differentiable(layout.restore(y, array.shape, memory_format), (tensor,), backward)


@np.errstate(over="ignore")
def _narrowed(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round results to the type of the numbers; to float16 by way of float32, as PyTorch does."""
    if dtype == np.float64:
        return values
    return values.astype(np.float32).astype(dtype, copy=False)


def _computed(array: np.ndarray) -> np.ndarray:
    """Convert numbers to the type in which they are rounded."""
    return array if array.dtype == np.float64 else array.astype(np.float32)


def _channels(scale, zero_point, channels, low, high, rule):
    s = checks.plain_numbers("scale", scale)
    z = checks.plain_numbers("zero_point", zero_point)
    for name, values in (("scale", s), ("zero_point", z)):
        if values.shape != (channels,):
            raise QuantizationParameterError(
                argument=name,
                got=f"shape {values.shape}",
                expected=f"of shape ({channels},), one for each slice along the axis",
            )
    if rule == "round_then_add" and z.dtype.name in ("float16", "float32"):
        return checks.scale_values("scale", s).astype(np.float32), z
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
    zero_point : Tensor or ndarray, shape (channels,)
        The integers that stand for real zero, in ``quant_min..quant_max``; under 2.13 also float32
        or float16 of any value, for schemes whose zero points are no integers.
    axis : int
        The dimension of the channels; negative counts from the end.
    quant_min, quant_max : int
        Range of the integers, inside that of int32.

    Returns
    -------
    Tensor
        Of the dtype, shape and memory format of `input`, with the gradient of
        `fake_quantize_per_tensor_affine`.

    Raises
    ------
    DtypeError
        If `input` or `zero_point` are not of such a dtype.
    QuantizationParameterError
        If scales or zero points are not valid or not one for each slice.
    IndexRangeError
        If `axis` is not a dimension of `input`.

    Notes
    -----
    Under 2.13 numbers that int64 cannot hold, infinities included, give `quant_min`, and only the
    result is rounded to float32. Source: ``fake_quantize_per_channel_affine`` of PyTorch.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([[0.26, 9.9], [0.26, 9.9]])
    >>> refquant.fake_quantize_per_channel_affine(
    ...     x, refquant.tensor([0.1, 1.0]), refquant.tensor([0, 0]), 0, 0, 15)
    tensor([[ 0.3000,  1.5000],
            [ 0.0000, 10.0000]])
    """
    rule = engines.current().workflow.fake_quantize
    tensor = _real_tensor(input, rule)
    low, high = integer_limits(quant_min, quant_max)
    array = tensor.array
    axis = checks.dimension("axis", axis, array.ndim)
    channels = array.shape[axis] if array.ndim else 0
    scales, zero_points = _channels(scale, zero_point, channels, low, high, rule)
    return rounded_per_channel(tensor, scales, zero_points, axis, (low, high), rule)


def rounded_per_channel(
    tensor: Tensor,
    scales: np.ndarray,
    zero_points: np.ndarray,
    axis: int,
    limits: tuple[int, int],
    rule: str,
) -> Tensor:
    """Round each slice along an axis by a rule, with its gradient; arguments are not checked."""
    array = tensor.array
    dense, memory_format = layout.slices(array, axis)
    s, z = scales[None, :, None], zero_points[None, :, None]
    kept = None
    if zero_points.dtype.kind == "f":
        values, kept = float_point_values(_computed(dense), s, z, *limits)
        y = _narrowed(values, array.dtype)
    elif array.dtype == np.float32:
        zero_points = np.ascontiguousarray(zero_points, np.int64)
        y = kernels.fake_quantize_per_channel(dense, scales, zero_points, *limits, rule)
    else:
        values = rounded_values(_computed(dense), s, z, *limits, True)
        y = _narrowed(values, array.dtype)

    def backward(gradient):
        taken, _ = layout.slices(gradient, axis, memory_format)
        if kept is not None:
            result = taken * kept.astype(taken.dtype)
        elif array.dtype == np.float32:
            result = kernels.fake_quantize_per_channel_backward(
                taken, dense, scales, zero_points, *limits, rule
            )
        else:
            result = reference.fake_quantize_per_channel_backward(
                taken, _computed(dense), scales, zero_points, *limits, rule
            )
        return (layout.restore(result.reshape(-1), array.shape, memory_format),)

    shaped = layout.restore(y.reshape(-1), array.shape, memory_format)
    return differentiable(shaped, (tensor,), backward)


document(__name__)
enclose(__name__)
