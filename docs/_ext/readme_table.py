"""The directive ``readme-table``: a table of the README, so that a figure is written down once."""

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

README = Path(__file__).parents[2] / "README.md"


def table_after(heading, text):
    """Cells of the first table after a heading of a Markdown text, row by row."""
    lines = text[text.index(f"\n## {heading}\n") :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if set("".join(cells)) - set("-: "):
            rows.append(cells)
    return rows


class ReadmeTable(SphinxDirective):
    """The first table after the heading that is the argument."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        self.env.note_dependency(str(README))
        rows = table_after(self.arguments[0], README.read_text(encoding="utf-8"))
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for row in rows:
            cells = [cell.replace("`", "``") for cell in row]
            lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(cells)]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source=str(README)), 0, holder)
        return holder.children


def setup(app):
    """Register the directive."""
    app.add_directive("readme-table", ReadmeTable)
    return {"parallel_read_safe": True}
