"""The lock of a module that changes when it is called, so that threads come one after the other."""

import functools
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Turn", "in_turn"]


class Turn:
    """A lock of one object, for a ``with`` block; copies of the object have locks of their own."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type, tuple]:
        return Turn, ()


def in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let threads run a method of one object one after the other, by its attribute ``_turn``."""

    @functools.wraps(method)
    def alone(self: Any, *inputs: Any, **keywords: Any) -> Any:
        with self._turn:
            return method(self, *inputs, **keywords)

    return alone
