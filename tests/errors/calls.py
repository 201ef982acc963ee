"""Every public callable, and calls of them by arguments with names."""

import copy
import importlib.util
import inspect
import pkgutil
from dataclasses import dataclass
from pathlib import Path

import refquant
from refquant import engines

DOCS = Path(__file__).parents[2] / "docs"
# Methods with two underscores that people call by an operator or a builtin function.
OPERATORS = ("__call__", "__getitem__", "__setitem__", "__iter__", "__len__", "__contains__")


@dataclass
class Target:
    """A public callable and how it is called in its example."""

    name: str
    function: object  # what is called
    code: object  # of the Python function behind it
    signature: inspect.Signature
    owner: type | None = None  # of a method or a constructor
    arguments: dict | None = None  # of a call by name; None: neither an example nor put together
    engine: engines.Engine | None = None  # with which it was called
    works: bool = False  # whether the call succeeds

    def is_own(self, name: str) -> bool:
        """Return whether an argument is the object whose method this is."""
        first = next(iter(self.signature.parameters))
        return self.owner is not None and not inspect.isclass(self.function) and name == first


def public_names():
    """Load the list of public names from which the documentation is generated."""
    spec = importlib.util.spec_from_file_location("public_names", DOCS / "_ext" / "public_names.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def targets() -> list[Target]:
    """List public functions, constructors and methods, each once."""
    names = public_names()
    found, seen = [], set()

    def add(name, function, owner=None, call=None):
        inner = inspect.unwrap(function)
        code = getattr(inner, "__code__", None)
        if code is None or (code, owner if call else None) in seen:
            return
        if not inner.__module__.startswith("refquant"):
            return
        seen.add((code, owner if call else None))
        signature = inspect.signature(inner)
        found.append(Target(name, call or function, code, signature, owner))

    for face in names.FACES:
        for name, value in names.public(face).items():
            path = f"{face}.{name}"
            if inspect.isclass(value):
                if not issubclass(value, BaseException):
                    add(path, value.__init__, value, value)
                    for method in dir(value):
                        part = inspect.getattr_static(value, method)
                        kept = not method.startswith("_") or method in OPERATORS
                        if kept and inspect.isfunction(part):
                            owner = next((c for c in value.__mro__ if method in vars(c)), None)
                            if owner is None:  # of an enumeration's own class
                                continue
                            add(f"{owner.__module__}.{owner.__name__}.{method}", part, owner)
            elif inspect.isroutine(value):
                add(path, value)
    # What public names run when their first operand is quantized.
    for module in map(importlib.import_module, modules_below(refquant.ops.quantized)):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isfunction(value) and next(
                iter(inspect.signature(value).parameters), ""
            ) in (
                "input",
                "qx",
            ):
                add(f"{module.__name__}.{name}", value)
    return found


def modules_below(package) -> list[str]:
    """List the modules of a package by their dotted names."""
    return [f"{package.__name__}.{m.name}" for m in pkgutil.iter_modules(package.__path__)]


def copied(arguments: dict) -> dict:
    """Copy arguments; what several of them have in common stays so."""
    memo: dict = {}
    return {name: copied_value(value, memo) for name, value in arguments.items()}


def copied_value(value, memo: dict):
    """Copy a value; what cannot be copied, such as an engine, cannot change."""
    try:
        return copy.deepcopy(value, memo)
    except TypeError:
        return value
    except refquant.errors.GradientError:  # the result of a recorded operation becomes a leaf
        if isinstance(value, refquant.Tensor):
            return value.detach().clone().requires_grad_()
        if isinstance(value, list | tuple):
            return type(value)(copied_value(part, memo) for part in value)
        return value


def call(target: Target, arguments: dict):
    """Call a target with arguments by name."""
    positional, keywords = [], {}
    for name, parameter in target.signature.parameters.items():
        if name not in arguments:
            continue
        value = arguments[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(value)
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords.update(value)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            keywords[name] = value
        else:
            positional.append(value)
    return target.function(*positional, **keywords)
