"""The observer of the smallest and the largest element."""

import numpy as np

from refquant import dtypes, kernels
from refquant.ops import layout
from refquant.quantization.observers.affine import AffineObserver
from refquant.tensors import Tensor

__all__ = ["MinMaxObserver"]


class MinMaxObserver(AffineObserver):
    r"""Keep the smallest and the largest element that was ever seen.

    .. math:: l = \min(l, \min x), \quad u = \max(u, \max x)

    Parameters
    ----------
    dtype : dtype, default quint8
        quint8 or qint8.
    qscheme : qscheme, default per_tensor_affine
        per_tensor_affine or per_tensor_symmetric.
    reduce_range : bool, default False
        Map to 0..127 or -64..63 instead of 0..255 or -128..127.
    quant_min, quant_max : int, optional
        A narrower range of integers, for 2 to 8 bits.

    Attributes
    ----------
    min_val, max_val : Tensor of float32, shape (), or None
        Ends of the range; None before anything was seen.

    Raises
    ------
    ArgumentError
        If dtype or range are not possible.
    NotSupportedError
        If the scheme is per channel, or symmetric quint8 is to be reduced.

    Notes
    -----
    An empty batch changes nothing. NaN and infinity are an error that names the place in the
    model. Source: the documentation of ``torch.quantization.MinMaxObserver``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MinMaxObserver
    >>> observer = MinMaxObserver()
    >>> _ = observer(refquant.tensor([-1.0, 0.5, 4.1]))
    >>> observer.calculate_qparams()
    (tensor([0.02]), tensor([50]))
    >>> print(observer.explain())
    MinMaxObserver
      integers      0..255 of quint8
      scheme        per_tensor_affine
      range mapped  -1 .. 4.1
      scale         0.0199999996 = (4.1 - -1) / 255
      zero point    50: 0 - (-1) / scale = 50.0000, rounded
      represented   -1 .. 4.1 in steps of 0.02
      clipped       nothing of the range mapped
    """

    _statistics = ("min_val", "max_val")

    def __init__(
        self,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_tensor_affine,
        reduce_range: bool = False,
        *,
        quant_min: int | None = None,
        quant_max: int | None = None,
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max)
        self.register_buffer("min_val", None)
        self.register_buffer("max_val", None)

    def forward(self, x: Tensor) -> Tensor:
        """Observe `x` and return it."""
        array = self._elements(x)
        if array.size:
            extremes = kernels.min_max(layout.flatten(array)[0])
            self._check_finite(extremes)
            self._set(self._update(extremes))
        return x

    def _seen(self) -> np.ndarray | None:
        """Minimum and maximum so far."""
        if self.min_val is None:
            return None
        return np.array([self.min_val.array, self.max_val.array], np.float32)

    def _update(self, extremes: np.ndarray) -> np.ndarray:
        """Combine what was seen before with the range of a batch."""
        seen = self._seen()
        return extremes if seen is None else kernels.min_max(np.concatenate([seen, extremes]))

    def _set(self, ends: np.ndarray) -> None:
        self.min_val = Tensor(ends[0:1].reshape(()))
        self.max_val = Tensor(ends[1:2].reshape(()))

    def _range(self):
        seen = self._seen()
        return None if seen is None else (seen[0:1], seen[1:2])

    def _absorb(self, other) -> None:
        seen = other._seen()
        if seen is not None:
            self._set(MinMaxObserver._update(self, seen))

    def extra_repr(self) -> str:
        """Show the range."""
        if self.min_val is None:
            return "min_val=None, max_val=None"
        return f"min_val={self.min_val.item()}, max_val={self.max_val.item()}"
