"""Calls of a backend that is not trusted to return."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import numpy as np

from refquant.errors import OperationError
from refquant.ops.from_data import tensor
from refquant.oracle.problems.codes import Codes
from refquant.oracle.vectors.case import Case
from refquant.tensors import QuantizedTensor, Tensor

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
    thread.join(min(limit, threading.TIMEOUT_MAX))
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
        return backend(**{name: _copy(value) for name, value in case.arguments.items()})
    # What ends a program or a generator is no more than a failure of the backend.
    except (Exception, SystemExit, GeneratorExit) as error:
        raise OperationError(
            f"oracle.check: the backend raised {type(error).__name__} in case {case.name!r}: "
            f"{_text(error)}",
            hint=f"the case is {case.problem.describe()}",
        ) from error


def _copy(value: Any) -> Any:
    """Copy operands, so that a backend which computes in place does not change the case."""
    if isinstance(value, list | tuple):
        return type(value)(map(_copy, value))
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Codes | QuantizedTensor):
        return value.like(value.array.copy())
    return tensor(value.array.copy()) if isinstance(value, Tensor) else value


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as inner:  # of an exception whose text cannot be made
        return f"without a text, which raised {type(inner).__name__}"
