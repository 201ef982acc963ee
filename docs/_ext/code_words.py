"""Single backticks: a link where the word names something documented, else code.

Docstrings write parameters and short names in single backticks, as numpydoc has it. A word that
starts with ``refquant.`` must be documented; the nitpicky build fails where it is not.
"""

from docutils import nodes


def plain_if_unknown(app, env, node, contnode):
    """Show a word that is no link as code."""
    if node.get("reftype") == "obj" and not node["reftarget"].startswith("refquant."):
        return nodes.literal("", contnode.astext())
    return None


def setup(app):
    """Register the handler."""
    app.connect("missing-reference", plain_if_unknown)
    return {"parallel_read_safe": True}
