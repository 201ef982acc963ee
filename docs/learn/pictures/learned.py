import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS

X = 3.0


def draw(ink):
    steps = np.linspace(0.25, 2.2, 4000)
    x = refquant.tensor([X])
    made = np.array(
        [refquant.fake_quantize_per_tensor_affine(x, float(s), 0, -8, 7).item() for s in steps]
    )
    codes = np.rint(made / steps)
    jumps = np.flatnonzero(np.diff(codes)) + 1
    figure, ax = pyplot.subplots()
    ax.plot(
        np.insert(steps, jumps, np.nan),
        np.insert(made, jumps, np.nan),
        color=COLORS[0],
        label="Q(3; s), of integers up to 7",
    )
    average = np.where(steps < X / 7, 7 * steps, X)
    ax.plot(steps, average, "--", color=COLORS[1], label="on average over where 3 lies in a step")
    for code in range(2, 8):
        middle = X / code
        ax.text(middle, X + 0.12, str(code), ha="right", color=ink, fontsize="small")
    ax.set_xlabel("step s")
    ax.set_ylabel("value read back")
    ax.set_ylim(1.5, 4.2)
    ax.legend(loc="lower right")
    return figure
