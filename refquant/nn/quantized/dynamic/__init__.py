"""Modules that quantize their input at every call, under their documented names."""

from refquant.nn.quantized.dynamic.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from refquant.nn.quantized.dynamic.linear import Linear
from refquant.nn.quantized.dynamic.lstm import LSTM

__all__ = [
    "LSTM",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Linear",
]
