"""Float modules that round as quantization will, under their documented names."""

from refquant.nn.qat.convolution import Conv2d
from refquant.nn.qat.linear import Linear
