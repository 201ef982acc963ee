"""The observer whose range has the least squared error of all."""

from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import documented
from refquant.quantization.observers import ranges
from refquant.quantization.observers.affine import EPS
from refquant.quantization.observers.histogram import HistogramObserver

__all__ = ["MSEObserver"]


@documented()
class MSEObserver(HistogramObserver):
    r"""Keep a histogram and map the range whose quantization has the least squared error.

    All pairs of ends are compared that contain zero and are edges of bins, or zero, for the
    integers that are left by `reduce_range`, `quant_min` and `quant_max`; so the result is never
    worse than that of `HistogramObserver`, but for what a histogram does not know: observations
    are taken as spread evenly over their bin. With a symmetric scheme the range is symmetric.

    Parameters
    ----------
    bins : int, default 2048
        Number of bins, at most 2**20. The time to choose grows with its square.
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
    PyTorch has no such observer; the arithmetic is in `refquant.reference.ranges.best_range`. The
    lecture *Four ways to choose a range* compares it with others.

    Examples
    --------
    >>> import numpy as np
    >>> import refquant
    >>> from refquant.quantization import HistogramObserver, MSEObserver
    >>> x = np.random.default_rng(0).laplace(size=10_000).astype(np.float32)
    >>> options = {"quant_min": 0, "quant_max": 15}
    >>> for observer in HistogramObserver(**options), MSEObserver(**options):
    ...     _ = observer(refquant.from_numpy(x))
    ...     scale, zero_point = (float(v) for v in observer.calculate_qparams())
    ...     y = refquant.fake_quantize_per_tensor_affine(
    ...         refquant.from_numpy(x), scale, int(zero_point), 0, 15)
    ...     print(f"{15 * scale:.1f} wide, squared error {np.mean((y.numpy() - x) ** 2):.3f}")
    20.4 wide, squared error 0.145
    10.0 wide, squared error 0.056
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
        # All pairs of ends are tried, at each the borders of all integers.
        ranges.checked_dtype(dtype, ("quint8", "qint8"))
        super().__init__(
            bins, None, dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps,
            is_dynamic=is_dynamic,
        )  # fmt: skip

    def _range(self):
        seen = self._seen()
        if seen is None:
            return None
        low, high = self.target_range
        middle = -1
        if self.qscheme.is_symmetric:
            one = np.ones(1, np.float32)
            middle = int(self._qparams(-one, one)[1][0]) - low
        ends = kernels.best_range(
            self._counts(), float(seen[0]), float(seen[1]), high - low + 1, middle
        )
        return ends[0:1], ends[1:2]

    def _explain_more(self) -> list[tuple[str, str]]:
        facts = dict(super()._explain_more())
        share = facts["observations"].split("; ")[0]
        facts["observations"] = f"{share}; no other range has a smaller squared error"
        return list(facts.items())
