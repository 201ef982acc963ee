"""The directive ``definition``: code of the library as ``literalinclude`` shows it, no docstring.

A lecture says in its text what the docstring says; what it quotes is the code.
"""

from docstrings import without_docstring
from docutils import nodes
from sphinx.directives.code import LiteralInclude


class Definition(LiteralInclude):
    """``literalinclude`` with ``pyobject``, whose docstring is left out."""

    def run(self):
        found = super().run()
        for node in found:
            for block in node.findall(nodes.literal_block):
                text = without_docstring(block.astext())
                block.rawsource, block.children = text, []
                block += nodes.Text(text)
        return found


def setup(app):
    """Register the directive."""
    app.add_directive("definition", Definition)
    return {"parallel_read_safe": True}
