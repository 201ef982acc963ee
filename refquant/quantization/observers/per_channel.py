"""The observer of the smallest and the largest element of each channel."""

from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant.errors import ShapeError
from refquant.ops import checks, layout
from refquant.quantization.observers.affine import AffineObserver
from refquant.tensors import Tensor

__all__ = ["PerChannelMinMaxObserver"]


class PerChannelMinMaxObserver(AffineObserver):
    """Keep the smallest and the largest element that was ever seen in each channel.

    Parameters
    ----------
    ch_axis : int, default 0
        The dimension of the channels.
    dtype : dtype, default quint8
        quint8 or qint8.
    qscheme : qscheme, default per_channel_affine
        per_channel_affine or per_channel_symmetric.
    reduce_range : bool, default False
        Map to 0..127 or -64..63 instead of 0..255 or -128..127.
    quant_min, quant_max : int, optional
        A narrower range of integers, for 2 to 8 bits.

    Attributes
    ----------
    min_vals, max_vals : Tensor of float32, shape (channels,), or None
        Ends of the ranges; None before anything was seen.

    Raises
    ------
    ArgumentError
        If dtype or range are not possible.
    NotSupportedError
        If the scheme is per tensor, or symmetric quint8 is to be reduced.

    Notes
    -----
    Each channel follows the formulas of `MinMaxObserver`. Source: the documentation of
    ``torch.quantization.PerChannelMinMaxObserver``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import PerChannelMinMaxObserver
    >>> observer = PerChannelMinMaxObserver(dtype=refquant.qint8,
    ...                                     qscheme=refquant.per_channel_symmetric)
    >>> _ = observer(refquant.tensor([[-1.0, 0.5], [0.0, 2.55]]))
    >>> scales, zero_points, axis = observer.calculate_qparams()
    >>> scales, zero_points, axis
    (tensor([0.0078, 0.02  ]), tensor([0, 0]), 0)
    """

    per_channel = True
    _statistics = ("min_vals", "max_vals")

    def __init__(
        self,
        ch_axis: int = 0,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_channel_affine,
        reduce_range: bool = False,
        *,
        quant_min: int | None = None,
        quant_max: int | None = None,
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max)
        self.ch_axis = ch_axis
        self.register_buffer("min_vals", None)
        self.register_buffer("max_vals", None)

    @property
    def min_val(self) -> Tensor:
        """Minima, under the name that observers per tensor have."""
        return self.min_vals

    @property
    def max_val(self) -> Tensor:
        """Maxima, under the name that observers per tensor have."""
        return self.max_vals

    def forward(self, x: Tensor) -> Tensor:
        """Observe `x` and return it."""
        array = self._elements(x)
        if array.ndim == 0:
            raise ShapeError(
                argument="x",
                expected="of at least one dimension",
                got="a 0-dimensional tensor",
            )
        axis = checks.dimension("ch_axis", self.ch_axis, array.ndim)
        seen = self._seen()
        if seen is not None and array.shape[axis] != seen.shape[1]:
            raise ShapeError(
                argument="x",
                got=f"shape {array.shape}",
                expected=f"of {seen.shape[1]} channels along axis {axis}, as before",
            )
        if array.size:
            extremes = kernels.min_max_per_channel(layout.slices(array, axis)[0])
            self._check_finite(extremes)
            self._set(extremes if seen is None else self._update(seen, extremes))
        return x

    def _seen(self) -> np.ndarray | None:
        """Minima and maxima so far, shape (2, channels)."""
        if self.min_vals is None:
            return None
        return np.stack([self.min_vals.array, self.max_vals.array])

    def _update(self, seen: np.ndarray, extremes: np.ndarray) -> np.ndarray:
        """Combine what was seen before with the ranges of a batch."""
        return kernels.min_max_per_channel(np.concatenate([seen, extremes])[:, :, None])

    def _set(self, ends: np.ndarray) -> None:
        self.min_vals, self.max_vals = Tensor(ends[0]), Tensor(ends[1])

    def _range(self):
        seen = self._seen()
        return None if seen is None else (seen[0], seen[1])

    def _settings(self) -> tuple:
        return (*super()._settings(), self.ch_axis)

    def _absorb(self, other) -> None:
        theirs, ours = other._seen(), self._seen()
        if theirs is None:
            return
        if ours is not None and ours.shape != theirs.shape:
            raise ShapeError(
                argument="other",
                got=f"{theirs.shape[1]} channels",
                expected=f"of {ours.shape[1]} channels",
            )
        self._set(theirs if ours is None else PerChannelMinMaxObserver._update(self, ours, theirs))

    def calculate_qparams(self, **keywords: Any) -> tuple[Any, ...]:
        """Choose scale and zero point for each channel; see `MinMaxObserver`.

        Returns
        -------
        scales : Tensor of float32, shape (channels,)
        zero_points : Tensor of int64, shape (channels,)
        ch_axis : int
            The dimension of the channels.

        Warns
        -----
        NoDataWarning
            If nothing was observed; there is then one channel of scale 1, zero point 0.
        """
        return (*super().calculate_qparams(**keywords), self.ch_axis)

    def _statistic_shape(self, name: str) -> tuple:
        return (-1,)

    def extra_repr(self) -> str:
        """Show the ranges."""
        return f"min_val={self.min_vals}, max_val={self.max_vals}"
