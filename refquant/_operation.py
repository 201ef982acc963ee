"""The name of the operation at work, which errors find on the stack.

No function passes its name on to what it calls, so calls that succeed pay nothing for it.
"""

import inspect
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

__all__ = ["named", "operation_name", "owner_of", "warn"]

F = TypeVar("F", bound=Callable)

# Where a call leaves the library although the code is refquant's: programs that use it.
_PROGRAMS = (
    "refquant.__main__",
    "refquant.cli",
    "refquant.demo",
    "refquant.oracle.check_command",
    "refquant.oracle.judge_command",
    "refquant.oracle.vectors_command",
)
# Packages whose name belongs to the names of what they hold: ``quantized.add``, ``qat.Linear``.
_NAMESPACES = (
    "refquant.engines",
    "refquant.kernels",
    "refquant.nn",
    "refquant.nn.quantized.functional",
    "refquant.ops.quantized",
    "refquant.oracle",
)
# Where an operation that a module calls in its `forward` may be found; it is named instead.
_OPERATIONS = (
    "refquant",
    "refquant.nn.functional",
    "refquant.nn.quantized.functional",
    "refquant.ops.quantized",
)


def named(name: str) -> Callable[[F], F]:
    """Give a function, such as a wrapper or a dunder method, the name that errors call it by.

    Examples
    --------
    >>> from refquant._operation import named, operation_name
    >>> named("indexing")(lambda: operation_name()).__code__.co_name
    'indexing'
    """

    def decorate(function: F) -> F:
        code = function.__code__  # what a frame knows of its function
        function.__code__ = code.replace(co_name=name, co_qualname=name)
        return function

    return decorate


def operation_name(frame: FrameType | None = None) -> str:
    """Name the operation at work: the outermost function of refquant that the stack reaches.

    The stack is followed from the innermost frame (by default that of the caller) to the first
    function that is not refquant's, or to the call of a module, which has a path of its own in
    messages. Private functions, closures and lambdas are passed over. A class is named for its
    constructor and its `forward`, unless that called an operation which has a name itself.
    """
    frame = sys._getframe(1) if frame is None else frame
    innermost, name, documented = frame, "", False
    while frame is not None and not _is_boundary(frame):
        last = frame.f_code.co_name
        owners = frame.f_code.co_qualname.removesuffix(last)
        owner = owner_of(frame) if owners else None
        if frame.f_globals["__name__"] == "contextlib":
            pass  # between a context manager and the function that enters it
        elif last in ("__init__", "__new__", "__post_init__") and owner is not None:
            name, documented = _class_name(owner), False
        elif last == "forward" and owner is not None:
            name = name if documented else _class_name(owner)
        elif not ("<locals>" in owners or _is_private(last)):
            documented = not owners and _is_documented(last)
            name = _method_name(owner, last) if owner is not None else _function_name(frame, last)
        frame = frame.f_back
    last = innermost.f_code.co_name
    if not name and frame is not None and frame is not innermost and _is_module_call(frame):
        return _class_name(owner_of(frame))  # the call itself checks the arguments
    return name or ("" if last == "<module>" else last.strip("_<>"))


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn on behalf of the operation at work, at the line that called it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and not _is_boundary(frame.f_back):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{operation_name(sys._getframe(1))}: {text}", category, stacklevel=level + 1)


def _is_boundary(frame: FrameType) -> bool:
    """Whether a frame is outside the library."""
    module, code = frame.f_globals.get("__name__"), frame.f_code
    if module == "contextlib":
        return False
    if not _within(module, "refquant") or _within(module, *_PROGRAMS):
        return True
    # Examples in docstrings run with the globals of their module.
    if code.co_name == "<module>" or code.co_filename.startswith("<doctest"):
        return True
    return _is_module_call(frame)


def _is_module_call(frame: FrameType) -> bool:
    """Whether a frame is the call of a module, which runs its hooks and its `forward`."""
    module, code = frame.f_globals.get("__name__"), frame.f_code
    return module == "refquant.nn.hooks" and code.co_name == "__call__"


def _within(module: str | None, *packages: str) -> bool:
    return f"{module}.".startswith(tuple(f"{package}." for package in packages))


def _is_private(name: str) -> bool:
    """Whether a name is that of a helper, a lambda or a comprehension, which no user calls."""
    return name.startswith("<") or (name.startswith("_") and not name.endswith("__"))


def owner_of(frame: FrameType) -> Any:
    """Return the object or class whose method a frame runs, or None."""
    code = frame.f_code
    if code.co_argcount == 0 or code.co_varnames[0] not in ("self", "cls"):
        return None
    return frame.f_locals.get(code.co_varnames[0])


def _class_name(owner: Any) -> str:
    place = getattr(owner, "_place", None)  # observers know where in the model they are
    if place is not None and not isinstance(owner, type) and hasattr(owner, "path"):
        return place()
    cls = owner if isinstance(owner, type) else type(owner)
    return _public_name(cls.__module__, cls.__name__, lambda found: found is cls)


def _method_name(owner: Any, method: str) -> str:
    cls = owner if isinstance(owner, type) else type(owner)
    if cls.__module__.startswith("refquant.tensors."):
        return method.strip("_") if method.startswith("__") else method
    if _is_private(cls.__name__):
        return method
    return f"{_class_name(owner)}.{method}"


def _function_name(frame: FrameType, name: str) -> str:
    def is_it(found: Any) -> bool:
        return getattr(inspect.unwrap(found), "__code__", None) is frame.f_code

    return _public_name(frame.f_globals["__name__"], name, is_it)


def _public_name(module: str, name: str, is_it: Callable[[Any], bool]) -> str:
    """Put the name of the package that exports something before its name, where it belongs there.

    The outermost package counts, and `refquant` itself needs no prefix.
    """
    if not _within(module, *_NAMESPACES):
        return name
    package = getattr(sys.modules.get(module), "__package__", None) or ""
    parts = package.split(".")
    parents = [".".join(parts[:count]) for count in range(2, len(parts) + 1)]
    for path in ("refquant", *_NAMESPACES, *parents):
        if path in sys.modules and is_it(_exported(sys.modules[path], name)):
            return _prefixed(path, name)
    for path in reversed(parents):  # a subclass or wrapper that took the name
        if _within(path, *_NAMESPACES) and name in vars(sys.modules[path]):
            return _prefixed(path, name)
    return name


def _exported(module: Any, name: str) -> Any:
    # Packages that import names when first used list them; what is called has been imported.
    listed = name in vars(module) or name in vars(module).get("__all__", ())
    return getattr(module, name) if listed else None


def _prefixed(path: str, name: str) -> str:
    """Put the path of a package before a name as the documentation has it."""
    parts = path.split(".")[1:]
    return ".".join([part for part in parts if part not in ("ops", "nn", "functional")] + [name])


def _is_documented(name: str) -> bool:
    modules = [sys.modules[module] for module in _OPERATIONS if module in sys.modules]
    return any(name in getattr(module, "__all__", vars(module)) for module in modules)
