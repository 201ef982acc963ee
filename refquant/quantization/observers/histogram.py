"""The observer of histograms, which may clip rare values to reduce the total error."""

import functools
import math
import operator
import warnings
from typing import Any, Self

import numpy as np

from refquant import dtypes, html, kernels
from refquant._documentation import documented
from refquant.arguments import NotGiven, given
from refquant.errors import ArgumentError, NotSupportedError, OperationError
from refquant.ops import layout
from refquant.quantization.observers import states, stretching
from refquant.quantization.observers.affine import EPS, UniformQuantizationObserverBase
from refquant.tensors import Tensor

__all__ = ["HistogramObserver"]

# More than needed in practice. Float32 can distinguish so many bins, and kernels can hold a table
# of counts for each thread.
UPSAMPLE_RATE = NotGiven(128)
MOST_BINS = 2**20
# Parts of all old bins, which are visited one by one.
MOST_CUTS = 2**28


def _count(argument: str, value, most: int) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if not 1 <= count <= most:
        raise ArgumentError(
            argument=argument, expected=f"a whole number in 1..{most}", got=repr(value)
        )
    return count


@documented()
class HistogramObserver(UniformQuantizationObserverBase):
    r"""Keep a histogram and narrow its range until the squared error of quantization grows.

    Bins have equal width over the range seen so far. When a batch widens it, old bins are cut
    into `upsample_rate` parts which are counted anew in wider bins; under 1.4 the range is
    stretched a little so that a new bin has a whole number of parts.

    The search narrows the range step by step and stops at the first minimum of the squared error
    of what was observed. That need not be the least error of all ranges, and the whole range is
    never compared.

    Parameters
    ----------
    bins : int, default 2048
        Number of bins, at most 2**20.
    upsample_rate : int, optional
        Into how many parts an old bin is cut; with all bins at most 2**28 parts. Not given,
        16; only under 1.4 128, which the signature shows. Where PyTorch 2.13 is called by position,
        `dtype` and what follows stand here, which is understood.
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
    Memory does not grow with the number of batches. An empty batch changes nothing. The arithmetic
    is in `refquant.reference.histograms`: under 2.13 `histogram`, `spread_histogram` and
    `search_range_in_float32`; infinities are left out with a warning, and the search counts on
    all integers of the dtype, whatever range was given. Under 1.4 `combine_histograms` and
    `search_range`; infinities are an error, the search counts on ``quant_max - quant_min + 1``
    integers, and a first batch of equal numbers, or a range that is too narrow to be cut into
    parts, is kept as one value and counted in its bin later on.

    Examples
    --------
    >>> import numpy as np
    >>> import refquant
    >>> from refquant.quantization import HistogramObserver
    >>> x = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    >>> x[0] = 100.0
    >>> observer = HistogramObserver()
    >>> _ = observer(refquant.from_numpy(x))
    >>> scale, zero_point = observer.calculate_qparams()
    >>> bool(255 * scale.item() < 104)
    True
    """

    _statistics = ("histogram", "min_val", "max_val")

    def __init__(
        self,
        bins: int = 2048,
        upsample_rate: Any = UPSAMPLE_RATE,
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
        if isinstance(upsample_rate, dtypes.dtype):  # the order of PyTorch 2.13
            if isinstance(qscheme, bool):
                reduce_range = qscheme
            if isinstance(dtype, dtypes.qscheme):
                qscheme = dtype
            elif not isinstance(qscheme, dtypes.qscheme):
                qscheme = dtypes.per_tensor_affine
            dtype, upsample_rate = upsample_rate, None
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, eps, is_dynamic)
        self.bins = _count("bins", bins, MOST_BINS)
        upsample_rate = given(upsample_rate)
        if upsample_rate is None:
            upsample_rate = self.workflow.upsample_rate
        self.upsample_rate = _count("upsample_rate", upsample_rate, MOST_CUTS // self.bins)
        self.register_buffer("histogram", Tensor(np.zeros(self.bins, np.float32)))
        for name, value in zip(("min_val", "max_val"), self._start(), strict=True):
            self.register_buffer(name, value)
        # The true extremes, where they are known: the ends of the histogram are stretched, and a
        # state dict holds only those.
        self._extremes: np.ndarray | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Observe `x` and return it."""
        array = self._elements(x)
        if array.size:
            flat = layout.flatten(array)[0]
            if self.workflow.histograms == "spread":
                flat = self._without_infinities(flat)
                if not flat.size:
                    return x
            extremes = kernels.min_max(flat)
            self._check_finite(extremes)
            ends = self._span(extremes)
            with self._turn:
                seen = self._seen()
                if seen is None:
                    self._check_width(ends)
                    self._set(self._count_in(flat, ends), ends)
                    self._extremes = extremes
                else:
                    self._add(flat, seen, ends)
                    self._extremes = stretching.union(self._extremes, extremes)
        return x

    def _span(self, extremes: np.ndarray) -> np.ndarray:
        """Return the range that the bins of a first batch divide."""
        return extremes

    def _without_infinities(self, flat: np.ndarray) -> np.ndarray:
        """Leave out infinities, as masks have them."""
        low, high = kernels.min_max(flat)
        if low != -np.inf and high != np.inf:
            return flat
        warnings.warn(
            f"{self._place()} was given infinity, which it leaves out",
            UserWarning,
            stacklevel=4,
        )
        return flat[np.isfinite(flat)]

    def _count_in(self, flat: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Count the elements of a batch in bins over a range."""
        first = self.workflow.histograms == "spread"
        return kernels.histogram(flat, self.bins, float(ends[0]), float(ends[1]), first)

    def _reduces_symmetric(self) -> bool:
        return self.workflow.histograms == "spread"

    def _set(self, counts: np.ndarray, ends: np.ndarray) -> None:
        self.histogram = Tensor(counts)
        self.min_val = Tensor(ends[0:1].reshape(()))
        self.max_val = Tensor(ends[1:2].reshape(()))

    def _counts(self) -> np.ndarray:
        """Return the counts of all bins; kernels rely on their number."""
        counts = self.histogram.array
        if counts.shape != (self.bins,) or counts.dtype != np.float32:
            raise OperationError(
                argument="histogram",
                expected=f"float32 of shape ({self.bins},), a count for each of its bins",
                got=f"{counts.dtype} of shape {counts.shape}",
                hint="make a new observer for another number of bins",
            )
        return counts

    def _check_width(self, ends: np.ndarray) -> None:
        with np.errstate(over="ignore"):
            width = ends[1] - ends[0]
        if not math.isfinite(width):
            raise OperationError(
                f"{self._place()} was given the range {ends[0]} .. {ends[1]}",
                argument="x",
                expected="of a range whose width float32 can hold",
                hint="use MinMaxObserver",
            )

    def _add(self, flat: np.ndarray, seen: np.ndarray, span: np.ndarray) -> None:
        """Add a batch to what was seen before."""
        ends = kernels.min_max(np.concatenate([seen, span]))
        self._check_width(ends)
        if self.workflow.histograms == "stretched":
            plan = stretching.plan(seen, ends, self.bins, self.upsample_rate)
            self._add_stretched(flat, seen, ends, plan)
            return
        counts, added = self._counts(), self._count_in(flat, ends)
        if (ends == seen).all():
            self._set(counts + added, ends)
        elif seen[0] == seen[1]:
            one = self._count_in(seen[:1], ends)
            self._set(added + one * np.float32(kernels.cascade_sum(counts)), ends)
        else:
            low, high, new_low, new_high = map(float, (*seen, *ends))
            spread = kernels.spread_histogram(
                counts, added, low, high, new_low, new_high, self.upsample_rate
            )
            self._set(spread, ends)

    def _add_stretched(self, flat: np.ndarray, seen: np.ndarray, ends: np.ndarray, plan) -> None:
        """Add a batch to a histogram whose range is stretched by a plan, if it can be."""
        counts = self._counts()
        if plan is None:
            added = self._count_in(flat, ends)
            if (ends != seen).any():
                middle = seen[0] + (seen[1] - seen[0]) / np.float32(2)
                one = self._count_in(middle.reshape(1), ends)
                counts = one * np.float32(counts.sum(dtype=np.float64))
            self._set(added + counts, ends)
            return
        stretched, downsample_rate, start = plan
        added = self._count_in(flat, stretched)
        if (stretched == seen).all():
            self._set(added + counts, stretched)
        else:
            combined = kernels.combine_histograms(
                counts, added, self.upsample_rate, downsample_rate, start
            )
            self._set(combined, stretched)

    def _range(self):
        seen = self._seen()
        if seen is None:
            return None
        if self.workflow.qparams == "float32":
            levels = 2 ** (8 * self.dtype.itemsize)
            search = kernels.search_range_in_float32
        else:
            levels = self.quant_max - self.quant_min + 1
            search = kernels.search_range
        ends = search(self._counts(), float(seen[0]), float(seen[1]), levels)
        return ends[0:1], ends[1:2]

    def _settings(self) -> tuple:
        return (*super()._settings(), self.bins, self.upsample_rate)

    def merge(self, other: Any) -> Self:
        """Merge the histogram of another observer into this one.

        Equal ranges: the counts are added, which is exact. Otherwise the counts of both are
        spread evenly over their bins and counted anew over the union of the ranges: the number
        of observations below any edge of a new bin is that of the two histograms, read half-way
        inside an old bin; an observation never moves farther than the width of its old bin.
        The order of the two does not matter.

        Parameters
        ----------
        other : HistogramObserver
            Of the same settings; it stays as it is.

        Returns
        -------
        The observer itself.

        Raises
        ------
        ArgumentError
            If the two differ in class or settings.

        Examples
        --------
        >>> import refquant
        >>> one, other = (refquant.quantization.HistogramObserver(bins=4) for _ in range(2))
        >>> _ = one(refquant.tensor([-1.0, 1.0])), other(refquant.tensor([-1.0, 1.0]))
        >>> one.merge(other).histogram
        tensor([2., 0., 0., 2.])
        """
        return super().merge(other)

    def _absorb(self, other) -> None:
        theirs, ours = other._seen(), self._seen()
        if theirs is None:
            return
        if ours is None:
            self._set(other.histogram.array.copy(), theirs)
            self._extremes = other._extremes
            return
        ends = kernels.min_max(np.concatenate([ours, theirs]))
        self._check_width(ends)
        spread = [
            stretching.spread(observer._counts(), seen, ends, self.bins)
            for observer, seen in ((self, ours), (other, theirs))
        ]
        self._set((spread[0] + spread[1]).astype(np.float32), ends)
        self._extremes = stretching.union(self._extremes, other._extremes)

    def _load_from_state_dict(self, report, prefix: str) -> None:
        super()._load_from_state_dict(report, prefix)
        key = prefix + "histogram"
        if key in report.state and report.state[key] is None:
            report.used.add(key)
            report.error(key, "counts", "None")
        else:
            states.load_statistic(report, self, "histogram", key, (self.bins,))
        report.change(functools.partial(setattr, self, "_extremes", None))

    def _explain_more(self) -> list[tuple[str, str]]:
        seen, chosen = self._seen(), self._range()
        counts = self.histogram.array
        total = float(counts.sum(dtype=np.float64))
        lost = total - float(stretching.spread(counts, seen, np.concatenate(chosen), 1)[0])
        share = max(lost, 0.0) / max(total, 1.0)
        facts = [
            ("histogram", f"{self.bins} bins over {seen[0]:.6g} .. {seen[1]:.6g}"),
            (
                "observations",
                f"{total:.0f}, about {share:.4%} of them outside the range mapped; the search "
                "stopped where its next step would raise the squared error",
            ),
        ]
        if self._extremes is None:
            return facts
        return [("range seen", "{:.6g} .. {:.6g}".format(*self._extremes)), *facts]

    def _picture(self) -> str:
        seen, chosen = self._seen(), self._range()
        if seen is None or chosen is None:
            return ""
        low, high = (float(end) for end in seen)
        width = max(high - low, 1e-30)
        return html.bars(
            self.histogram.array,
            (f"{low:.4g}", f"{high:.4g}"),
            "how often values were seen; lines mark the range that is mapped",
            [(float(end[0]) - low) / width for end in chosen],
        )

    def reset_min_max_vals(self) -> None:
        """Raise an error: a histogram is not forgotten with its range."""
        raise NotSupportedError(hint="make a new observer")
