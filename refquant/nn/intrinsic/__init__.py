"""Sequences of modules that quantization treats as one, under their documented names."""

from importlib import import_module

from refquant.nn.intrinsic.fused import (
    ConvBn2d,
    ConvBn3d,
    ConvBnReLU2d,
    ConvBnReLU3d,
    ConvReLU2d,
    ConvReLU3d,
    LinearReLU,
)

# Imported when first used: they build on this package.
_LAZY = ("qat", "quantized")


def __getattr__(name: str):
    if name in _LAZY:
        return import_module(f"refquant.nn.intrinsic.{name}")
    raise AttributeError(f"module 'refquant.nn.intrinsic' has no attribute {name!r}")
