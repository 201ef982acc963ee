"""Loading data: `refquant.utils.data`."""

from refquant._paths import no_attribute as _no_attribute
from refquant.utils import data

__all__ = ["data"]


def __getattr__(name: str):
    raise _no_attribute(__name__, name)
