"""Everything that prepares and quantizes models, under its documented names.

Two layers share the package: observers, fake quantization and QConfigs, which modules of
`refquant.nn` build on, and above those modules the workflow that swaps them. So names are imported
when first used; ``__init__.pyi`` lists them.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
