"""The lock of what changes when it is called, so that threads come one after the other."""

import functools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["Turn", "in_turn"]

_turns: weakref.WeakSet = weakref.WeakSet()  # all that exist


class Turn:
    """A lock of one object, for a ``with`` block; copies of the object have locks of their own."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _turns.add(self)

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


def _after_fork() -> None:
    """Release what other threads held: the forked process has the one alone that forked."""
    for turn in _turns:
        if turn._lock.acquire(blocking=False):
            turn._lock.release()
        else:
            turn._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
