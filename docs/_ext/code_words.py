"""Single backticks: a link where the word names something documented, else code.

Docstrings write parameters and names in single backticks, as numpydoc has it; not all of them have
a page. References with a role, such as ``:func:``, must resolve: the nitpicky build fails where
they do not.
"""

from docutils import nodes


def plain_if_unknown(app, env, node, contnode):
    """Show a word that is no link as code."""
    if node.get("reftype") == "obj":
        return nodes.literal("", contnode.astext())
    return None


def setup(app):
    """Register the handler."""
    app.connect("missing-reference", plain_if_unknown)
    return {"parallel_read_safe": True}
