"""A notebook from a page: its text as Markdown, its examples and pictures as cells that run.

An example becomes one cell for each result that it shows. What the page quotes from the library is
text, since running it defines nothing. Solutions are folded.
"""

import doctest
import hashlib

from docutils import nodes
from sphinx import addnodes

SIGNS = {nodes.emphasis: "*", nodes.strong: "**", nodes.literal: "`", nodes.math: "$"}


class Notebook:
    """The cells of a page, in order.

    Parameters
    ----------
    address : callable
        Turns the target of a link, as the page has it, into one that leads there from the notebook,
        or into None where none does.
    """

    def __init__(self, address):
        self.address = address
        self.cells = []

    def add(self, kind, text, metadata=None):
        """Append a cell."""
        name = hashlib.sha256(f"{len(self.cells)} {text}".encode()).hexdigest()[:8]
        made = {"cell_type": kind, "id": name, "metadata": metadata or {}, "source": text}
        if kind == "code":
            made |= {"execution_count": None, "outputs": []}
        self.cells.append(made)

    def text(self, markdown):
        """Append Markdown, to the cell before if that is text."""
        if self.cells and self.cells[-1]["cell_type"] == "markdown":
            self.cells[-1]["source"] += f"\n\n{markdown}"
        else:
            self.add("markdown", markdown)

    def read(self, node, level=1, folded=False):
        """Append what a node of a page holds."""
        if isinstance(node, nodes.section):
            self._read_all(node, level, folded)
        elif isinstance(node, nodes.title):
            self.text(f"{'#' * level} {self.inline(node)}")
        elif isinstance(node, nodes.literal_block | nodes.doctest_block):
            self._code(node, folded)
        elif "picture" in node.get("classes", ()):
            self._picture(node)
        elif "sd-dropdown" in node.get("classes", ()):
            self.text("*Solution*")
            self._read_all(node, level, folded=True)
        elif isinstance(node, nodes.Admonition):
            self._admonition(node)
        elif is_leaf(node):
            self.text(self.block(node))
        else:
            self._read_all(node, level, folded)

    def _read_all(self, node, level, folded):
        for child in node.children:
            if not is_decoration(child):
                deeper = isinstance(child, nodes.section) and level + 1
                self.read(child, deeper or level, folded)

    def _admonition(self, node):
        title = node.next_node(nodes.title)
        parts = [f"**{self.inline(title)}**"] if title is not None else []
        parts += [self.block(child) for child in node.children if child is not title]
        quoted = "\n\n".join(parts).splitlines()
        self.text("\n".join(f"> {line}".rstrip() for line in quoted))

    def _code(self, node, folded):
        source = node.astext()
        if ">>>" not in source:
            self.text(f"```{node.get('language', '')}\n{source}\n```")
            return
        hidden = {"jupyter": {"source_hidden": True}} if folded else {}
        for code, fails in cells_of(source):
            self.add("code", code, hidden | ({"tags": ["raises-exception"]} if fails else {}))

    def _picture(self, node):
        code = next(node.findall(nodes.literal_block)).astext()
        self.add("code", f'{code}\n\nfigure = draw("black")')
        caption = next(child for child in node if "picture-caption" in child.get("classes", ()))
        self.text("\n\n".join(self.block(child) for child in caption))

    def block(self, node):
        """Write a paragraph, formula, list or table as Markdown."""
        if isinstance(node, nodes.math_block):
            number = rf"\tag{{{node['number']}}}" if node.get("number") else ""
            return f"$$\n{node.astext()}{number}\n$$"
        if isinstance(node, nodes.bullet_list | nodes.enumerated_list):
            ordered = isinstance(node, nodes.enumerated_list)
            return "\n".join(
                self._item(item, f"{i}. " if ordered else "* ") for i, item in enumerate(node, 1)
            )
        if isinstance(node, nodes.table):
            return self._table(node)
        if isinstance(node, nodes.TextElement):
            return self.inline(node)
        return "\n\n".join(self.block(child) for child in node if not is_decoration(child))

    def _item(self, item, mark):
        lines = "\n\n".join(self.block(child) for child in item).splitlines()
        blank = " " * len(mark)
        return "\n".join(f"{blank if i else mark}{line}" for i, line in enumerate(lines))

    def _table(self, node):
        rows = []
        for row in node.findall(nodes.row):
            cells = [" ".join(self.block(child) for child in entry) for entry in row]
            rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        width = len(next(node.findall(nodes.row)))
        return "\n".join([rows[0], "|" + "---|" * width, *rows[1:]])

    def inline(self, node):
        """Write what stands inside a line."""
        if isinstance(node, nodes.Text):
            return node.astext()
        if type(node) in SIGNS:
            sign = SIGNS[type(node)]
            return f"{sign}{node.astext()}{sign}"
        written = "".join(self.inline(child) for child in node.children)
        address = self.address(node["refuri"]) if node.get("refuri") else None
        if isinstance(node, nodes.reference) and address:
            return f"[{written}]({address})"
        return written.replace("\n", " ")


def is_leaf(node):
    """Whether a node is one block of Markdown."""
    leaves = nodes.TextElement | nodes.math_block | nodes.table
    return isinstance(node, leaves | nodes.bullet_list | nodes.enumerated_list)


def is_decoration(node):
    """Whether a node serves the page alone."""
    return isinstance(
        node,
        nodes.raw | nodes.comment | nodes.target | nodes.system_message | addnodes.toctree
        | addnodes.index,
    ) or "run-in-browser" in node.get("classes", ())  # fmt: skip


def cells_of(source):
    """Split an example into cells: ``(code, whether it raises)``, one for each result shown."""
    cells, pending = [], ""
    for example in doctest.DocTestParser().get_examples(source):
        fails = example.want.startswith("Traceback")
        if fails and pending:
            cells.append((pending.rstrip(), False))
            pending = ""
        pending += example.source
        shows = example.want and not example.source.startswith(("print(", "for ", "with "))
        if fails or shows:
            cells.append((pending.rstrip(), fails))
            pending = ""
    return [*cells, (pending.rstrip(), False)] if pending else cells
