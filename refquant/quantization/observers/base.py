"""The base class of all observers: factories, paths in the model, and state."""

from collections.abc import Callable
from typing import Any

from refquant import dtypes, engines
from refquant._turns import Turn
from refquant.errors import NotSupportedError
from refquant.nn.module import Module
from refquant.quantization.observers.explanation import Explanation
from refquant.quantization.observers.factory import Factory

__all__ = ["Observer", "ObserverBase", "has_observed"]


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
    workflow : Workflow
        That of the engine that was chosen when the observer was made: whose arithmetic it follows.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> observer = quantization.MinMaxObserver()
    >>> isinstance(observer, quantization.Observer)
    True
    """

    path = ""
    _computing = ("forward", "calculate_qparams")
    # Names of the tensors that are the state; the last two are the ends of a range, or None.
    _statistics: tuple[str, ...] = ()

    def __init__(self, dtype: dtypes.dtype, is_dynamic: bool = False) -> None:
        super().__init__()
        self.dtype, self.is_dynamic = dtype, is_dynamic
        self.workflow = engines.current().workflow
        # Threads add what they have seen one after the other.
        self._turn = Turn()

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

    @classmethod
    def with_callable_args(cls, **functions: Callable[[], Any]) -> Factory:
        """Choose functions that are called for arguments whenever an observer is made.

        Examples
        --------
        >>> import refquant
        >>> from refquant.quantization import MinMaxObserver
        >>> make = MinMaxObserver.with_callable_args(dtype=lambda: refquant.qint8)
        >>> make().dtype
        refquant.qint8
        """
        return Factory(cls, {}).with_callable_args(**functions)

    def calculate_qparams(self, **keywords: Any) -> tuple[Any, ...]:
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

    def extra_repr(self) -> str:
        """Show the release whose arithmetic the observer follows."""
        return f"release={self.workflow.release}"


def has_observed(observer: Module) -> bool:
    """Return whether an observer knows a range; True for those that keep none."""
    # Fake quantization holds its observer.
    inner = observer._modules.get("activation_post_process", observer)
    seen = getattr(inner, "_seen", None)
    if seen is not None:
        return seen() is not None
    return getattr(inner, "min_val", observer) is not None


# The documented name; the class it means is ObserverBase.
Observer = ObserverBase
