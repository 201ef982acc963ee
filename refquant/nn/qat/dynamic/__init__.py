"""Modules that round as dynamic quantization will, under their documented names."""

from refquant.nn.qat.dynamic.linear import Linear

__all__ = ["Linear"]
