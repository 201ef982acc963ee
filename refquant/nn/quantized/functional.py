"""Functions of quantized tensors, under their documented names."""

from typing import Any

from refquant._documentation import document
from refquant.nn.functional import max_pool2d
from refquant.nn.quantized.functional_products import conv2d, conv3d, linear
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
    "conv2d",
    "conv3d",
    "elu",
    "interpolate",
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


document(__name__)
