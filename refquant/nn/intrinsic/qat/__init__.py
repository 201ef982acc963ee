"""Fused modules for quantization-aware training, under their documented names."""

from refquant.nn.intrinsic.qat.conv_bn import ConvBn2d, ConvBn3d, freeze_bn_stats, update_bn_stats
from refquant.nn.intrinsic.qat.conv_bn_relu import ConvBnReLU2d, ConvBnReLU3d
from refquant.nn.intrinsic.qat.with_relu import ConvReLU2d, LinearReLU

__all__ = [
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnReLU2d",
    "ConvBnReLU3d",
    "ConvReLU2d",
    "LinearReLU",
    "freeze_bn_stats",
    "update_bn_stats",
]
