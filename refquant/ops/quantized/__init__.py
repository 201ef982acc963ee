"""Operations on quantized tensors, under their documented names.

Each checks its arguments, asks the record of the chosen engine for rules, and calls a kernel or
its definition.

Examples
--------
>>> import refquant
>>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, 2.0]), 0.5, 0, refquant.quint8)
>>> refquant.ops.quantized.mul(x, x, 0.5, 0).dequantize()
tensor([1., 4.])
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
