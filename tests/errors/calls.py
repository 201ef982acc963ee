"""Valid calls of every public callable, taken from the examples of their docstrings."""

import contextlib
import copy
import doctest
import importlib.util
import inspect
import io
import pkgutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import refquant

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
    arguments: dict | None = None  # of a valid call, by name; None: no example calls it

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


def with_quantized(arguments: dict, name: str) -> dict:
    """Replace the first operand by a quantized one, if it is none already."""
    value = arguments.get(name)
    if isinstance(value, refquant.QuantizedTensor):
        return arguments
    shape = value.shape if isinstance(value, refquant.Tensor) else (1, 2, 4, 4)
    q = refquant.quantize_per_tensor(refquant.ones(*shape), 0.5, 1, refquant.quint8)
    return arguments | {name: q}


def record(listed: list[Target]) -> None:
    """Run the examples of all docstrings and keep a valid call of each target."""
    by_code = {}
    for target in listed:
        by_code.setdefault(target.code, []).append(target)
    parser = doctest.DocTestParser()

    def keep(frame, event, _):
        if event != "call" or frame.f_code not in by_code:
            return
        sys.setprofile(None)
        try:
            for target in by_code[frame.f_code]:
                take(target, frame.f_locals)
        finally:
            sys.setprofile(keep)

    sources = {}
    for target in listed:
        for thing in (target.function, target.owner):
            text = inspect.getdoc(thing) if thing is not None else None
            if text and ">>>" in text:
                sources.setdefault(text, target.name)
    for text, name in sources.items():
        # An example may stop at an error that it shows; what it called until then counts.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            space = {"__name__": "__main__"}
            for example in parser.get_examples(text, name):
                program = compile(example.source, f"<example of {name}>", "single")
                sys.setprofile(keep)
                try:
                    exec(program, space)
                except refquant.errors.RefquantError:
                    pass
                finally:
                    sys.setprofile(None)
    for target in listed:
        if target.arguments is None:
            target.arguments = borrowed(target, listed)
            first = next(iter(target.signature.parameters), None)
            if target.name.startswith("refquant.ops.quantized") and first in ("input", "qx"):
                target.arguments = with_quantized(target.arguments or {}, first)


def borrowed(target: Target, listed: list[Target]) -> dict | None:
    """Put a call together from the arguments that other examples give to the same names."""
    found = {}
    for position, (name, parameter) in enumerate(target.signature.parameters.items()):
        if position == 0 and target.owner is not None:
            if not inspect.isclass(target.function):
                found[name] = instance(target.owner, listed)
                if found[name] is None:
                    return None
        elif parameter.default is not parameter.empty:
            found[name] = parameter.default
        elif parameter.kind is parameter.VAR_POSITIONAL:
            found[name] = ()
        elif parameter.kind is parameter.VAR_KEYWORD:
            found[name] = {}
        else:
            given = [
                other.arguments[name]
                for other in listed
                if other.arguments and name in other.arguments
            ]
            if not given:
                return None
            found[name] = given[0]
    return found


def instance(owner: type, listed: list[Target]):
    """Find an object of a class among the arguments, or make one as its example does."""
    for other in listed:
        for value in (other.arguments or {}).values():
            if isinstance(value, owner):
                return value
    for other in listed:
        if (
            inspect.isclass(other.function)
            and issubclass(other.function, owner)
            and other.arguments
        ):
            return call(other, copied(other.arguments))
    return None


def take(target: Target, local: dict) -> None:
    """Keep a copy of the arguments of a call, the one that names most of them."""
    names = list(target.signature.parameters)
    if any(name not in local for name in names):
        return
    if target.owner is not None and not isinstance(local[names[0]], target.owner):
        return
    arguments = {name: local[name] for name in names}
    if inspect.isclass(target.function):
        arguments.pop(names[0])
    if any(map(inspect.isgenerator, arguments.values())):
        return  # the call uses it up
    if target.arguments is None or richness(arguments) > richness(target.arguments):
        target.arguments = copied(arguments)


def copied(arguments: dict) -> dict:
    """Copy arguments one by one."""
    return {name: copied_value(value) for name, value in arguments.items()}


def copied_value(value):
    """Copy a value; what cannot be copied, such as an engine, cannot change."""
    try:
        return copy.deepcopy(value)
    except TypeError:
        return value
    except refquant.errors.GradientError:  # the result of a recorded operation becomes a leaf
        if isinstance(value, refquant.Tensor):
            return value.detach().clone().requires_grad_()
        return type(value)(map(copied_value, value)) if isinstance(value, list | tuple) else value


def richness(arguments: dict) -> int:
    """Count the arguments that hold something."""
    return sum(
        value is not None and value != () and value != {}
        for value in map(plain, arguments.values())
    )


def plain(value):
    """Return a value that can be compared, or an object that equals nothing."""
    return value if isinstance(value, (tuple, dict, str, int, float)) else object()


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
