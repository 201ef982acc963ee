"""Backends, under their documented path ``refquant.backends.quantized``."""

from refquant._paths import no_attribute as _no_attribute
from refquant.backends import cudnn, mps, quantized

__all__ = ["cudnn", "mps", "quantized"]


def __getattr__(name: str):
    raise _no_attribute(__name__, name)
