"""The observer that does not look: it only says which dtype is wanted."""

from refquant import dtypes
from refquant.quantization.observers.base import ObserverBase

__all__ = ["NoopObserver"]


class NoopObserver(ObserverBase):
    """Pass tensors on; used where a dtype needs no scale, such as float16.

    Parameters
    ----------
    dtype : dtype, default float16
        What weights will be converted to.

    Examples
    --------
    >>> from refquant.quantization import NoopObserver
    >>> NoopObserver().dtype
    refquant.float16
    """

    def __init__(self, dtype=dtypes.float16):
        super().__init__(dtype)

    def forward(self, x):
        """Return `x`."""
        return x
