"""Functions of quantized tensors, under their documented names."""

from refquant.ops.quantized.elementwise import relu

__all__ = ["relu"]
