"""Names of the package, which are imported when first used."""

from refquant import nn as nn
from refquant import quantization as ns
from refquant import quantization as quantization

__all__ = ["nn", "ns", "quantization"]
