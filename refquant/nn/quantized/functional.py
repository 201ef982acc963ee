"""Functions of quantized tensors, under their documented names."""

from refquant.nn.functional import max_pool2d
from refquant.nn.quantized.unpacked import conv2d, conv3d, linear
from refquant.ops.quantized.elementwise import relu
from refquant.ops.quantized.pooling import adaptive_avg_pool2d, avg_pool2d
from refquant.ops.quantized.resizing import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "conv2d",
    "conv3d",
    "interpolate",
    "linear",
    "max_pool2d",
    "relu",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]
