"""The observer that records nothing and only names a dtype."""

from refquant import dtypes
from refquant.quantization.observers.base import ObserverBase
from refquant.tensors import Tensor

__all__ = ["NoopObserver"]


class NoopObserver(ObserverBase):
    """Return tensors unchanged; used for dtypes that need no scale, such as float16.

    Parameters
    ----------
    dtype : dtype, default float16
        The dtype that weights are converted to.

    custom_op_name : str, default ''
        Kept as an attribute, otherwise unused.

    Examples
    --------
    >>> from refquant.quantization import NoopObserver
    >>> NoopObserver().dtype
    refquant.float16
    """

    def __init__(self, dtype: dtypes.dtype = dtypes.float16, custom_op_name: str = "") -> None:
        super().__init__(dtype)
        self.custom_op = custom_op_name

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`."""
        return x
