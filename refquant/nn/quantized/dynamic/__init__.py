"""Modules that quantize their input at every call, under their documented names."""

from refquant.nn.quantized.dynamic.cells import GRUCell, LSTMCell, RNNCell, RNNCellBase
from refquant.nn.quantized.dynamic.linear import Linear
from refquant.nn.quantized.dynamic.recurrent import GRU, LSTM, PackedParameter, RNNBase

__all__ = [
    "GRU",
    "LSTM",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "PackedParameter",
    "RNNBase",
    "RNNCell",
    "RNNCellBase",
]
