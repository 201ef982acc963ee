import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS

SCALE, ZERO_POINT, LAST = 0.2, 7, 15


def draw(ink):
    t = np.linspace(0, 1, 801, dtype=np.float32)
    wave = np.sin(7 * t) + 0.4 * np.sin(19 * t)
    kept = refquant.fake_quantize_per_tensor_affine(
        refquant.from_numpy(wave), SCALE, ZERO_POINT, 0, LAST
    ).numpy()
    figure, (above, below) = pyplot.subplots(
        2, 1, sharex=True, height_ratios=[3, 1], figsize=(5.4, 3.9)
    )
    integers = np.arange(LAST + 1)
    marks = SCALE * (integers - ZERO_POINT)
    above.hlines(marks, 0, 1, color=ink, linewidth=0.4, alpha=0.35)
    above.plot(t, wave, color=COLORS[1], linewidth=1.5, label="real numbers x")
    above.plot(t, kept, color=COLORS[0], linewidth=2, label="what integers of 4 bits keep of them")
    above.set(ylabel="value", xlim=(0, 1), ylim=(marks[0] - 0.1, marks[-1] + 0.1))
    above.legend(loc="upper right")
    right = above.secondary_yaxis(
        "right", functions=(lambda x: x / SCALE + ZERO_POINT, lambda q: SCALE * (q - ZERO_POINT))
    )
    right.set_yticks(integers[::3])
    right.set_ylabel("integer q")
    below.axhspan(-SCALE / 2, SCALE / 2, color=COLORS[2], alpha=0.15, linewidth=0)
    below.plot(t, kept - wave, color=COLORS[2], linewidth=1)
    below.set(ylabel="error", ylim=(-0.15, 0.15), xticks=[])
    below.set_yticks([-SCALE / 2, 0, SCALE / 2], ["$-s/2$", "0", "$s/2$"])
    return figure
