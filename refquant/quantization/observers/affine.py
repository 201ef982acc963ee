"""The base class of observers that choose a scale and a zero point."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import numpy as np

from refquant import arguments, dtypes, kernels
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    NoDataWarning,
    NotSupportedError,
    OperationError,
)
from refquant.ops import checks
from refquant.quantization.observers.base import ObserverBase
from refquant.quantization.observers.explanation import Explanation
from refquant.tensors import Tensor

__all__ = ["AffineObserver", "choose_range", "noting_idle"]

# Paths of observers that chose a quantizer without data, while `noting_idle` collects them.
_idle: ContextVar[list[str] | None] = ContextVar("idle", default=None)


@contextmanager
def noting_idle() -> Iterator[list[str]]:
    """Collect the paths of observers without data, which then do not warn one by one."""
    paths: list[str] = []
    token = _idle.set(paths)
    try:
        yield paths
    finally:
        _idle.reset(token)


# The range of each dtype with one bit left unused.
REDUCED_RANGES = {dtypes.quint8: (0, 127), dtypes.qint8: (-64, 63)}


def choose_range(dtype, quant_min, quant_max) -> tuple[int, int]:
    """Check a range of integers; None stands for the end of the range of `dtype`.

    Raises
    ------
    ArgumentError
        If it is empty, lacks zero, or exceeds the range of `dtype`.
    """
    low = dtype.quant_min if quant_min is None else quant_min
    high = dtype.quant_max if quant_max is None else quant_max
    integral = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in (low, high))
    if not integral or not (dtype.quant_min <= low <= 0 <= high <= dtype.quant_max and low < high):
        raise ArgumentError(
            argument="quant_min, quant_max",
            got=f"{low}..{high}",
            expected=f"whole numbers with {dtype.quant_min} <= quant_min <= 0 <= quant_max <= "
            f"{dtype.quant_max} and quant_min < quant_max",
            hint="for b bits use 0..2**b - 1 with quint8, -2**(b-1)..2**(b-1) - 1 with qint8",
        )
    return int(low), int(high)


class AffineObserver(ObserverBase):
    """An observer that maps the range it has seen to a range of integers.

    Parameters
    ----------
    dtype : dtype
        quint8 or qint8.
    qscheme : qscheme
        Affine or symmetric, per tensor or per channel as the subclass is.
    reduce_range : bool
        Leave one bit unused: the range of integers is cut to 0..127 or -64..63. Some processors
        add products of 8-bit integers in 16 bits, which full ranges overflow.
    quant_min, quant_max : int, optional
        A narrower range of integers (down to two of them), for 2 to 8 bits. It must contain 0.

    Attributes
    ----------
    quant_min, quant_max : int
        The range that integers are clamped to: as given, else that of the dtype.
    target_range : tuple of int
        The range that real values are mapped to: the same, cut by `reduce_range`.
    """

    per_channel = False

    def __init__(
        self,
        dtype: dtypes.dtype,
        qscheme: dtypes.qscheme,
        reduce_range: bool,
        quant_min: int | None = None,
        quant_max: int | None = None,
    ) -> None:
        super().__init__(dtype)
        if not isinstance(dtype, dtypes.dtype) or dtype not in (dtypes.quint8, dtypes.qint8):
            raise ArgumentError(
                argument="dtype",
                expected="refquant.quint8 or refquant.qint8",
                got=repr(dtype),
            )
        known = isinstance(qscheme, dtypes.qscheme) and qscheme in dtypes.SCHEMES
        if not known or qscheme.is_per_channel is not self.per_channel:
            kind = "per_channel" if self.per_channel else "per_tensor"
            raise NotSupportedError(
                argument="qscheme",
                expected=f"refquant.{kind}_affine or refquant.{kind}_symmetric",
                got=repr(qscheme),
            )
        reduce_range = arguments.switch("reduce_range", reduce_range)
        if reduce_range and qscheme.is_symmetric and dtype is dtypes.quint8:
            raise NotSupportedError(
                argument="reduce_range",
                expected="False where the scheme is symmetric and the dtype quint8",
                got=True,
                hint="use qint8, or an affine scheme",
            )
        self.qscheme, self.reduce_range = qscheme, reduce_range
        self.eps = 2.0**-23
        self.quant_min, self.quant_max = choose_range(dtype, quant_min, quant_max)

    @property
    def target_range(self) -> tuple[int, int]:
        """The range of integers that real values are mapped to."""
        if not self.reduce_range:
            return self.quant_min, self.quant_max
        low, high = REDUCED_RANGES[self.dtype]
        return max(self.quant_min, low), min(self.quant_max, high)

    def _elements(self, x) -> np.ndarray:
        """Return the float32 elements of a tensor to observe, or raise."""
        return checks.float32_tensor("x", x).array

    def _check_finite(self, ends: np.ndarray) -> None:
        """Raise unless the ends of a range are finite."""
        if not np.isfinite(ends).all():
            kind = "NaN" if np.isnan(ends).any() else "infinity"
            raise OperationError(
                f"{self._place()} was given {kind}",
                argument="x",
                expected="finite",
                got=f"a tensor with {kind}",
                hint="look for a division by zero, an overflow or a missing normalization before "
                "this place of the model",
            )

    def _range(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the ends of the range to map, arrays of shape (n,); None if nothing was seen."""
        raise NotImplementedError

    def _unobserved(self) -> tuple[Any, ...]:
        paths = _idle.get()
        if paths is not None:
            paths.append(self.path)
        else:
            warnings.warn(
                f"{self._place()}: must run observer before calling calculate_qparams. Returning "
                "scale 1 and zero point 0.",
                NoDataWarning,
                stacklevel=3,
            )
        return Tensor(np.ones(1, np.float32)), Tensor(np.zeros(1, np.int64))

    def calculate_qparams(self, **keywords: Any) -> tuple[Tensor, Tensor]:
        r"""Choose scale and zero point for the range that was seen.

        The range is widened to contain zero. Affine:
        :math:`s = (u - l) / (q_{max} - q_{min}),\; z = q_{min} - round(l / s)`. Symmetric:
        :math:`s = \max(-l, u) / ((q_{max} - q_{min}) / 2)` and :math:`z` in the middle. Formed in
        float64; the scale is at least 2**-23. Only zeros give scale 1, zero point 0.

        Returns
        -------
        scale : Tensor of float32, shape (1,)
        zero_point : Tensor of int64, shape (1,)

        Warns
        -----
        NoDataWarning
            If nothing was observed; the result is then scale 1, zero point 0.
        """
        ends = self._range()
        if ends is None:
            return self._unobserved()
        scales, zero_points = kernels.observer_qparams(
            *ends, *self.target_range, self.qscheme.is_symmetric
        )
        return Tensor(scales), Tensor(zero_points)

    def merge(self, other: Any) -> Self:
        """Merge what another observer has seen into this one.

        Parameters
        ----------
        other : observer
            Of the same class and settings; it stays as it is.

        Returns
        -------
        The observer itself.

        Raises
        ------
        ArgumentError
            If the two differ in class or settings.
        NotSupportedError
            If the statistic depends on the order of batches (moving averages).
        """
        self._check_mergeable(other)
        self._absorb(other)
        return self

    def _settings(self) -> tuple:
        """Everything that two observers must share so that their statistics can be merged."""
        return self.dtype, self.qscheme, self.reduce_range, self.quant_min, self.quant_max

    def _check_mergeable(self, other) -> None:
        if type(other) is not type(self):
            raise ArgumentTypeError(
                argument="other",
                expected=f"a {type(self).__name__}",
                got=type(other).__name__,
            )
        if other._settings() != self._settings():
            raise ArgumentError(
                argument="other",
                expected=f"of the same settings {self._settings()}",
                got=other._settings(),
                hint="make both with the same arguments",
            )

    def _absorb(self, other) -> None:
        raise NotSupportedError(
            hint="a moving average depends on the order of the batches; observe them in one "
            "process, or use MinMaxObserver or HistogramObserver"
        )

    def explain(self) -> Explanation:
        """Explain in words and numbers how scale and zero point follow from what was seen.

        Returns
        -------
        Explanation
            For printing; a notebook shows it as a table.
        """
        ends = self._range()
        return Explanation.of(self, ends, [] if ends is None else self._explain_more())

    def _explain_more(self) -> list[tuple[str, str]]:
        """Return facts that only this class of observers knows."""
        return []
