"""The directive ``lab``: where to get the notebooks of a lab, and what it asks.

The notebooks are made below ``generated/labs`` before pages are read.
"""

import importlib.util
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from refquant import course

DOCS = Path(__file__).parents[1]
SCRIPT = DOCS.parent / "tutorials" / "labs" / "notebooks.py"


def lines_of(name, in_browser):
    """Write what the directive shows, as reStructuredText."""
    lab = name.split("_")[1]
    headings = [course.question(n).splitlines()[0] for n in course.questions() if n[0] == lab]
    kinds = {"student": "Notebook for students", "teacher": "with solutions, for teachers"}
    downloads = [
        f":download:`{text} </generated/labs/{kind}/{name}.ipynb>`" for kind, text in kinds.items()
    ]
    if in_browser:
        address = f"../lite/notebooks/index.html?path=labs/{name}.ipynb"
        downloads.append(f"`run it in the browser <{address}>`__")
    lines = [", ".join(downloads), ""]
    for heading in headings:
        title, _, signature = heading.rpartition(": ")
        lines.append(f"* {title}: ``{signature}``")
    return lines


class Lab(SphinxDirective):
    """The lab whose source is the argument."""

    required_arguments = 1

    def run(self):
        self.env.note_dependency(str(SCRIPT.parent / f"{self.arguments[0]}.py"))
        holder = nodes.container()
        lines = lines_of(self.arguments[0], "in_browser" in self.env.app.extensions)
        self.state.nested_parse(StringList(lines, source="lab"), 0, holder)
        return holder.children


def make_notebooks(app):
    """Write the notebooks before pages link to them."""
    spec = importlib.util.spec_from_file_location("notebooks", SCRIPT)
    notebooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notebooks)
    notebooks.write(DOCS / "generated" / "labs")


def setup(app):
    """Register the directive."""
    app.add_directive("lab", Lab)
    app.connect("builder-inited", make_notebooks)
    return {"parallel_read_safe": True}
