"""Modules and functions of neural networks, under their documented names.

Two layers share the package. The float modules, which stand in this folder itself with
`functional`, `init` and `utils`, know nothing of quantization. `intrinsic`, `qat` and `quantized`
build on them and on the observers and QConfigs of `refquant.quantization`: fused modules, modules
for quantization-aware training, and quantized modules with their ``from_float``. So names are
imported when first used; ``__init__.pyi`` lists them.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
