"""The names of `refquant.nn.quantized.dynamic`."""

from refquant.nn.quantized.dynamic import *
