"""A self-contained HTML page, without scripts, style sheets or image files."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from refquant import arguments
from refquant._version import __version__
from refquant.atomic import replace_bytes
from refquant.errors import ArgumentError
from refquant.plotting.style import checked_axes
from refquant.reporting.pictures import drawing, svg
from refquant.reporting.tables import Table

__all__ = ["Page", "write_atomically"]

_STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2126; --soft: #59636e;
  --line: #d5dae0; --card: #f6f8fa; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --page: #12161b; --ink: #e6e9ec; --soft: #a2abb5;
  --line: #343c46; --card: #1a2027; --accent: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1.25rem;
  border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: .5rem 0; }
footer, figcaption, .note { color: var(--soft); font-size: .88rem; }
footer { padding-top: 1rem; padding-bottom: 2rem; }
.wide { overflow-x: auto; margin: .25rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 0; }
th, td { padding: .35rem .8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal;
  min-width: 4.5rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 600; }
dl { max-width: 46rem; }
dt { font-weight: 600; margin-top: .75rem; }
dd { margin: .1rem 0 0; }
.pictures { display: grid; gap: 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; padding: .75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; }
@media (max-width: 36rem) { th, td { padding: .3rem .5rem; } table { font-size: .85rem; } }
figure svg { display: block; width: 100%; height: auto; }
"""


class Page:
    """A page that is filled from top to bottom; every text is escaped.

    Parameters
    ----------
    title : str
        Heading and title of the window.

    Examples
    --------
    >>> from refquant.reporting import Page
    >>> page = Page("Sizes & times")
    >>> page.paragraph("int8 < float32")
    >>> "Sizes &amp; times" in page.html() and "int8 &lt; float32" in page.html()
    True
    """

    def __init__(self, title: str) -> None:
        self.title = arguments.text("title", title)
        self._parts: list[str] = []
        self._pictures = 0

    def heading(self, text: str) -> None:
        """Begin a section."""
        text = escape(arguments.text("text", text))
        self._parts.append(f"<h2>{text}</h2>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain text."""
        text = escape(arguments.text("text", text))
        self._parts.append(f"<p>{text}</p>")

    def points(self, points: Sequence[tuple[str, str]]) -> None:
        """Add a list of names, each with a text."""
        items = ""
        for point in arguments.sequence("points", points, "pairs of texts"):
            name, text = (arguments.text("points", part) for part in _pair("points", point))
            items += f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
        self._parts.append(f"<dl>{items}</dl>")

    def table(self, table: Table) -> None:
        """Add a table; one that is wider than the screen scrolls by itself."""
        arguments.instance("table", table, Table, "a Table")
        # The title is not part of the table, so that a long one wraps at the edge of the screen.
        self._parts.append(
            f'<h3>{escape(table.title)}</h3><div class="wide" tabindex="0">{table.html()}</div>'
        )
        if table.note:
            self._parts.append(f'<p class="note">{escape(table.note)}</p>')

    def pictures(self, pictures: Sequence[tuple[Any, str]]) -> None:
        """Add pictures side by side, as many in a row as fit.

        Parameters
        ----------
        pictures : sequence of (matplotlib.axes.Axes, str)
            Axes made by `refquant.reporting.pictures.new_axes` and drawn into within
            `refquant.reporting.pictures.drawing`, and captions.
        """
        figures, checked = [], []
        for picture in arguments.sequence("pictures", pictures, "pairs of axes and text"):
            ax, caption = _pair("pictures", picture)
            arguments.text("pictures", caption)
            checked.append((checked_axes(ax, "pictures"), caption))
        for ax, caption in checked:
            self._pictures += 1
            with drawing():
                drawn = svg(ax, f"picture{self._pictures}")
            label = f'role="img" aria-label="{escape(caption)}"'
            figures.append(
                f"<figure>{drawn.replace('<svg', f'<svg {label}', 1)}"
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
        self._parts.append(f'<div class="pictures">{"".join(figures)}</div>')

    def html(self) -> str:
        """Return the page as HTML."""
        title = escape(self.title)
        body = "\n".join(self._parts)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            f"<header><h1>{title}</h1></header>\n<main>\n{body}\n</main>\n"
            f"<footer>Written by refquant {escape(__version__)}.</footer>\n</body>\n</html>\n"
        )

    def write(self, path: str | os.PathLike) -> Path:
        """Write the page to a file, completely or not at all.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        OSError
            If the file cannot be written, as in a folder that is not there.
        """
        return write_atomically(arguments.file_path("path", path), self.html())


def _pair(argument: str, value: Any) -> list[Any]:
    parts = arguments.sequence(argument, value, "pairs")
    if len(parts) != 2:
        raise ArgumentError(argument=argument, expected="pairs", got=f"{len(parts)} parts")
    return parts


def write_atomically(path: str | os.PathLike, text: str) -> Path:
    """Write a text file (UTF-8) so that readers see either the old file or the complete new one."""
    path = Path(path)
    replace_bytes(path, text.encode("utf-8"))
    return path
