"""Fused pairs on quantized tensors, under their documented names."""

from refquant.nn.intrinsic.quantized import dynamic
from refquant.nn.intrinsic.quantized.normalized import BNReLU2d, BNReLU3d
from refquant.nn.intrinsic.quantized.with_post_operations import (
    ConvAdd2d,
    ConvAddReLU2d,
    LinearLeakyReLU,
    LinearTanh,
)
from refquant.nn.intrinsic.quantized.with_relu import ConvReLU1d, ConvReLU2d, ConvReLU3d, LinearReLU

__all__ = [
    "BNReLU2d",
    "BNReLU3d",
    "ConvAdd2d",
    "ConvAddReLU2d",
    "ConvReLU1d",
    "ConvReLU2d",
    "ConvReLU3d",
    "LinearLeakyReLU",
    "LinearReLU",
    "LinearTanh",
]
