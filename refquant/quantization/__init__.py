"""Observers, QConfigs, and the workflow that prepares and quantizes models.

The package spans two layers: observers, fake quantization and QConfigs, which modules of
`refquant.nn` build on, and above those modules the workflow that replaces them. Names are
therefore imported on first use; ``__init__.pyi`` lists them.
"""

import sys as _sys

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)

# PyTorch has files of the names of two functions. Imported already, they leave the functions alone.
for _path in ("refquant.quantization", "refquant.ao.quantization"):
    for _name in ("fuse_modules", "quantize"):
        _sys.modules[f"{_path}.{_name}"] = _sys.modules[__name__]
