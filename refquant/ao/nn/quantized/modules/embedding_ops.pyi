"""The names of `refquant.nn.quantized`."""

from refquant.nn.quantized import *
