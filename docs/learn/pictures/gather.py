import numpy as np
from matplotlib import pyplot
from matplotlib.patches import Rectangle

from refquant.plotting import COLORS
from refquant.reference.convolution import gather
from refquant.reference.operands import Geometry

ZERO_POINT = 77
CHOSEN = {0: COLORS[1], 5: COLORS[0]}  # outputs whose pixels are marked


def numbers(ax, table, ink):
    for (row, column), value in np.ndenumerate(table):
        weight = "normal" if value == ZERO_POINT else "bold"
        ax.text(column, row, value, ha="center", va="center", color=ink, weight=weight)
    ax.set_xlim(-0.6, table.shape[1] - 0.4)
    ax.set_ylim(table.shape[0] - 0.4, -0.6)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw(ink):
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3, 1)
    geometry = Geometry((1, 3, 3), stride=(1, 1, 1), padding=(0, 1, 1), dilation=(1, 1, 1))
    rows = gather(image, ZERO_POINT, geometry).reshape(9, 9)
    padded = np.pad(image[0, :, :, 0], 1, constant_values=ZERO_POINT)
    figure, axes = pyplot.subplots(1, 2, figsize=(7.2, 3.8), width_ratios=(5, 9))
    numbers(axes[0], padded, ink)
    numbers(axes[1], rows, ink)
    for output, color in CHOSEN.items():
        top, left = divmod(output, 3)
        style = {"fill": False, "edgecolor": color, "linewidth": 2.5}
        axes[0].add_patch(Rectangle((left - 0.45, top - 0.45), 2.9, 2.9, **style))
        axes[1].add_patch(Rectangle((-0.45, output - 0.4), 8.9, 0.8, **style))
    axes[0].set_title(f"image, padded with {ZERO_POINT}")
    axes[1].set_title("a row for each output")
    return figure
