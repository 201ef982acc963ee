"""Notebooks of the tutorials: links where pages have roles, and a cell that installs refquant.

The gallery writes a notebook from the text of a tutorial, and knows no role of Sphinx. Each
``:doc:`` becomes a link with the title of the page that it names: an absolute one if
``html_baseurl`` says where the site lies, else one that leads from the downloaded file, two folders
below the site, to the page.
"""

import re
from pathlib import Path

from sphinx_gallery import notebook

DOCS = Path(__file__).parents[1]
DOC = re.compile(r":doc:`(/[\w/]+)`")
INSTALL = """\
# Install refquant where this notebook runs; nothing happens if it is there.
%pip install --quiet "refquant[demo]"\
"""


def title_of(name):
    """Read the title of a page, such as ``/learn/affine``: the line before the first underline."""
    text = (DOCS / f"{name[1:]}.rst").read_text(encoding="utf-8")
    return re.search(r"^(.+)\n={3,}$", text, re.MULTILINE)[1]


def linked(text, site):
    """Replace each ``:doc:`` role of a text by a link to the page below `site`."""
    return DOC.sub(lambda found: f"`{title_of(found[1])} <{site}{found[1]}.html>`_", text)


def teach_gallery(app):
    """Make the gallery write links."""
    site = app.config.html_baseurl.rstrip("/") or "../.."
    plain = notebook.rst2md
    notebook.rst2md = lambda text, *rest: plain(linked(text, site), *rest)


def setup(app):
    """Register what runs before the gallery."""
    app.connect("builder-inited", teach_gallery, priority=100)
    return {"parallel_read_safe": True}
