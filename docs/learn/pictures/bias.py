import numpy as np
from matplotlib import pyplot

from refquant.engines.rules.quantize import ADD_THEN_ROUND
from refquant.plotting import COLORS

UNIT, OUTPUT = 0.02 * 0.005, 0.05


def draw(ink):
    b = np.linspace(0, 0.3, 3000, dtype=np.float32)
    figure, ax = pyplot.subplots(figsize=(7.2, 2.6))
    for scale, label, color in (
        (OUTPUT, "in the unit of the output", COLORS[1]),
        (UNIT, "in the unit of the accumulator", COLORS[0]),
    ):
        rounded = ADD_THEN_ROUND(b, scale, 0, -(2**31), 2**31 - 1) * scale
        ax.plot(b, (rounded - b) / OUTPUT, color=color, linewidth=1.5, label=label)
    ax.set_xlabel("bias")
    ax.set_ylabel("error in steps of the output")
    ax.set_ylim(-0.6, 0.95)
    ax.legend(loc="upper right", ncols=2)
    return figure
