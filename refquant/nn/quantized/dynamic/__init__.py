"""Modules that quantize their input at every call, under their documented names."""

from refquant.nn.quantized.dynamic.cells import GRUCell, LSTMCell, RNNCell, RNNCellBase
from refquant.nn.quantized.dynamic.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from refquant.nn.quantized.dynamic.linear import Linear
from refquant.nn.quantized.dynamic.recurrent import GRU, LSTM, PackedParameter, RNNBase

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "GRU",
    "GRUCell",
    "LSTM",
    "LSTMCell",
    "Linear",
    "PackedParameter",
    "RNNBase",
    "RNNCell",
    "RNNCellBase",
]
