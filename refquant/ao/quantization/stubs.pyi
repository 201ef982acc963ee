"""The names of `refquant.quantization.stubs`."""

from refquant.quantization.stubs import *
