"""Backends, under their documented path ``refquant.backends.quantized``."""

from refquant.backends import quantized

__all__ = ["quantized"]
