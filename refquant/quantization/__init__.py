"""Observers, QConfigs, and the workflow that prepares and quantizes models.

The package spans two layers: observers, fake quantization and QConfigs, which modules of
`refquant.nn` build on, and above those modules the workflow that replaces them. Names are
therefore imported on first use; ``__init__.pyi`` lists them.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
