"""Calls of a backend that is not trusted to return."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from refquant.errors import OperationError
from refquant.oracle.vectors.case import Case

__all__ = ["answered"]


def answered(backend: Callable[..., Any], case: Case, limit: float | None) -> Any:
    """Return what a backend answers to a case, or raise if it raises or takes too long.

    Parameters
    ----------
    backend : callable
        Called with the operands by name.
    case : Case
        Whose operands.
    limit : float or None
        Seconds; None calls the backend in this thread, however long it takes.
    """
    if limit is None:
        return _called(backend, case)
    found: list[Any] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(_called(backend, case))
        except BaseException as error:  # whatever it is belongs to the caller's thread
            failed.append(error)

    # Nothing can end a thread; as a daemon it does not keep the process from ending.
    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
    thread.start()
    thread.join(limit)
    if failed:
        raise failed[0]
    if not found:
        raise OperationError(
            f"oracle.check: the backend has not returned within {limit:g} seconds in case "
            f"{case.name!r}",
            hint=f"the case is {case.problem.describe()}; give time_limit= more seconds, or None",
        )
    return found[0]


def _called(backend: Callable[..., Any], case: Case) -> Any:
    try:
        return backend(**case.arguments)
    except Exception as error:
        raise OperationError(
            f"oracle.check: the backend raised {type(error).__name__} in case {case.name!r}: "
            f"{error}",
            hint=f"the case is {case.problem.describe()}",
        ) from error
