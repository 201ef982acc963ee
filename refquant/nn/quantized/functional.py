"""Functions of quantized tensors, under their documented names."""

from typing import Any

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

    Parameters
    ----------
    input : QuantizedTensor
        Quantized per tensor, any shape and layout.
    scale : float
        Real units of one quantized step of the result.
    zero_point : int
        The integer that stands for real zero in the result.
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

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, -2.0]), 0.5, 8, refquant.quint8)
    >>> refquant.nn.quantized.functional.elu(x, 0.125, 8).dequantize()
    tensor([ 1.   , -0.875])
    """
    return activation.elu(input, scale, zero_point, alpha)
