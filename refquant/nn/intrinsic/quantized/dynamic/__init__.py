"""Fused pairs that quantize their input at every call, under their documented names."""

from refquant.nn.intrinsic.quantized.dynamic.linear import LinearReLU

__all__ = ["LinearReLU"]
