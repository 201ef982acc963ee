"""Directives that document every public name of a face, so that no page can lack one.

``.. public-names:: refquant.nn`` stands for all names of ``refquant.nn``; with ``:home:`` for those
that are defined in some modules. ``.. definitions::`` stands for all modules of definitions.
"""

import inspect

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from public_names import definitions, home, public
from sphinx.util.docutils import SphinxDirective


class PublicNames(SphinxDirective):
    """Document the public names of a face."""

    required_arguments = 1
    option_spec = {
        "home": directives.unchanged_required,
    }

    def run(self):
        face = self.arguments[0]
        homes = tuple(self.options.get("home", "").split())
        lines = []
        for name, value in public(face).items():
            if not homes or home(value).startswith(homes):
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
