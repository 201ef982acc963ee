"""Fused modules: sequences that quantization treats as one, under their documented names.

The float ones are here, those for quantization-aware training in `qat` and the quantized ones in
`quantized`, which are imported when first used; ``__init__.pyi`` lists all names.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)

# At once, so that programs find them in ``vars()`` of the package.
for _name in __all__:
    __getattr__(_name)
