"""PyTorch 2's paths: `refquant.ao.quantization` is `refquant.quantization`, and so on.

No code lives here. `refquant.ao.nn` is `refquant.nn`, and ``refquant.ao.ns._numeric_suite`` has the
names of `refquant.quantization.numeric_suite`; whatever is below one path is below the other.
"""

from refquant._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
