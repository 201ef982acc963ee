"""Pictures for a page: a matplotlib figure as SVG that takes the colours of the text around it."""

import io
import re
from contextlib import AbstractContextManager
from typing import Any

from refquant.extras import require_extra

__all__ = ["drawing", "new_axes", "svg"]

# Stands for "colour of the text" until the picture is written; nobody else uses it.
_INK = "#010203"
_ASKED = "drawing a report"


def _style() -> dict[str, Any]:
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys((*names, "legend.edgecolor", "patch.edgecolor"), _INK),
        "axes.facecolor": "none",
        "legend.facecolor": "none",
        "legend.framealpha": 0.0,
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 9.0,
        "legend.fontsize": 8.0,
        "axes.titlesize": 10.0,
        # Text stays text: small, searchable, in the font of the page.
        "svg.fonttype": "none",
        # Equal figures give equal files.
        "svg.hashsalt": "refquant",
    }


def drawing() -> AbstractContextManager:
    """Set the style of the page for a ``with`` block; all drawing is done inside.

    Legends and second axes take their colours when they are added, not when axes are made.
    """
    matplotlib = require_extra("matplotlib", package="matplotlib", extra="plot", asked=_ASKED)
    return matplotlib.rc_context(_style())


def new_axes(width: float = 4.4, height: float = 2.9) -> Any:
    """Make axes in a figure of their own, which no window and no other code knows.

    Parameters
    ----------
    width, height : float
        Inches; on the page the picture is as wide as its column.

    Returns
    -------
    matplotlib.axes.Axes
    """
    figure = require_extra("matplotlib.figure", package="matplotlib", extra="plot", asked=_ASKED)
    return figure.Figure(figsize=(width, height), layout="constrained").add_subplot()


def svg(ax: Any, name: str) -> str:
    """Draw the figure of some axes as an SVG element, inside of `drawing`.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Made by `new_axes`, drawn into in the same block.
    name : str
        Letters and digits, another one for each picture of a page: identifiers inside the
        picture begin with it.

    Returns
    -------
    str
        An ``<svg>`` element without fixed size.
    """
    stream = io.StringIO()
    ax.figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor").strip()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    # Several pictures share one page, so identifiers are made unique.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    # The page decides how large it is.
    text = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # Quoted for XML inside an attribute that is quoted already.
    return re.sub(r"font: (\S+) '[^']*'(?:, [^;\"]*)?", r"font: \1 sans-serif", text)
