"""The observer whose range keeps the distribution of the values best."""

from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import documented
from refquant.quantization.observers import ranges, stretching
from refquant.quantization.observers.affine import EPS
from refquant.quantization.observers.histogram import HistogramObserver

__all__ = ["EntropyObserver"]


@documented()
class EntropyObserver(HistogramObserver):
    r"""Keep a histogram and map the range whose integers keep its distribution best.

    The histogram is symmetric about zero. Of its middle parts, the one is taken where the relative
    entropy :math:`D_{\mathrm{KL}}(P \,\Vert\, Q)` is least: of the observations, clipped to the
    part, to what is known of them when the bins of each integer are averaged. The range ends at
    edges of bins, and no empty bin is mapped beside those. Unlike the squared error, this does not
    ask how far a clipped value moves.

    Parameters
    ----------
    bins : int, default 2048
        Number of bins, at most 2**20. The time to choose grows with its square. Fewer bins than
        integers map everything.
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
    PyTorch has no such observer. Of a histogram it chooses the range that ONNX Runtime's entropy
    calibration chooses for the same number of integers, up to empty bins at the ends; that one
    counts on 128 integers unless told otherwise, and with its 128 bins maps everything. The
    arithmetic is in `refquant.reference.ranges.least_divergence`. When a batch widens the range,
    old counts are spread evenly over their bins, as `merge` does. Source: S. Migacz, *8-bit
    inference with TensorRT*, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import refquant
    >>> from refquant.quantization import EntropyObserver
    >>> x = np.random.default_rng(0).laplace(size=10_000).astype(np.float32)
    >>> observer = EntropyObserver(512, quant_min=0, quant_max=15)
    >>> _ = observer(refquant.from_numpy(x))
    >>> scale, zero_point = observer.calculate_qparams()
    >>> print(f"{15 * scale.item():.1f} of {x.max() - x.min():.1f}")
    15.6 of 20.4
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
        # With more integers than bins, there is no range to choose.
        ranges.checked_dtype(dtype, ("quint8", "qint8"))
        super().__init__(
            bins, None, dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps,
            is_dynamic=is_dynamic,
        )  # fmt: skip

    def _span(self, extremes: np.ndarray) -> np.ndarray:
        reach = np.abs(extremes).max()
        return np.array([-reach, reach], np.float32)

    def _add(self, flat: np.ndarray, seen: np.ndarray, span: np.ndarray) -> None:
        ends = kernels.min_max(np.concatenate([seen, span]))
        self._check_width(ends)
        spread = stretching.spread(self._counts(), seen, ends, self.bins)
        self._set(spread.astype(np.float32) + self._count_in(flat, ends), ends)

    def _range(self):
        seen = self._seen()
        if seen is None:
            return None
        low, high = self.target_range
        ends = kernels.least_divergence(
            self._counts(), float(seen[0]), float(seen[1]), high - low + 1
        )
        return ends[0:1], ends[1:2]

    def _explain_more(self) -> list[tuple[str, str]]:
        facts = dict(super()._explain_more())
        share = facts["observations"].split("; ")[0]
        facts["observations"] = f"{share}; no other middle part has a smaller relative entropy"
        return list(facts.items())
