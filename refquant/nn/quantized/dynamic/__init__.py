"""Modules that quantize their input at every call, under their documented names."""

from refquant.nn.quantized.dynamic.linear import Linear
from refquant.nn.quantized.dynamic.lstm import LSTM

__all__ = ["LSTM", "Linear"]
