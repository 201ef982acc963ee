"""How scale and zero point follow from what an observer has seen, in words and numbers."""

import math
from html import escape
from typing import Any

import numpy as np

__all__ = ["Explanation"]


# In steps: clipping of less than this is an effect of the rounding of the scale.
NEGLIGIBLE = 0.005


def _number(v) -> str:
    return f"{float(v):.6g}"


class Explanation:
    """Facts about the choice of a quantizer, to print or to show in a notebook.

    Attributes
    ----------
    title : str
        The observer that is explained.
    facts : list of (str, str)
        Name and value.
    """

    def __init__(self, title: str, facts: list[tuple[str, str]]):
        self.title, self.facts = title, facts

    @classmethod
    def of(
        cls, observer: Any, seen: tuple[np.ndarray, np.ndarray] | None, more: list[tuple[str, str]]
    ) -> "Explanation":
        """Explain an observer, given the range that it maps and facts of its class."""
        low_int, high_int = observer.target_range
        reduced = " (one bit left unused by reduce_range)" if observer.reduce_range else ""
        facts = [
            ("integers", f"{low_int}..{high_int} of {observer.dtype.name}{reduced}"),
            ("scheme", observer.qscheme.name),
        ]
        title = observer._place()
        if seen is None:
            return cls(title, [*facts, ("range seen", "nothing was observed yet")])
        scales, zero_points = observer._qparams(*seen)
        facts = [*more, *facts]
        if len(scales) == 1:
            return cls(title, facts + _one(observer, seen, scales[0], zero_points[0].item()))
        return cls(title, facts + _many(seen, scales, zero_points))

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.facts)
        return "\n".join([self.title, *(f"  {n:<{width}}  {text}" for n, text in self.facts)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(n)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for n, text in self.facts
        )
        return f"<table><caption>{escape(self.title)}</caption>{rows}</table>"


def _one(observer, seen, scale, zero_point) -> list[tuple[str, str]]:
    lower, upper = float(seen[0][0]), float(seen[1][0])
    low, high = min(lower, 0.0), max(upper, 0.0)
    low_int, high_int = observer.target_range
    facts = [("range mapped", f"{_number(lower)} .. {_number(upper)}")]
    if (low, high) != (lower, upper):
        facts.append(("with zero", f"{_number(low)} .. {_number(high)}, so that zero is exact"))
    if low == high and scale == 1:
        return [*facts, ("scale", "1, because there are only zeros"), ("zero point", "0")]
    if observer.qscheme.is_symmetric:
        extent = max(-low, high)
        formula = f"max({_number(-low)}, {_number(high)}) / {(high_int - low_int) / 2:g}"
        exact, point = extent / ((high_int - low_int) / 2), "the middle of the integers"
    else:
        formula = f"({_number(high)} - {_number(low)}) / {high_int - low_int}"
        exact = (high - low) / (high_int - low_int)
        unrounded = low_int - low / max(exact, float(observer.eps))
        point = f"{low_int} - ({_number(low)}) / scale = {unrounded:.4f}, rounded"
    if exact < float(observer.eps):
        formula += f", raised to 2**{math.log2(float(observer.eps)):g}"
    first, last = ((q - zero_point) * float(scale) for q in (low_int, high_int))
    facts += [
        ("scale", f"{float(scale):.9g} = {formula}"),
        ("zero point", f"{zero_point}: {point}"),
        ("represented", f"{_number(first)} .. {_number(last)} in steps of {_number(scale)}"),
    ]
    cut = [
        f"{name} by {_number(by)} ({by / float(scale):.2f} steps)"
        for name, by in (("below", first - low), ("above", high - last))
        if by > NEGLIGIBLE * float(scale)
    ]
    return [*facts, ("clipped", ", ".join(cut) if cut else "nothing of the range mapped")]


def _many(seen, scales, zero_points) -> list[tuple[str, str]]:
    widest, narrowest = int(np.argmax(scales)), int(np.argmin(scales))
    same = f"{zero_points[0]} for every channel"
    return [
        ("channels", str(len(scales))),
        ("range mapped", f"{_number(seen[0].min())} .. {_number(seen[1].max())} over all"),
        (
            "scales",
            f"{_number(scales[narrowest])} (channel {narrowest}) .. "
            f"{_number(scales[widest])} (channel {widest})",
        ),
        (
            "zero points",
            same
            if (zero_points == zero_points[0]).all()
            else f"{zero_points.min()} .. {zero_points.max()}",
        ),
        (
            "one scale for all",
            f"would be {_number(scales[widest])} or coarser: up to "
            f"{float(scales[widest]) / float(scales[narrowest]):.3g} times as "
            "coarse as now",
        ),
    ]
