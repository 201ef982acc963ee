"""The names of `refquant.quantization`."""

from refquant.quantization import *
