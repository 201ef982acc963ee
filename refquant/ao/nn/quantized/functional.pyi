"""The names of `refquant.nn.quantized.functional`."""

from refquant.nn.quantized.functional import *
