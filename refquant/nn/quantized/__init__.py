"""Modules of quantized models, under their documented names.

`dynamic` and `functional` are imported when first used; ``__init__.pyi`` lists all names.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)

# At once, so that programs find them in ``vars()`` of the package.
for _name in __all__:
    __getattr__(_name)
