"""The observer whose scales are powers of two."""

import math
from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import documented
from refquant.quantization.observers import ranges
from refquant.quantization.observers.affine import EPS
from refquant.quantization.observers.histogram import HistogramObserver

__all__ = ["PowerOfTwoObserver"]


@documented()
class PowerOfTwoObserver(HistogramObserver):
    r"""Keep a histogram and choose the scale :math:`2^k` with the least squared error.

    To multiply by such a scale is to shift, so processors without a multiplier for it, and fixed
    point formats, want one. All k are compared from the smallest that clips nothing downward, each
    with every zero point, for the integers that are left by `reduce_range`, `quant_min` and
    `quant_max`. Observations are taken as spread evenly over their bin.

    Parameters
    ----------
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
    PyTorch has no such observer; the arithmetic is in
    `refquant.reference.ranges.best_power_of_two`. The scale is at most 2**119, and at least `eps`,
    raised to a power of two. A model has scales that are powers of two throughout if its weights
    have such an observer as well: then the multiplier of every requantization is a power of two.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import PowerOfTwoObserver
    >>> observer = PowerOfTwoObserver()
    >>> _ = observer(refquant.tensor([-1.0, 0.2, 0.7]))
    >>> scale, zero_point = observer.calculate_qparams()
    >>> scale.item() == 2**-7
    True
    """

    def __init__(
        self,
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
        # All zero points are tried.
        ranges.checked_dtype(dtype, ("quint8", "qint8"))
        super().__init__(
            bins, None, dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps,
            is_dynamic=is_dynamic,
        )  # fmt: skip

    def _range(self):
        seen = self._seen()
        if seen is None:
            return None
        if not seen.any():
            return seen[0:1], seen[1:2]
        low, high = self.target_range
        middle = -1
        if self.qscheme.is_symmetric:
            one = np.ones(1, np.float32)
            middle = int(self._qparams(-one, one)[1][0]) - low
        fraction, exponent = math.frexp(float(self.eps))
        ends = kernels.best_power_of_two(
            *(self._counts(), float(seen[0]), float(seen[1]), high - low + 1, middle),
            exponent - (fraction == 0.5),
        )
        return ends[0:1], ends[1:2]

    def _explain_more(self) -> list[tuple[str, str]]:
        facts = dict(super()._explain_more())
        share = facts["observations"].split("; ")[0]
        exponent = math.frexp(float(self._qparams(*self._range())[0][0]))[1] - 1
        facts["observations"] = f"{share}; no other power of two has a smaller squared error"
        return [*facts.items(), ("power of two", f"2**{exponent}")]
