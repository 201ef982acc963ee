"""The base class of observers that choose a scale and a zero point."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import numpy as np

from refquant import arguments, dtypes, kernels
from refquant._documentation import documented
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    NoDataWarning,
    NotSupportedError,
    OperationError,
)
from refquant.ops import checks
from refquant.quantization.observers import ranges, states
from refquant.quantization.observers.base import ObserverBase
from refquant.quantization.observers.explanation import Explanation
from refquant.reference import qparams
from refquant.tensors import Tensor

__all__ = ["EPS", "UniformQuantizationObserverBase", "noting_idle"]

# The smallest scale, unless another one is chosen: the distance from 1 to the next float32.
EPS = 2.0**-23
# Layouts of states that have a tensor `eps`, and ends of ranges that are never None.
STATES_WITH_EPS = 3

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


@documented()
class UniformQuantizationObserverBase(ObserverBase):
    """An observer that maps the range it has seen to a range of integers.

    Parameters
    ----------
    dtype : dtype
        quint8 or qint8; under the engines of PyTorch 2.13 also qint32 and others.
    qscheme : qscheme
        Affine or symmetric, per tensor or per channel as the subclass is.
    %(reduce_range)s
    %(quant_limits)s

    Attributes
    ----------
    quant_min, quant_max : int
        The range that integers are clamped to: as given, else that of the dtype.
    target_range : tuple of int
        The range that real values are mapped to. The same under 2.13, where `reduce_range` halves
        both; under 1.4 cut by `reduce_range`.

    Examples
    --------
    >>> from refquant.quantization import MinMaxObserver, UniformQuantizationObserverBase
    >>> issubclass(MinMaxObserver, UniformQuantizationObserverBase)
    True
    """

    per_channel = False
    min_val: Any
    max_val: Any

    def __init__(
        self,
        dtype: dtypes.dtype,
        qscheme: dtypes.qscheme,
        reduce_range: bool,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float = EPS,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, arguments.switch("is_dynamic", is_dynamic))
        ranges.checked_dtype(dtype, ranges.DTYPES[self.workflow.reduced_range])
        self._check_scheme(qscheme)
        reduce_range = arguments.switch("reduce_range", reduce_range)
        if not self._reduces_symmetric() and (reduce_range, qscheme.is_symmetric, dtype) == (
            *(True, True, dtypes.quint8),
        ):
            raise NotSupportedError(
                argument="reduce_range",
                expected="False where the scheme is symmetric and the dtype quint8",
                got=True,
                hint="use qint8, or an affine scheme",
            )
        self.qscheme, self.reduce_range = qscheme, reduce_range
        self.has_customized_qrange = quant_min is not None and quant_max is not None
        limits = ranges.choose_range(dtype, quant_min, quant_max)
        if reduce_range and self.workflow.reduced_range == "halved":
            limits = ranges.halved(dtype, limits, self.has_customized_qrange)
        self.quant_min, self.quant_max = limits
        self._set_eps(checks.scale_value("eps", eps))

    def _set_eps(self, eps: float) -> None:
        """Keep the smallest scale, which release 1.4 does not let anyone choose."""
        if self.workflow.states >= STATES_WITH_EPS:
            self.register_buffer("eps", Tensor(np.array([eps], np.float32)))
            return
        if eps != EPS:
            raise NotSupportedError(
                argument="eps",
                expected="2**-23 under engines of PyTorch 1.4",
                got=eps,
                hint="choose an engine of PyTorch 2.13 before making the observer",
            )
        self.eps = eps

    def _reduces_symmetric(self) -> bool:
        """Whether quint8 with a symmetric scheme may leave a bit unused."""
        return False

    def _check_scheme(self, qscheme) -> None:
        kind = "per_channel" if self.per_channel else "per_tensor"
        floats = self.workflow.qparams == "float32" and self.per_channel
        schemes = (*dtypes.SCHEMES, *([dtypes.per_channel_affine_float_qparams] if floats else []))
        known = isinstance(qscheme, dtypes.qscheme) and qscheme in schemes
        if not known or qscheme.is_per_channel is not self.per_channel:
            raise NotSupportedError(
                argument="qscheme",
                expected=f"refquant.{kind}_affine or refquant.{kind}_symmetric",
                got=repr(qscheme),
            )

    @property
    def target_range(self) -> tuple[int, int]:
        """The range of integers that real values are mapped to."""
        if not self.reduce_range or self.workflow.reduced_range == "halved":
            return self.quant_min, self.quant_max
        low, high = ranges.REDUCED[self.dtype.name]
        return max(self.quant_min, low), min(self.quant_max, high)

    def _elements(self, x) -> np.ndarray:
        """Return the elements of a tensor to observe in float32, or raise."""
        if self.workflow.qparams == "float32" and isinstance(x, Tensor) and not x.is_quantized:
            return x.array.astype(np.float32, copy=False)
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

    def _start(self) -> list[Tensor | None]:
        """Make the ends of a range of which nothing was seen."""
        if self.workflow.states < STATES_WITH_EPS:
            return [None, None]
        shape = (0,) if self.per_channel else ()
        return [Tensor(np.full(shape, end, np.float32)) for end in (np.inf, -np.inf)]

    def reset_range(self) -> None:
        """Forget the range that was seen."""
        self.min_val, self.max_val = self._start()

    def _seen(self) -> Any:
        """Return the ends of the range so far, of shape (2,) or (2, channels); None if unknown."""
        if self.min_val is None:
            return None
        ends = np.array([self.min_val.array, self.max_val.array], np.float32)
        nothing = ends.size == 0 or ((ends[0] == np.inf) & (ends[1] == -np.inf)).all()
        return None if nothing else ends

    def _range(self) -> Any:
        """Return the ends of the range to map, arrays of shape (n,); None if nothing was seen."""
        seen = self._seen()
        return None if seen is None else tuple(seen.reshape(2, -1))

    def _qparams(self, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose scales and zero points for ranges, by the formula of the release."""
        low, high = self.target_range
        if self.workflow.qparams == "float64":
            return kernels.observer_qparams(lower, upper, low, high, self.qscheme.is_symmetric)
        eps = float(self.eps)
        if self.qscheme is dtypes.per_channel_affine_float_qparams:
            return qparams.float_qparams(lower, upper, low, high, eps)
        if self.qscheme.is_symmetric:
            middle = ranges.middle(self.dtype, low, high, self.has_customized_qrange)
            return qparams.symmetric_qparams(lower, upper, low, high, eps, middle)
        return qparams.affine_qparams(lower, upper, low, high, eps)

    def _unobserved(self) -> tuple[Tensor, Tensor]:
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

    def calculate_qparams(self, **keywords: Any) -> tuple[Any, ...]:
        r"""Choose scale and zero point for the range that was seen.

        The range is widened to contain zero. Affine:
        :math:`s = (u - l) / (q_{max} - q_{min}),\; z = q_{min} - round(l / s)`. Symmetric:
        :math:`s = \max(-l, u) / ((q_{max} - q_{min}) / 2)` and :math:`z` in the middle. The scale
        is at least `eps`. Under 2.13 every operation is rounded to float32; under 1.4 to float64,
        to float32 last, and only zeros give scale 1, zero point 0.

        Returns
        -------
        scale : Tensor of float32, shape (1,)
        zero_point : Tensor, shape (1,)
            int64; under 2.13 int32 if the scheme is affine.

        Warns
        -----
        NoDataWarning
            If nothing was observed; the result is then scale 1, zero point 0.
        """
        with self._turn:
            ends = self._range()
        if ends is None:
            return self._unobserved()
        scales, zero_points = self._qparams(*ends)
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

        Examples
        --------
        >>> import refquant
        >>> one, other = (refquant.quantization.MinMaxObserver() for _ in range(2))
        >>> _ = one(refquant.tensor([-1.0])), other(refquant.tensor([2.0]))
        >>> one.merge(other).max_val
        tensor(2.)
        """
        self._check_mergeable(other)
        # Two threads that merge two observers into each other must not wait for each other.
        first, second = sorted((self._turn, other._turn), key=id)
        with first, second:
            self._absorb(other)
        return self

    def _settings(self) -> tuple:
        """Everything that two observers must share so that their statistics can be merged."""
        return (
            *(self.dtype, self.qscheme, self.reduce_range, self.quant_min, self.quant_max),
            *(float(self.eps), self.workflow.release),
        )

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
        with self._turn:
            ends = self._range()
            return Explanation.of(self, ends, [] if ends is None else self._explain_more())

    def _explain_more(self) -> list[tuple[str, str]]:
        """Return facts that only this class of observers knows."""
        return []

    # -- state ---------------------------------------------------------------------------------

    def _state_names(self) -> tuple[str, ...]:
        """Return the names that the state has for the statistics."""
        plural = self.per_channel and self.workflow.states < STATES_WITH_EPS
        return tuple(name + "s" if plural else name for name in self._statistics)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        names = dict(zip(self._statistics, self._state_names(), strict=True))
        if self.workflow.states >= STATES_WITH_EPS:
            names = {"eps": "eps", **names}
        with self._turn:
            states.save_statistics(self, names, destination, prefix, keep_vars)

    def _load_from_state_dict(self, report, prefix: str) -> None:
        eps = report.take(prefix + "eps", optional=True)
        if eps is not None and self.workflow.states >= STATES_WITH_EPS:
            report.copy_into(prefix + "eps", self.eps)
        states.load_range(report, self, prefix, (-1,) if self.per_channel else ())

    def extra_repr(self) -> str:
        """Show the range, and the release whose arithmetic the observer follows."""
        ends = [self.min_val, self.max_val]
        if not self.per_channel:
            ends = [None if end is None else end.item() for end in ends]
        return f"min_val={ends[0]}, max_val={ends[1]}, {super().extra_repr()}"
