"""The names of `refquant.quantization.qconfig`."""

from refquant.quantization.qconfig import *
