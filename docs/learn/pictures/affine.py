import numpy as np
from matplotlib import pyplot

from refquant.plotting import COLORS

LOW, HIGH, LEVELS = -1.0, 1.5, 8


def draw(ink):
    step = (HIGH - LOW) / (LEVELS - 1)
    zero_point = round(-LOW / step)
    grids = {
        "grid begins at -1": LOW + step * np.arange(LEVELS),
        "zero is on the grid": step * (np.arange(LEVELS) - zero_point),
    }
    figure, axes = pyplot.subplots(2, 1, sharex=True, figsize=(7.2, 2.8))
    for ax, (title, marks) in zip(axes, grids.items(), strict=True):
        ax.axhline(0, color=ink, linewidth=1)
        ax.vlines(marks, -0.6, 0.6, color=COLORS[0], linewidth=2.5)
        for q, mark in enumerate(marks):
            ax.text(mark, 0.85, str(q), ha="center")
        ax.vlines(0, -1, 0.75, color=COLORS[1], linestyle="--", linewidth=1.5)
        ax.set_ylim(-1, 1.8)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_title(title)
    axes[1].set_xlabel("real value (dashed: zero); numbers above the marks are the integers")
    return figure
