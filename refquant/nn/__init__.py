"""Modules and functions of neural networks, under their documented names."""

from importlib import import_module

from refquant.nn.activation import (
    ELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from refquant.nn.containers import Identity, ModuleDict, ModuleList, Sequential
from refquant.nn.convolution import Conv1d, Conv2d, Conv3d
from refquant.nn.dropout import Dropout, Dropout2d
from refquant.nn.linear import Flatten, Linear, Unflatten
from refquant.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from refquant.nn.module import Module
from refquant.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, LayerNorm
from refquant.nn.parameter import Parameter
from refquant.nn.pooling import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    MaxPool2d,
    Upsample,
    UpsamplingBilinear2d,
    UpsamplingNearest2d,
)
from refquant.nn.recurrent import LSTM

# Imported when first used: they build on this package.
_LAZY = ("functional", "init", "intrinsic", "qat", "quantized", "utils")


def __getattr__(name: str):
    if name in _LAZY:
        return import_module(f"refquant.nn.{name}")
    raise AttributeError(f"module 'refquant.nn' has no attribute {name!r}")
