"""Functions of quantized tensors, under their documented names."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentError
from refquant.nn import functional as F
from refquant.nn.functional import max_pool1d, max_pool2d
from refquant.nn.quantized.functional_products import conv1d, conv2d, conv3d, linear
from refquant.ops import checks
from refquant.ops.quantized import activation, functions
from refquant.ops.quantized.average_pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool2d,
    avg_pool3d,
)
from refquant.ops.quantized.elementwise import clamp as _clamp
from refquant.ops.quantized.elementwise import relu
from refquant.ops.quantized.resizing import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from refquant.tensors import QuantizedTensor

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "avg_pool2d",
    "avg_pool3d",
    "celu",
    "clamp",
    "conv1d",
    "conv2d",
    "conv3d",
    "elu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "interpolate",
    "leaky_relu",
    "linear",
    "max_pool1d",
    "max_pool2d",
    "relu",
    "threshold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]


def elu(input: Any, scale: float, zero_point: int, alpha: float = 1.0) -> QuantizedTensor:
    r"""Apply the exponential linear unit: negative numbers approach :math:`-\alpha`.

    %(per_tensor)s
    %(quantizer_of_result)s
    alpha : float, default 1
        Far negative numbers become :math:`-\alpha`.

    Returns
    -------
    QuantizedTensor
        As `refquant.ops.quantized.elu` makes it, row-major.

    Raises
    ------
    OperationError
        As `refquant.ops.quantized.elu`.

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.elu(x, 0.125, 8).dequantize()
    tensor([ 1.0000, -0.8750])
    """
    return activation.elu(input, scale, zero_point, alpha)


def celu(input: Any, scale: float, zero_point: int, alpha: float = 1.0) -> QuantizedTensor:
    r"""Apply the exponential linear unit whose slope is 1 at zero.

    %(per_tensor)s
    %(quantizer_of_result)s
    alpha : float, default 1
        Far negative numbers become :math:`-\alpha`; not 0.

    Returns
    -------
    QuantizedTensor
        As `refquant.ops.quantized.celu` makes it, row-major.

    Raises
    ------
    OperationError
        As `refquant.ops.quantized.celu`.

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.celu(x, 0.125, 16, 2.0).dequantize()
    tensor([ 1.0000, -1.2500])
    """
    return activation.celu(input, scale, zero_point, alpha)


def clamp(input: Any, min_: float, max_: float) -> QuantizedTensor:
    """Clamp to a range of real numbers, by quantizing its ends.

    %(per_tensor)s
    min_, max_ : float
        The ends of the range.

    %(like_input)s

    %(unless_per_tensor)s

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.clamp(x, -1.0, 0.5).dequantize()
    tensor([ 0.5000, -1.0000])
    """
    return _clamp(checks.quantized_per_tensor("input", input), min_, max_)


def hardtanh(
    input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> QuantizedTensor:
    """Clamp to a range of real numbers; see `clamp`.

    %(per_tensor)s
    min_val, max_val : float
        The ends of the range.
    %(inplace)s

    %(like_input)s

    %(unless_per_tensor)s

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.hardtanh(x).dequantize()
    tensor([ 1., -1.])
    """
    q: Any = checks.quantized_per_tensor("input", input)
    return F.hardtanh(q, min_val, max_val, inplace)  # type: ignore[return-value]


def hardsigmoid(input: Any, inplace: bool = False) -> QuantizedTensor:
    r"""Piecewise linear logistic function, :math:`\min(\max(x + 3, 0), 6) / 6`.

    %(per_tensor)s
    inplace : bool, default False
        Whether to change the operand, which takes the new scale and zero point.

    Returns
    -------
    QuantizedTensor
        In steps of 1/256 from 0, of 2**-32 if it is qint32; in the memory format of `input`.

    %(unless_per_tensor)s

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.hardsigmoid(x).dequantize()
    tensor([0.6680, 0.1680])
    """
    q: Any = checks.quantized_per_tensor("input", input)
    return F.hardsigmoid(q, inplace)  # type: ignore[return-value]


def hardswish(input: Any, scale: float, zero_point: int) -> QuantizedTensor:
    r"""Compute :math:`x \min(\max(x + 3, 0), 6) / 6`; see `refquant.ops.quantized.hardswish`.

    %(per_tensor)s
    %(quantizer_of_result)s

    Returns
    -------
    QuantizedTensor
        In the memory format of `input`.

    %(unless_per_tensor)s

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.hardswish(x, 0.25, 8).dequantize()
    tensor([ 0.7500, -0.2500])
    """
    return functions.hardswish(input, scale, zero_point)


def threshold(input: Any, threshold: float, value: float) -> QuantizedTensor:
    """Replace real numbers that are not above a threshold; see `refquant.ops.quantized.threshold`.

    %(per_tensor)s
    threshold, value : float
        The threshold, and what stands for numbers that are not above it.

    %(like_input)s

    %(unless_per_tensor)s

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.threshold(x, 0.0, 3.0).dequantize()
    tensor([1., 3.])
    """
    return functions.threshold(input, threshold, value)


def leaky_relu(
    input: Any,
    negative_slope: float = 0.01,
    inplace: bool = False,
    scale: float | None = None,
    zero_point: int | None = None,
) -> QuantizedTensor:
    """Apply the leaky rectified linear unit: negative numbers are multiplied by a slope.

    %(per_tensor)s
    negative_slope : float, default 0.01
        The slope.
    %(inplace)s
    scale, zero_point : float, int, optional
        Parameters of the result; those of `input` if either is left out.

    Returns
    -------
    QuantizedTensor
        Row-major if parameters are given, else in the memory format of `input`; `input` itself if
        `inplace`.

    Raises
    ------
    ArgumentError
        If `inplace` is True and parameters are given.
    OperationError
        As `refquant.ops.quantized.leaky_relu`.

    %(one_and_less)s
    >>> refquant.nn.quantized.functional.leaky_relu(x, 0.25).dequantize()
    tensor([ 1.0000, -0.5000])
    """
    q: Any = checks.quantized_per_tensor("input", input)
    if scale is None or zero_point is None:
        return F.leaky_relu(q, negative_slope, inplace)  # type: ignore[return-value]
    if arguments.flag("inplace", inplace):
        raise ArgumentError(
            argument="inplace",
            expected="False, as `scale` and `zero_point` are given",
            got=True,
            hint="leave them out to change the operand, with the parameters that it has",
        )
    return activation.leaky_relu_row_major(q, negative_slope, scale, zero_point)


document(__name__)
enclose(__name__)
