"""The floating-point environment of Python code that computes numbers between calls of kernels.

Each call of a kernel or of its definition runs in the usual environment: numbers are rounded to the
nearest, denormal numbers are kept and exceptions are not trapped. Multipliers, sizes, scales and
tables are computed around such calls, so the functions that users call run in it as a whole.
"""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

__all__ = ["enclose", "in_usual_environment"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

try:
    _enclosed = import_module("refquant._kernels._environment").enclosed
except ModuleNotFoundError:  # a pure installation computes in the environment of its caller
    _enclosed = None


def in_usual_environment(function: _Function) -> _Function:
    """Decorate a function: it runs in the usual environment, which it leaves as it was.

    That holds also if an error ends it. Inside it, calls of others like it change nothing.

    Parameters
    ----------
    function : callable
        Written in Python; a method too.

    Returns
    -------
    callable
        With the attributes of the function, its place in a class, and the name by which it is
        pickled; without compiled kernels the function itself.

    Examples
    --------
    >>> from refquant._environment import in_usual_environment
    >>> @in_usual_environment
    ... def third(x):
    ...     return x / 3
    >>> third(1.0), third.__name__
    (0.3333333333333333, 'third')
    """
    return function if _enclosed is None else _enclosed(function)


def enclose(module: str) -> None:
    """Let all functions that a module offers run in the usual environment.

    These are its own functions in ``__all__``, or without that all of its own, and those of
    ``FORMS``, which plain operations call. Where one is the default of an argument, its stand-in
    becomes so.

    Parameters
    ----------
    module : str
        The ``__name__`` of the module, which calls this at its end.

    Examples
    --------
    >>> from refquant._environment import enclose
    >>> enclose("refquant.ops.quantized.affine")  # which has done so: nothing changes
    """
    names = vars(sys.modules[module])
    forms = names.get("FORMS", {})
    offered = [names[name] for name in names.get("__all__", tuple(names))]
    own = [value for value in offered if getattr(value, "__module__", "") == module]
    enclosed: dict[Callable[..., Any], Callable[..., Any]] = {
        value: in_usual_environment(value)
        for value in (*own, *forms.values())
        if inspect.isfunction(value)
    }
    for table in (names, forms):
        for name, value in table.items():
            table[name] = _stand_in(enclosed, value)
    for function in enclosed:
        if function.__defaults__:
            function.__defaults__ = tuple(_stand_in(enclosed, v) for v in function.__defaults__)
        by_name = function.__kwdefaults__ or {}
        for name, value in by_name.items():
            by_name[name] = _stand_in(enclosed, value)


def _stand_in(enclosed: dict[Callable[..., Any], Callable[..., Any]], value: Any) -> Any:
    return enclosed[value] if inspect.isfunction(value) and value in enclosed else value
