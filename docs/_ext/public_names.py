"""Which names are public, and a directive that documents all of a module's.

``.. public-names:: refquant.nn`` stands for every public name of that face, so that a page cannot
lack one. ``:home:`` takes only those defined in some modules, ``:kind: data`` those that are neither
functions nor classes.
"""

import importlib
import inspect
import pkgutil
import types

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

# The documented faces. What lies below them is reached through them.
FACES = (
    "refquant",
    "refquant.ops.quantized",
    "refquant.nn",
    "refquant.nn.functional",
    "refquant.nn.init",
    "refquant.nn.utils",
    "refquant.nn.utils.rnn",
    "refquant.nn.quantized",
    "refquant.nn.quantized.functional",
    "refquant.nn.quantized.dynamic",
    "refquant.nn.intrinsic",
    "refquant.nn.intrinsic.qat",
    "refquant.nn.intrinsic.quantized",
    "refquant.nn.qat",
    "refquant.quantization",
    "refquant.optim",
    "refquant.engines",
    "refquant.kernels",
    "refquant.oracle",
    "refquant.plotting",
    "refquant.reporting",
)
_LAZY = {"refquant": ("load", "report", "save", "show_config")}


def public(face: str) -> dict[str, object]:
    """Collect the public names of a face: its ``__all__``, or what it took from the package."""
    module = importlib.import_module(face)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [*(n for n in vars(module) if not n.startswith("_")), *_LAZY.get(face, ())]
    found = {name: getattr(module, name) for name in sorted(set(names), key=str.lower)}
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, types.ModuleType)
        and (getattr(value, "__module__", None) or "refquant").startswith("refquant")
    }


def home(value: object) -> str:
    """Name the module that defines something; that of its class for a constant."""
    return value.__module__ if is_described(value) else type(value).__module__


def is_described(value: object) -> bool:
    """Tell functions and classes, which have docstrings of their own, from data."""
    return inspect.isclass(value) or inspect.isroutine(value)


def definitions() -> list[str]:
    """List the modules of the definitions."""
    package = importlib.import_module("refquant.reference")
    return [module.name for module in pkgutil.iter_modules(package.__path__)]


class PublicNames(SphinxDirective):
    """Document the public names of a face."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "home": directives.unchanged_required,
        "kind": lambda argument: directives.choice(argument, ("data", "described")),
    }

    def run(self):
        face = self.arguments[0]
        homes = tuple(self.options.get("home", "").split())
        kind = self.options.get("kind")
        lines = []
        for name, value in public(face).items():
            if homes and not home(value).startswith(homes):
                continue
            if kind is None or (kind == "described") == is_described(value):
                lines += self._entry(f"{face}.{name}", value)
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source=face), self.content_offset, holder)
        return holder.children

    def _entry(self, path, value):
        if inspect.isclass(value):
            return [f".. autoclass:: {path}", "   :members:", ""]
        if inspect.isroutine(value):
            return [f".. autofunction:: {path}", ""]
        text = repr(value)
        shown = [f"   ``{text}``", ""] if len(text) < 120 and "\n" not in text else []
        return [f".. py:data:: {path}", "", *shown]


class Definitions(SphinxDirective):
    """Document every module of definitions."""

    def run(self):
        holder = nodes.container()
        lines = []
        for name in definitions():
            path = f"refquant.reference.{name}"
            lines += [f".. rubric:: {path}", "", f".. automodule:: {path}", "   :members:", ""]
        self.state.nested_parse(StringList(lines, source="reference"), 0, holder)
        return holder.children


def setup(app):
    """Register the directives."""
    app.add_directive("public-names", PublicNames)
    app.add_directive("definitions", Definitions)
    return {"parallel_read_safe": True}
