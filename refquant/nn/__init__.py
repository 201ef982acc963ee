"""Modules and functions of neural networks, under their documented names."""

from importlib import import_module

from refquant.nn.containers import Identity, ModuleDict, ModuleList, Sequential
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter

# Imported when first used: they build on this package.
_LAZY = ("functional", "init", "intrinsic", "qat", "quantized", "utils")


def __getattr__(name: str):
    if name in _LAZY:
        return import_module(f"refquant.nn.{name}")
    raise AttributeError(f"module 'refquant.nn' has no attribute {name!r}")
