"""The observer that clips a given share of the values."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant._documentation import documented
from refquant.errors import ArgumentError
from refquant.quantization.observers.affine import EPS
from refquant.quantization.observers.histogram import HistogramObserver

__all__ = ["PercentileObserver"]


@documented()
class PercentileObserver(HistogramObserver):
    r"""Keep a histogram and map the middle of it: a given percentage of the values.

    With counts :math:`h_i` of bins whose edges are :math:`e_i`, cumulative counts :math:`C_i = h_0
    + \dots + h_i`, the total :math:`N` and :math:`c = N (1 - p / 100) / 2` to be cut on each side,
    the range is

    .. math:: [e_l, e_{r+1}], \quad l = \min \{i : C_i > c\}, \quad r = \min \{i : C_i \ge N - c\}

    in float64, rounded to float32. No value is cut that c does not allow, so the range ends at
    edges of bins.

    Parameters
    ----------
    percentile : float, default 99.99
        Percentage p of the values that are mapped, above 0 and at most 100.
    bins : int, default 2048
        Number of bins, at most 2**20.
    dtype : dtype, default quint8
        quint8 or qint8.
    qscheme : qscheme, default per_tensor_affine
        per_tensor_affine or per_tensor_symmetric.
    %(reduce_range)s
    %(quant_limits)s
    %(observer_rest)s

    Attributes
    ----------
    histogram : Tensor of float32, shape (bins,)
        Counts; fractions arise when ranges change.
    %(range_seen)s

    Raises
    ------
    ArgumentError
        If an argument is not possible.
    NotSupportedError
        If the scheme is per channel, or symmetric quint8 is to be reduced.

    Notes
    -----
    PyTorch has no such observer. Source: H. Wu et al., *Integer quantization for deep learning
    inference*, 2020, section 5: percentile calibration.

    Examples
    --------
    >>> import numpy as np
    >>> import refquant
    >>> from refquant.quantization import PercentileObserver
    >>> x = np.append(np.arange(1000, dtype=np.float32) / 1000, np.float32(100.0))
    >>> observer = PercentileObserver(99.0)
    >>> _ = observer(refquant.from_numpy(x))
    >>> scale, zero_point = observer.calculate_qparams()
    >>> round(255 * scale.item(), 2)
    1.03
    """

    def __init__(
        self,
        percentile: float = 99.99,
        bins: int = 2048,
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
        super().__init__(
            bins, None, dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps,
            is_dynamic=is_dynamic,
        )  # fmt: skip
        self.percentile = arguments.real("percentile", percentile)
        if not 0 < self.percentile <= 100:
            raise ArgumentError(
                argument="percentile", expected="above 0 and at most 100", got=self.percentile
            )

    def _range(self):
        seen = self._seen()
        if seen is None:
            return None
        if seen[0] == seen[1]:
            return seen[0:1], seen[1:2]
        cumulative = np.cumsum(self._counts(), dtype=np.float64)
        total = cumulative[-1]
        cut = total * (1 - self.percentile / 100) / 2
        first = min(int(np.searchsorted(cumulative, cut, side="right")), self.bins - 1)
        last = min(int(np.searchsorted(cumulative, total - cut, side="left")), self.bins - 1)
        edges = np.linspace(float(seen[0]), float(seen[1]), self.bins + 1, dtype=np.float64)
        return tuple(edges[place : place + 1].astype(np.float32) for place in (first, last + 1))

    def _settings(self) -> tuple:
        return (*super()._settings(), self.percentile)

    def _explain_more(self) -> list[tuple[str, str]]:
        facts = dict(super()._explain_more())
        share = facts["observations"].split("; ")[0]
        facts["observations"] = f"{share}; {self.percentile:g} % were to be kept"
        return list(facts.items())
