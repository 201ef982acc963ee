"""Fused modules: sequences that quantization treats as one, under their documented names.

The float ones are here, those for quantization-aware training in `qat` and the quantized ones in
`quantized`. Names are imported when first used; ``__init__.pyi`` lists them.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
