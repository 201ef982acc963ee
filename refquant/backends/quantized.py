"""The documented face of `refquant.engines`: ``engine`` can be read and set.

At first it is ``x86`` on x86-64 and ``qnnpack`` on other machines, as in PyTorch 2.

Examples
--------
>>> import refquant
>>> refquant.backends.quantized.engine = "qnnpack"
>>> refquant.backends.quantized.engine
'qnnpack'
>>> refquant.backends.quantized.engine = "x86"
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from refquant import engines

if TYPE_CHECKING:  # the properties below
    engine: str
    supported_engines: list[str]


class _QuantizedBackends(ModuleType):
    @property
    def engine(self) -> str:
        """Name of the engine that is chosen; setting it chooses another."""
        return engines.current().name

    @engine.setter
    def engine(self, name: str) -> None:
        engines.use(name)

    @property
    def supported_engines(self) -> list[str]:
        """Names of all engines that can be chosen."""
        return list(engines.names())


sys.modules[__name__].__class__ = _QuantizedBackends
