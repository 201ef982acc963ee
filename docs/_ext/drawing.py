"""Pictures as SVG elements that take the colors of the page.

A picture is a script whose function ``draw(ink)`` returns a matplotlib figure. What is drawn in the
color `ink`, as axes and letters are, takes that of the text around: the picture is legible on
light and on dark pages.
"""

import io
import re
from html import escape

import matplotlib
from matplotlib import pyplot

# A color that no picture uses otherwise; it represents that of the text.
INK = "#010203"
STYLE = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": "medium",
    "figure.facecolor": "none",
    "figure.figsize": (7.2, 3.4),
    "figure.constrained_layout.use": True,
    "font.size": 10.0,
    "hatch.color": INK,
    "legend.frameon": False,
    "lines.color": INK,
    "savefig.facecolor": "none",
    "svg.fonttype": "path",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def figure_of(path):
    """Run a script and return the figure that its function ``draw`` makes."""
    names = {"__name__": path.stem, "__file__": str(path)}
    with matplotlib.rc_context(STYLE):
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
        return names["draw"](INK)


def svg_of(path, alt):
    """Draw the figure of a script as an SVG element: the same text every time."""
    written = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": path.stem}):
        figure = figure_of(path)
        figure.savefig(written, format="svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
    svg = written.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # Several pictures share a page, and with it one space of names.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{path.stem}-", svg)
    size = re.search(r'width="([\d.]+)pt"', svg)[1]
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    opening = f'<svg role="img" aria-label="{escape(alt)}" style="width: {size}pt"'
    return svg.replace("<svg", opening, 1).replace(INK, "currentColor")
