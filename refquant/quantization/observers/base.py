"""The base class of all observers: factories, paths in the model, and state."""

import functools
from typing import Any

import numpy as np

from refquant import dtypes
from refquant.errors import NotSupportedError
from refquant.nn import state
from refquant.nn.module import Module
from refquant.quantization.observers.explanation import Explanation
from refquant.quantization.observers.factory import Factory
from refquant.tensors import Tensor

__all__ = ["Observer", "ObserverBase", "check_both_or_none", "has_observed", "load_statistic"]


class ObserverBase(Module):
    """A module that observes the tensors that pass through it and chooses a quantizer for them.

    Subclasses define ``forward(x)``, which observes `x` and returns it, and
    ``calculate_qparams()``.

    Parameters
    ----------
    dtype : dtype
        The dtype to quantize to.

    Attributes
    ----------
    path : str
        Path of the observer in its model; set by ``prepare``, named in errors and warnings.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> observer = quantization.MinMaxObserver()
    >>> isinstance(observer, quantization.Observer)
    True
    """

    path = ""
    # Names of the tensors that are the state; the last two are the ends of a range, or None.
    _statistics: tuple[str, ...] = ()

    def __init__(self, dtype: dtypes.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    @classmethod
    def with_args(cls, **keywords: Any) -> Factory:
        """Choose arguments of the constructor; the result makes observers when called.

        Examples
        --------
        >>> import refquant
        >>> from refquant.quantization import MinMaxObserver
        >>> make = MinMaxObserver.with_args(dtype=refquant.qint8)
        >>> make().dtype, make() is make()
        (refquant.qint8, False)
        """
        return Factory(cls, keywords)

    def calculate_qparams(self, **keywords: Any) -> Any:
        """Choose scale and zero point; defined by every observer that can."""
        raise NotSupportedError(
            hint=f"{type(self).__name__} chooses no scale and zero point; use MinMaxObserver or "
            "HistogramObserver in the QConfig"
        )

    def explain(self) -> Explanation:
        """Explain in words what the observer does."""
        facts = [("dtype", self.dtype.name), ("scale", "it chooses none")]
        return Explanation(self._place(), facts)

    def _repr_html_(self) -> str:
        return self.explain()._repr_html_() + self._picture()

    def _picture(self) -> str:
        """Draw what was seen, for a notebook; only some observers keep enough for that."""
        return ""

    def _place(self) -> str:
        """Name the observer for messages: its class, and its path in the model."""
        name = type(self).__name__
        return f"{name} of {self.path!r}" if self.path else name

    # -- state ---------------------------------------------------------------------------------

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        for name in self._statistics:
            value = getattr(self, name)
            kept = value is None or keep_vars
            destination[prefix + name] = value if kept else value.detach()

    def _load_from_state_dict(self, report, prefix: str) -> None:
        check_both_or_none(report, prefix, self._statistics[-2:])
        values = [
            load_statistic(report, self, name, prefix + name, self._statistic_shape(name))
            for name in self._statistics
        ]
        low, high = values[-2:] or (None, None)
        if low is None or high is None:
            return
        # Moving averages of one number and itself may cross by a rounding error.
        slack = 1e-6 * np.abs(low)
        if low.shape != high.shape or (low > high + slack).any():
            report.error(
                " and ".join(prefix + name for name in self._statistics[-2:]),
                "ends of ranges, the smaller ones first",
                f"{low.tolist()} and {high.tolist()}",
            )

    def _statistic_shape(self, name: str) -> tuple:
        """Return the shape of a statistic, -1 where any extent is valid."""
        return ()


def has_observed(observer: Module) -> bool:
    """Return whether an observer knows a range; True for those that keep none."""
    # Fake quantization holds its observer.
    inner = observer._modules.get("activation_post_process", observer)
    return getattr(inner, "min_val", observer) is not None


def check_both_or_none(report, prefix: str, names: tuple[str, ...]) -> None:
    """Report an error if only one of two statistics that belong together is None."""
    values = [report.state[prefix + name] for name in names if prefix + name in report.state]
    if len({value is None for value in values}) > 1:
        keys = " and ".join(prefix + name for name in names)
        report.error(keys, "both None or neither", "None for one of them")


def load_statistic(
    report, module: Module, name: str, key: str, shape: tuple, storage: str = "float32"
) -> np.ndarray | None:
    """Schedule a statistic for loading: None, or finite numbers of a shape, which are returned."""
    value = report.take(key)
    if value is None:
        if key in report.state:
            report.change(functools.partial(setattr, module, name, None))
        return None
    array = state.numbers(report, key, value, storage)
    if array is None:
        return None
    if shape == () and array.shape == (1,):
        array = array.reshape(())
    fits = array.ndim == len(shape) and all(
        n in (-1, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        wanted = f"None or {storage} of shape {shape}".replace("-1", "n")
        report.error(key, wanted, f"shape {array.shape}" if not fits else "NaN or infinity")
        return None
    report.change(functools.partial(setattr, module, name, Tensor(array)))
    return array


# The documented name; the class it means is ObserverBase.
Observer = ObserverBase
