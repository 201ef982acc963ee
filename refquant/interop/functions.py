"""The code of models: functions and classes that name one library, made to name the other.

A model's own ``forward`` is Python code that says ``torch.flatten`` or ``self.conv``. The same code
runs on the other library's modules once the globals that it names are those of that library.
"""

from collections.abc import Callable
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from refquant.interop.libraries import Library

__all__ = ["Functions"]


class Functions:
    """Converter of functions and classes; each is converted once.

    Parameters
    ----------
    source, target : Library
        Between which to convert.
    value : callable
        Converts any other value.
    """

    def __init__(self, source: Library, target: Library, value: Callable[[Any], Any]):
        self.source, self.target, self.value = source, target, value
        self.missing: set[str] = set()
        # What was converted, with the original, which keeps its id from being used again.
        self._known: dict[int, tuple[Any, Any]] = {}

    def convert(self, thing: Any) -> Any:
        """Convert a module of Python, a class, a method or a function."""
        if id(thing) in self._known:
            return self._known[id(thing)][1]
        if self.source.owns(thing):
            return self._counterpart(thing)
        if isinstance(thing, type):
            return self._class(thing)
        if isinstance(thing, MethodType):
            return MethodType(self.convert(thing.__func__), self.value(thing.__self__))
        return self._function(thing) if isinstance(thing, FunctionType) else thing

    def _counterpart(self, thing: Any) -> Any:
        found = self.target.counterpart(self.source, thing)
        if found is None:
            self.missing.add(f"{next(self.source.places(thing))}.{thing.__name__}")
        self._known[id(thing)] = thing, found
        return found

    def _class(self, cls: type) -> Any:
        """Convert a class of the user's, if it derives from one of the library's."""
        if not any(map(self.source.owns, cls.__mro__)):
            return cls
        bases = tuple(map(self.convert, cls.__bases__))
        if None in bases:
            return None
        described = {"__doc__": cls.__doc__, "__module__": cls.__module__}
        made = type(cls)(cls.__name__, bases, described)
        self._known[id(cls)] = cls, made
        for name, member in vars(cls).items():
            if name not in ("__dict__", "__weakref__", *described):
                setattr(made, name, self._member(member))
        return made

    def _member(self, member: Any) -> Any:
        if isinstance(member, staticmethod | classmethod):
            return type(member)(self._member(member.__func__))
        if isinstance(member, property):
            get, put, drop = map(self.value, (member.fget, member.fset, member.fdel))
            return property(get, put, drop, member.__doc__)
        return self.value(member)

    def _function(self, function: FunctionType) -> FunctionType:
        cells = tuple(CellType() for _ in function.__closure__ or ())
        names: dict[str, Any] = {"__name__": function.__module__}
        made = FunctionType(
            function.__code__, names, function.__name__, function.__defaults__, cells or None
        )
        self._known[id(function)] = function, made  # before what it names, which may name it
        made.__kwdefaults__, made.__doc__ = function.__kwdefaults__, function.__doc__
        made.__qualname__ = function.__qualname__
        for name in _names(function.__code__) & function.__globals__.keys():
            names[name] = self.value(function.__globals__[name])
        for cell, given in zip(cells, function.__closure__ or (), strict=True):
            cell.cell_contents = self.value(given.cell_contents)
        return made


def _names(code: CodeType) -> set[str]:
    """Collect the names that code, and code inside it, looks up."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names, inner))
