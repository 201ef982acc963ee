"""Modules of quantized models, under their documented names.

Names are imported when first used; ``__init__.pyi`` lists them.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
