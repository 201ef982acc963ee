"""The observer that keeps every tensor it sees, for debugging."""

from refquant import dtypes
from refquant.ops import checks
from refquant.quantization.observers.base import ObserverBase
from refquant.tensors import Tensor

__all__ = ["RecordingObserver"]


class RecordingObserver(ObserverBase):
    """Keep a copy of every tensor that passes through; memory grows with every batch.

    Parameters
    ----------
    dtype : dtype, default quint8
        Kept as an attribute like `qscheme` and `reduce_range`, otherwise unused.
    qscheme : qscheme, default per_tensor_affine
        What a quantizer would be.
    reduce_range : bool, default False
        Whether a quantizer would leave a bit unused.

    Attributes
    ----------
    tensor_val : list of Tensor
        The copies.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import RecordingObserver
    >>> observer = RecordingObserver()
    >>> _ = observer(refquant.tensor([1.0, 2.0]))
    >>> observer.get_tensor_value()
    [tensor([1., 2.])]
    """

    def __init__(
        self,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_tensor_affine,
        reduce_range: bool = False,
    ) -> None:
        super().__init__(dtype)
        self.qscheme, self.reduce_range = qscheme, reduce_range
        self.tensor_val: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Keep a copy of `x` and return it."""
        tensor = checks.plain_tensor("x", x)
        self.tensor_val.append(Tensor(tensor.array.copy(order="K")))
        return x

    def get_tensor_value(self) -> list[Tensor]:
        """Return all copies, in order."""
        return self.tensor_val
