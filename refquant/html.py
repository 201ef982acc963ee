"""HTML for notebooks: small tables and pictures, made with NumPy alone.

Every text is escaped. Text and lines take the color of the surrounding page, so that both are
legible on light and on dark pages. Tables and pictures stay small, however large the data.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = ["bars", "histogram", "labeled", "table"]

# Blue and vermilion after Okabe and Ito: about 3:1 or more against white and against black.
_VALUES, _RANGE = "#0072b2", "#d55e00"
_WIDTH, _HEIGHT = 260, 56  # units of a picture
_BARS = 64
_MOST_ROWS = 60
_MOST_COUNTED = 1_000_000  # elements; of larger arrays evenly spaced ones are counted


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> str:
    """Write a table; of more than 60 rows the first ones, and how many there are.

    Parameters
    ----------
    header : sequence of str
        May be empty.
    rows : iterable of sequence
        One value for each column.
    title : str, optional
        Shown above the table.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> from refquant.html import table
    >>> table(("layer",), [("a<b",)]).count("&lt;")
    1
    """

    def line(cells: Sequence[Any], tag: str) -> str:
        style = ' style="text-align:left"'
        return "<tr>" + "".join(f"<{tag}{style}>{escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    rows = list(rows)
    body = "".join(line(row, "td") for row in rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        body += line((f"and {len(rows) - _MOST_ROWS:,} more",), "td")
    head = f"<thead>{line(header, 'th')}</thead>" if header else ""
    caption = f"<div><strong>{escape(title)}</strong></div>" if title else ""
    return f'{caption}<div style="overflow-x:auto"><table>{head}<tbody>{body}</tbody></table></div>'


def labeled(facts: Iterable[tuple[str, Any]], title: str = "") -> str:
    """Write facts in two columns: name and value."""
    return table((), facts, title)


def bars(counts: np.ndarray, ends: tuple[str, str], label: str, marks: Sequence[float] = ()) -> str:
    """Draw counts as a row of bars, at most 64 of them.

    Parameters
    ----------
    counts : ndarray, shape (n,)
        Neighboring counts are averaged where there are more than can be drawn.
    ends : tuple of str
        Labels below the first and the last bar.
    label : str
        What is drawn, for readers who cannot see it.
    marks : sequence of float, optional
        Positions of vertical lines, as shares of the width.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    counts = np.asarray(counts, np.float64)
    together = max(1, -(-counts.size // _BARS))
    starts = np.arange(0, counts.size, together)
    sizes = np.diff(np.append(starts, counts.size))
    # Means, because the last bar may represent fewer counts than the others.
    means = np.add.reduceat(counts, starts) / sizes if counts.size else counts
    # Square roots keep rare values visible beside common ones.
    heights = np.sqrt(np.maximum(means, 0.0))
    heights *= _HEIGHT / max(float(heights.max(initial=0.0)), 1e-30)
    step = _WIDTH / max(1, counts.size)
    path = "".join(
        f"M{start * step:.1f} {_HEIGHT}v-{height:.1f}h{size * step:.1f}v{height:.1f}z"
        for start, size, height in zip(starts, sizes, heights, strict=True)
        if height > 0
    )
    lines = "".join(
        f'<path d="M{share * _WIDTH:.1f} 0V{_HEIGHT}" stroke="{_RANGE}" stroke-width="1.5"/>'
        for share in marks
        if 0 <= share <= 1
    )
    text = 'font-size="10" fill="currentColor" y="68"'
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} 72" '
        f'width="{_WIDTH}" height="72" style="max-width:100%"><path d="{path}" fill="{_VALUES}"/>'
        f'{lines}<path d="M0 {_HEIGHT}H{_WIDTH}" stroke="currentColor"/>'
        f"<text {text}>{escape(ends[0])}</text>"
        f'<text {text} x="{_WIDTH}" text-anchor="end">{escape(ends[1])}</text></svg>'
    )


def histogram(values: np.ndarray, low: int, high: int, label: str) -> str:
    """Draw how often integers from `low` to `high` occur, the same number of them for each bar."""
    flat = values.reshape(-1)
    flat = flat[:: -(-flat.size // _MOST_COUNTED) or 1].astype(np.float64)
    together = -(-(high - low + 1) // _BARS)
    # Edges halfway between integers; the last bar may represent fewer of them.
    edges = np.append(np.arange(low, high + 1, together), high + 1) - 0.5
    counts, _ = np.histogram(flat, edges)
    return bars(counts / np.diff(edges), (f"{low:g}", f"{high:g}"), label)
