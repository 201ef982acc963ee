"""Fused pairs on quantized tensors, under their documented names."""

from refquant.nn.intrinsic.quantized.with_relu import ConvReLU1d, ConvReLU2d, ConvReLU3d, LinearReLU

__all__ = ["ConvReLU1d", "ConvReLU2d", "ConvReLU3d", "LinearReLU"]
