"""The names of `refquant.quantization.observer`."""

from refquant.quantization.observer import *
