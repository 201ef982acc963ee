"""The directive ``picture``: a figure drawn while the site is built, with its code below it.

``.. picture:: rounding`` shows what ``pictures/rounding.py`` beside the page draws; see `drawing`.
The option ``:alt:`` describes it for those who cannot see it; the content is its caption. With
``:small:`` it shrinks on a phone, where others scroll to keep their letters legible.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from drawing import svg_of
from sphinx.util.docutils import SphinxDirective


class Picture(SphinxDirective):
    """A figure that a script beside the page draws."""

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged_required, "small": directives.flag}

    def run(self):
        if "alt" not in self.options:
            raise self.error("a picture needs :alt:")
        page = Path(self.env.doc2path(self.env.docname))
        path = page.parent / "pictures" / f"{self.arguments[0]}.py"
        self.env.note_dependency(str(path))
        code = path.read_text(encoding="utf-8")
        caption = nodes.container(classes=["picture-caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [
            nodes.container(
                "",
                nodes.raw("", svg_of(path, self.options["alt"]), format="html"),
                caption,
                nodes.raw("", "<details><summary>How it is drawn</summary>", format="html"),
                nodes.literal_block(code, code, language="python"),
                nodes.raw("", "</details>", format="html"),
                classes=["picture", "small"] if "small" in self.options else ["picture"],
            )
        ]


def setup(app):
    """Register the directive."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True}
