"""Fused modules for quantization-aware training, under their documented names."""

from refquant.nn.intrinsic.qat.activated import ConvReLU2d, LinearReLU
from refquant.nn.intrinsic.qat.normalized import (
    ConvBn2d,
    ConvBn3d,
    ConvBnReLU2d,
    ConvBnReLU3d,
    freeze_bn_stats,
    update_bn_stats,
)
