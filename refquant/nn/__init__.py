"""Modules and functions of neural networks, under their documented names.

Two layers share the package. The float modules, which stand in this folder itself with
`functional`, `init` and `utils`, know nothing of quantization. `intrinsic`, `qat` and `quantized`
build on them and on the observers and QConfigs of `refquant.quantization`: fused modules, modules
for quantization-aware training, and quantized modules with their ``from_float``. So those three
are imported when first used, the float modules at once; ``__init__.pyi`` lists all names.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)

# At once, so that programs find them in ``vars()`` of the package.
for _name in __all__:
    __getattr__(_name)
