"""Functions of quantized tensors, under their documented names."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.nn import functional as F
from refquant.nn.functional import max_pool2d
from refquant.nn.quantized.functional_products import conv1d, conv2d, conv3d, linear
from refquant.ops import checks
from refquant.ops.quantized import activation
from refquant.ops.quantized.elementwise import relu
from refquant.ops.quantized.pooling import adaptive_avg_pool2d, avg_pool2d
from refquant.ops.quantized.resizing import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from refquant.tensors import QuantizedTensor

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "conv1d",
    "conv2d",
    "conv3d",
    "elu",
    "interpolate",
    "leaky_relu",
    "linear",
    "max_pool2d",
    "relu",
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
    tensor([ 1.   , -0.875])
    """
    return activation.elu(input, scale, zero_point, alpha)


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
    tensor([ 1. , -0.5])
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
