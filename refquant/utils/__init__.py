"""Loading data: `refquant.utils.data`."""

from refquant.utils import data

__all__ = ["data"]
