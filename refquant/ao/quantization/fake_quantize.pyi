"""The names of `refquant.quantization.fake_quantize`."""

from refquant.quantization.fake_quantize import *
