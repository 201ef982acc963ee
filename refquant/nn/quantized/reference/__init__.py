"""Float modules whose weights are quantized and dequantized, under their documented names.

They say what a quantized module means without the arithmetic of an engine: weights are rounded to
what their integers stand for, everything else is float. ``convert`` makes them if `is_reference` is
set; other compilers recognize their pattern.
"""

from refquant.nn.quantized.reference.cells import GRUCell, LSTMCell, RNNCell
from refquant.nn.quantized.reference.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from refquant.nn.quantized.reference.embedding import Embedding, EmbeddingBag
from refquant.nn.quantized.reference.linear import Linear
from refquant.nn.quantized.reference.recurrent import GRU, LSTM

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Embedding",
    "EmbeddingBag",
    "GRU",
    "GRUCell",
    "LSTM",
    "LSTMCell",
    "Linear",
    "RNNCell",
]
