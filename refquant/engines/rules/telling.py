"""What rules do on their way to a result, for traces: the functions that they share tell of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

__all__ = ["listening", "told"]

_heard: ContextVar[list[tuple[str, Any, str]] | None] = ContextVar("heard", default=None)


@contextmanager
def listening() -> Iterator[list[tuple[str, Any, str]]]:
    """Collect what functions tell: names, results and formulas.

    Examples
    --------
    >>> from refquant.engines.rules.rounding import round_number
    >>> from refquant.engines.rules.telling import listening
    >>> with listening() as heard:
    ...     _ = round_number(2.5, "half_up")
    >>> [(name, float(value)) for name, value, _ in heard]
    [('rounded', 3.0)]
    """
    heard: list[tuple[str, Any, str]] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def told(
    name: str, formula: Callable[..., str] = lambda *arguments: "", *, whole: bool = False
) -> Callable[..., Any]:
    """Make a decorator of functions whose results are steps of a trace.

    Parameters
    ----------
    name : str
        Of the step.
    formula : callable
        Writes it for people; takes the arguments of the function.
    whole : bool, default False
        Whether the functions that it calls tell nothing.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def telling(*arguments: Any) -> Any:
            heard = _heard.get()
            if heard is None:
                return function(*arguments)
            token = _heard.set(None if whole else heard)
            try:
                result = function(*arguments)
            finally:
                _heard.reset(token)
            heard.append((name, result, formula(*arguments)))
            return result

        return telling

    return decorate
