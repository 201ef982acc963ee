import numpy as np
from matplotlib import pyplot

from refquant.engines.rules.quantize import ADD_THEN_ROUND, ROUND_THEN_ADD
from refquant.plotting import COLORS

ZERO_POINT = 5


def draw(ink):
    v = np.linspace(0, 4, 4001, dtype=np.float32)
    ties = np.float32([0.5, 1.5, 2.5, 3.5])
    figure, ax = pyplot.subplots()
    ax.plot(v, v + ZERO_POINT, color=ink, linewidth=0.8, linestyle=":", label="before rounding")
    for rule, label, color, marker, size in (
        (ROUND_THEN_ADD, "rounded, then zero point added", COLORS[0], "o", 9),
        (ADD_THEN_ROUND, "zero point added, then rounded", COLORS[1], "s", 7),
    ):
        q = rule(v, 1.0, ZERO_POINT, 0, 255).astype(float)
        q[1:][np.diff(q) != 0] = np.nan
        ax.plot(v, q, color=COLORS[2], linewidth=2)
        at_ties = rule(ties, 1.0, ZERO_POINT, 0, 255)
        ax.plot(
            ties,
            at_ties,
            linestyle="none",
            marker=marker,
            color=color,
            markersize=size,
            label=label,
        )
    ax.set_yticks(range(ZERO_POINT, ZERO_POINT + 5))
    ax.set_xlabel("value / scale")
    ax.set_ylabel("integer")
    ax.legend(loc="upper left")
    return figure
