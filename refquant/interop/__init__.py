"""Models and tensors of other libraries: `from_torch` and `to_torch`."""

from refquant.interop.torch import from_torch, to_torch

__all__ = ["from_torch", "to_torch"]
