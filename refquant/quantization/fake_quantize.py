"""Fake quantization, under the path ``refquant.quantization.fake_quantize``."""

from refquant.observers.fake_quantize import *  # noqa: F403
from refquant.observers.fake_quantize import __all__ as __all__
