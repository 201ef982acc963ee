"""Pictures of a page: matplotlib figures as SVG in the colors of the surrounding text."""

import io
import re
from contextlib import AbstractContextManager
from typing import Any

from refquant.extras import require_extra

__all__ = ["drawing", "new_axes", "svg"]

# Placeholder for the color of the text until the picture is written; not used otherwise.
_INK = "#010203"


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
        # Equal figures produce equal files.
        "svg.hashsalt": "refquant",
    }


def drawing() -> AbstractContextManager:
    """Set the style of the page for a ``with`` block, in which all drawing is done.

    Legends and secondary axes take their colors when they are added, not when axes are created.
    """
    matplotlib = require_extra("matplotlib", package="matplotlib", extra="plot")
    return matplotlib.rc_context(_style())


def new_axes(width: float = 4.4, height: float = 2.9) -> Any:
    """Create axes in a new figure that is not registered with pyplot.

    Parameters
    ----------
    width, height : float
        Inches; on the page the picture is as wide as its column.

    Returns
    -------
    matplotlib.axes.Axes
    """
    figure = require_extra("matplotlib.figure", package="matplotlib", extra="plot")
    return figure.Figure(figsize=(width, height), layout="constrained").add_subplot()


def svg(ax: Any, name: str) -> str:
    """Render the figure of axes as an SVG element, within `drawing`.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Created by `new_axes` and drawn into within the same block.
    name : str
        Letters and digits, unique on the page: prefix of the identifiers in the picture.

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
    # The page determines the size.
    text = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # Quotes within an attribute that is quoted already.
    return re.sub(r"font: (\S+) '[^']*'(?:, [^;\"]*)?", r"font: \1 sans-serif", text)
