"""Modules of quantized models, under their documented names."""

from importlib import import_module

from refquant.nn.quantized.activation import ELU, ReLU, ReLU6
from refquant.nn.quantized.convolution import Conv2d, Conv3d
from refquant.nn.quantized.functional_modules import FloatFunctional, QFunctional
from refquant.nn.quantized.linear import Linear
from refquant.nn.quantized.quantize import DeQuantize, Quantize

# Imported when first used: names, and the modules that define them.
_LAZY = {"MaxPool2d": "refquant.nn.pooling"}
_MODULES = ("dynamic", "functional")


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f"refquant.nn.quantized.{name}")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'refquant.nn.quantized' has no attribute {name!r}")
