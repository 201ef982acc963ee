"""PyTorch 2's paths: `refquant.ao.quantization` is `refquant.quantization`, and so on.

No code lives here. `refquant.ao.nn` is `refquant.nn`, and whatever is below one path is below the
other.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
