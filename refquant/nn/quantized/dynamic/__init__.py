"""Modules that quantize their input at every call, under their documented names."""

from refquant.nn.quantized.dynamic.linear import Linear

__all__ = ["Linear"]
