"""The observer of the smallest and the largest element."""

from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import documented
from refquant.ops import layout
from refquant.quantization.observers.affine import EPS, UniformQuantizationObserverBase
from refquant.tensors import Tensor

__all__ = ["MinMaxObserver"]


@documented()
class MinMaxObserver(UniformQuantizationObserverBase):
    r"""Keep the smallest and the largest element that was ever seen.

    .. math:: l = \min(l, \min x), \quad u = \max(u, \max x)

    Parameters
    ----------
    dtype : dtype, default quint8
        quint8 or qint8.
    qscheme : qscheme, default per_tensor_affine
        per_tensor_affine or per_tensor_symmetric.
    %(reduce_range)s
    %(quant_limits)s
    %(observer_rest)s

    Attributes
    ----------
    %(range_seen)s

    Raises
    ------
    ArgumentError
        If dtype or range are not possible.
    NotSupportedError
        If the scheme is per channel, or symmetric quint8 is to be reduced.

    Notes
    -----
    An empty batch changes nothing. NaN and infinity are an error that names the place in the
    model. Source: the documentation of ``torch.quantization.MinMaxObserver``.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MinMaxObserver
    >>> observer = MinMaxObserver()
    >>> _ = observer(refquant.tensor([-1.0, 0.5, 4.1]))
    >>> observer.calculate_qparams()
    (tensor([0.0200]), tensor([50], dtype=refquant.int32))
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
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: Any = None,
        eps: float = EPS,
        *,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, eps, is_dynamic)
        for name, value in zip(("min_val", "max_val"), self._start(), strict=True):
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        """Observe `x` and return it."""
        array = self._elements(x)
        if array.size:
            extremes = kernels.min_max(layout.flatten(array)[0])
            self._check_finite(extremes)
            with self._turn:
                self._set(self._update(extremes))
        return x

    def reset_min_max_vals(self) -> None:
        """Forget the range that was seen."""
        self.reset_range()

    def _update(self, extremes: np.ndarray) -> np.ndarray:
        """Combine what was seen before with the range of a batch."""
        seen = self._seen()
        return extremes if seen is None else kernels.min_max(np.concatenate([seen, extremes]))

    def _set(self, ends: np.ndarray) -> None:
        self.min_val = Tensor(ends[0:1].reshape(()))
        self.max_val = Tensor(ends[1:2].reshape(()))

    def _absorb(self, other) -> None:
        seen = other._seen()
        if seen is not None:
            self._set(MinMaxObserver._update(self, seen))
