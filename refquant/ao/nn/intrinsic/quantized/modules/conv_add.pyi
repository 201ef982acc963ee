"""The names of `refquant.nn.intrinsic.quantized`."""

from refquant.nn.intrinsic.quantized import *
