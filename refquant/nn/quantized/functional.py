"""Functions of quantized tensors, under their documented names."""

from refquant.nn.quantized.unpacked import conv2d, conv3d, linear
from refquant.ops.quantized.elementwise import relu

__all__ = ["conv2d", "conv3d", "linear", "relu"]
