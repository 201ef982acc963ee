"""The observer of the smallest and the largest element of each channel."""

from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import documented
from refquant.errors import ShapeError
from refquant.ops import checks, layout
from refquant.quantization.observers.affine import EPS, UniformQuantizationObserverBase
from refquant.tensors import Tensor

__all__ = ["PerChannelMinMaxObserver"]


@documented()
class PerChannelMinMaxObserver(UniformQuantizationObserverBase):
    """Keep the smallest and the largest element that was ever seen in each channel.

    Parameters
    ----------
    ch_axis : int, default 0
        The dimension of the channels.
    dtype : dtype, default quint8
        quint8 or qint8.
    qscheme : qscheme, default per_channel_affine
        per_channel_affine or per_channel_symmetric.
    %(reduce_range)s
    %(quant_limits)s
    %(observer_rest)s

    Attributes
    ----------
    min_val, max_val : Tensor of float32, shape (channels,), or None
        Ends of the ranges; before anything was seen of shape (0,), under 1.4 None.

    Raises
    ------
    ArgumentError
        If dtype or range are not possible.
    NotSupportedError
        If the scheme is per tensor, or symmetric quint8 is to be reduced.

    Notes
    -----
    Each channel follows the formulas of `MinMaxObserver`. Source: the documentation of
    ``torch.quantization.PerChannelMinMaxObserver``.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import PerChannelMinMaxObserver
    >>> observer = PerChannelMinMaxObserver(dtype=refquant.qint8,
    ...                                     qscheme=refquant.per_channel_symmetric)
    >>> _ = observer(refquant.tensor([[-1.0, 0.5], [0.0, 2.55]]))
    >>> observer.calculate_qparams()
    (tensor([0.0078, 0.0200]), tensor([0, 0]))
    """

    per_channel = True
    _statistics = ("min_val", "max_val")

    def __init__(
        self,
        ch_axis: int = 0,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_channel_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: Any = None,
        eps: float = EPS,
        *,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, eps, is_dynamic)
        self.ch_axis = ch_axis
        for name, value in zip(("min_val", "max_val"), self._start(), strict=True):
            self.register_buffer(name, value)

    @property
    def min_vals(self) -> Any:
        """Minima, under the name of PyTorch 1.4."""
        return self.min_val

    @property
    def max_vals(self) -> Any:
        """Maxima, under the name of PyTorch 1.4."""
        return self.max_val

    def reset_min_max_vals(self) -> None:
        """Forget the ranges that were seen."""
        self.reset_range()

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
        with self._turn:
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

    def _update(self, seen: np.ndarray, extremes: np.ndarray) -> np.ndarray:
        """Combine what was seen before with the ranges of a batch."""
        return kernels.min_max_per_channel(np.concatenate([seen, extremes])[:, :, None])

    def _set(self, ends: np.ndarray) -> None:
        self.min_val, self.max_val = Tensor(ends[0]), Tensor(ends[1])

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
        zero_points : Tensor, shape (channels,)
            int64; under 2.13 int32 if the scheme is affine, float32 if it has float parameters.
        ch_axis : int
            The dimension of the channels; under 1.4 alone.

        Warns
        -----
        NoDataWarning
            If nothing was observed; there is then one channel of scale 1, zero point 0.
        """
        found = (*super().calculate_qparams(**keywords), self.ch_axis)
        return found[: self.workflow.values_per_channel]
