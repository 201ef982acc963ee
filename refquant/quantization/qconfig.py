"""`QConfig` and its defaults, under the path ``refquant.quantization.qconfig``."""

from refquant.observers.qconfig import *  # noqa: F403
from refquant.observers.qconfig import __all__ as __all__
