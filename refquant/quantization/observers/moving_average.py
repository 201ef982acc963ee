"""The observers of moving averages of the smallest and the largest element."""

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import documented
from refquant.errors import ArgumentError, NotSupportedError
from refquant.quantization.observers.affine import EPS, UniformQuantizationObserverBase
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.quantization.observers.per_channel import PerChannelMinMaxObserver

__all__ = ["MovingAverageMinMaxObserver", "MovingAveragePerChannelMinMaxObserver"]


def _constant(value, is_dynamic: bool) -> float:
    if not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise ArgumentError(
            argument="averaging_constant", expected="a number in 0..1", got=repr(value)
        )
    if is_dynamic and value != 1:
        raise NotSupportedError(
            argument="averaging_constant",
            expected="1 where is_dynamic: each batch has a range of its own",
            got=value,
        )
    return float(value)


@documented()
class MovingAverageMinMaxObserver(MinMaxObserver):
    r"""Keep moving averages of the smallest and the largest element of every batch.

    The first batch sets them; then :math:`l = l + c (\min x - l)` and
    :math:`u = u + c (\max x - u)`, in float32.

    Parameters
    ----------
    averaging_constant : float, default 0.01
        How far each batch moves the averages, 0..1; rounded to float32.
    dtype, qscheme, reduce_range, quant_min, quant_max, eps, is_dynamic
        As in `MinMaxObserver`.

    Attributes
    ----------
    %(range_seen)s

    Notes
    -----
    Source: the documentation of ``torch.quantization.MovingAverageMinMaxObserver``.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MovingAverageMinMaxObserver
    >>> observer = MovingAverageMinMaxObserver(averaging_constant=0.5)
    >>> for largest in (2.0, 4.0):
    ...     _ = observer(refquant.tensor([-1.0, largest]))
    >>> observer.max_val
    tensor(3.)
    """

    def __init__(
        self,
        averaging_constant: float = 0.01,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float = EPS,
        *,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(
            *(dtype, qscheme, reduce_range, quant_min, quant_max), eps=eps, is_dynamic=is_dynamic
        )
        self.averaging_constant = _constant(averaging_constant, is_dynamic)

    def _update(self, extremes: np.ndarray) -> np.ndarray:
        seen = self._seen()
        if seen is None:
            return extremes
        moved = kernels.moving_average(seen, extremes, self.averaging_constant)
        self._check_finite(moved)
        return moved

    _absorb = UniformQuantizationObserverBase._absorb


class MovingAveragePerChannelMinMaxObserver(PerChannelMinMaxObserver):
    """Keep moving averages of the smallest and the largest element of each channel.

    Parameters
    ----------
    averaging_constant : float, default 0.01
        How far each batch moves the averages, 0..1; rounded to float32.
    ch_axis, dtype, qscheme, reduce_range, quant_min, quant_max, eps, is_dynamic
        As in `PerChannelMinMaxObserver`.

    Attributes
    ----------
    min_val, max_val : Tensor of float32, shape (channels,), or None
        The averages; before anything was seen of shape (0,), under 1.4 None.

    Notes
    -----
    Each channel follows the formula of `MovingAverageMinMaxObserver`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MovingAveragePerChannelMinMaxObserver
    >>> observer = MovingAveragePerChannelMinMaxObserver(averaging_constant=0.5)
    >>> for largest in (2.0, 4.0):
    ...     _ = observer(refquant.tensor([[-1.0, largest], [0.0, 1.0]]))
    >>> observer.max_val
    tensor([3., 1.])
    """

    def __init__(
        self,
        averaging_constant: float = 0.01,
        ch_axis: int = 0,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_channel_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float = EPS,
        *,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(
            *(ch_axis, dtype, qscheme, reduce_range, quant_min, quant_max),
            eps=eps,
            is_dynamic=is_dynamic,
        )
        self.averaging_constant = _constant(averaging_constant, is_dynamic)

    def _update(self, seen: np.ndarray, extremes: np.ndarray) -> np.ndarray:
        moved = kernels.moving_average(
            seen.reshape(-1), extremes.reshape(-1), self.averaging_constant
        )
        self._check_finite(moved)
        return moved.reshape(extremes.shape)

    _absorb = UniformQuantizationObserverBase._absorb
