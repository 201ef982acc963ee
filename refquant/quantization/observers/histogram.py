"""The observer of histograms, which may clip rare values to reduce the total error."""

import functools
import math
import operator
from typing import Any, Self

import numpy as np

from refquant import dtypes, html, kernels
from refquant.errors import ArgumentError, OperationError
from refquant.ops import layout
from refquant.quantization.observers.affine import AffineObserver
from refquant.tensors import Tensor

__all__ = ["HistogramObserver"]

# Wider ranges than this many parts of an old bin in a new one: the old range is then narrower
# than a small part of one new bin, and float32 does not hold the number of parts exactly.
MOST_PARTS = 2**24


# More than needed in practice. Float32 can distinguish so many bins, and kernels can hold a table
# of counts for each thread.
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


class HistogramObserver(AffineObserver):
    r"""Keep a histogram and narrow its range until the squared error of quantization grows.

    Bins have equal width over the range seen so far. When a batch widens it, old bins are cut
    into `upsample_rate` parts which are counted anew in wider bins; the range is stretched a
    little so that a new bin has a whole number of parts.

    The search narrows the range step by step and stops at the first minimum of the squared error
    of what was observed. That need not be the least error of all ranges, and the whole range is
    never compared.

    Parameters
    ----------
    bins : int, default 2048
        Number of bins, at most 2**20.
    upsample_rate : int, default 128
        Into how many parts an old bin is cut; with all bins at most 2**28 parts.
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
    histogram : Tensor of float32, shape (bins,)
        Counts; fractions arise when ranges change.
    min_val, max_val : Tensor of float32, shape (), or None
        Ends of the histogram; None before anything was seen.

    Raises
    ------
    ArgumentError
        If an argument is not possible.
    NotSupportedError
        If the scheme is per channel, or symmetric quint8 is to be reduced.

    Notes
    -----
    Memory does not grow with the number of batches. An empty batch changes nothing. A first batch
    of equal numbers is kept as one value and counted in its bin later on, as PyTorch 2.13 does;
    so is a range that is too narrow to be cut into parts. Otherwise the arithmetic is that of
    PyTorch 1.4: `refquant.reference.observation.histogram`, `combine_histograms` and
    `search_range`, under every engine. The search counts on ``quant_max - quant_min + 1``
    integers, also where `reduce_range` leaves half of them.

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
        upsample_rate: int = 128,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: dtypes.qscheme = dtypes.per_tensor_affine,
        reduce_range: bool = False,
        *,
        quant_min: int | None = None,
        quant_max: int | None = None,
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max)
        self.bins = _count("bins", bins, MOST_BINS)
        self.upsample_rate = _count("upsample_rate", upsample_rate, MOST_CUTS // self.bins)
        self.register_buffer("histogram", Tensor(np.zeros(self.bins, np.float32)))
        self.register_buffer("min_val", None)
        self.register_buffer("max_val", None)
        # The true extremes, where they are known: the ends of the histogram are stretched, and a
        # state dict holds only those.
        self._extremes: np.ndarray | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Observe `x` and return it."""
        array = self._elements(x)
        if array.size:
            flat = layout.flatten(array)[0]
            extremes = kernels.min_max(flat)
            self._check_finite(extremes)
            if self.min_val is None:
                self._check_width(extremes)
                counts = kernels.histogram(flat, self.bins, float(extremes[0]), float(extremes[1]))
                self._set(counts, extremes)
                self._extremes = extremes
            else:
                self._add(flat, extremes)
                self._extremes = _union(self._extremes, extremes)
        return x

    def _seen(self) -> Any:
        """Return the ends of the histogram."""
        if self.min_val is None:
            return None
        return np.array([self.min_val.array, self.max_val.array], np.float32)

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

    def _add(self, flat: np.ndarray, extremes: np.ndarray) -> None:
        """Add a batch to what was seen before."""
        seen = self._seen()
        ends = kernels.min_max(np.concatenate([seen, extremes]))
        self._check_width(ends)
        counts = self._counts()
        plan = _plan(seen, ends, self.bins, self.upsample_rate)
        if plan is None:
            added = kernels.histogram(flat, self.bins, float(ends[0]), float(ends[1]))
            if (ends != seen).any():
                middle = seen[0] + (seen[1] - seen[0]) / np.float32(2)
                one = kernels.histogram(middle.reshape(1), self.bins, *map(float, ends))
                counts = one * np.float32(counts.sum(dtype=np.float64))
            self._set(added + counts, ends)
            return
        stretched, downsample_rate, start = plan
        added = kernels.histogram(flat, self.bins, *map(float, stretched))
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
        levels = self.quant_max - self.quant_min + 1
        ends = kernels.search_range(self._counts(), float(seen[0]), float(seen[1]), levels)
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
            _spread(observer._counts(), seen, ends, self.bins)
            for observer, seen in ((self, ours), (other, theirs))
        ]
        self._set((spread[0] + spread[1]).astype(np.float32), ends)
        self._extremes = _union(self._extremes, other._extremes)

    def _load_from_state_dict(self, report, prefix: str) -> None:
        super()._load_from_state_dict(report, prefix)
        key = prefix + "histogram"
        if key in report.state and report.state[key] is None:
            report.error(key, "counts", "None")
        report.change(functools.partial(setattr, self, "_extremes", None))

    def _explain_more(self) -> list[tuple[str, str]]:
        seen, chosen = self._seen(), self._range()
        counts = self.histogram.array
        total = float(counts.sum(dtype=np.float64))
        lost = total - float(_spread(counts, seen, np.concatenate(chosen), 1)[0])
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

    def _statistic_shape(self, name: str) -> tuple:
        return (self.bins,) if name == "histogram" else ()


@np.errstate(all="ignore")
def _plan(seen: np.ndarray, ends: np.ndarray, bins: int, upsample_rate: int):
    """Stretch a wider range so that a new bin holds a whole number of parts of old bins.

    Parameters
    ----------
    seen, ends : ndarray of float32, shape (2,)
        The old range, and the wider one that is to be covered.
    bins, upsample_rate : int
        Number of bins, and of parts of an old bin.

    Returns
    -------
    stretched : ndarray of float32, shape (2,)
    downsample_rate : int
        Parts of a new bin.
    start : int
        Parts that lie before the old range.

    None is returned where the old range is too narrow for that, or the new one too wide.
    """
    f32 = np.float32
    part = (seen[1] - seen[0]) / f32(bins * upsample_rate)
    width = ends[1] - ends[0]
    parts_of_range = f32(bins) * part
    if parts_of_range == 0 or width / parts_of_range > MOST_PARTS:
        return None
    downsample_rate = int(np.ceil(width / parts_of_range))
    surplus = f32(downsample_rate) * parts_of_range - width
    half = surplus / f32(2)
    stretched = np.array([ends[0] - half, ends[1] + half], np.float32)
    if not np.isfinite(stretched[1] - stretched[0]):
        return None
    start = int(np.rint((seen[0] - stretched[0]) / part))
    return stretched, downsample_rate, start


def _union(one: np.ndarray | None, two: np.ndarray | None) -> np.ndarray | None:
    """Return the ends of the smallest range that contains both; None if either is unknown."""
    return None if one is None or two is None else kernels.min_max(np.concatenate([one, two]))


def _spread(counts: np.ndarray, seen: np.ndarray, ends: np.ndarray, bins: int) -> np.ndarray:
    """Count in `bins` bins over `ends` what lies evenly spread in the bins over `seen`."""
    if (seen == ends).all() and bins == len(counts):
        return counts.astype(np.float64)
    total = counts.sum(dtype=np.float64)
    if seen[0] == seen[1]:
        # A single value lies in the bin that a batch of it would be counted in.
        return total * kernels.histogram(seen[:1], bins, *map(float, ends)).astype(np.float64)
    old_edges = np.linspace(float(seen[0]), float(seen[1]), len(counts) + 1)
    new_edges = np.linspace(float(ends[0]), float(ends[1]), bins + 1)
    below = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    return np.diff(np.interp(new_edges, old_edges, below))
