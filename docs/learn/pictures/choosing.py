import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS

# Four bits, so that single steps can be seen: integers 0 to 15, and the right step is 0.17.
RIGHT = 2.55 / 15
CHOICES = {
    "right: zero point 6": (RIGHT, 6),
    "zero point 0": (RIGHT, 0),
    "zero point 8": (RIGHT, 8),
    "range of an outlier of 10": (11 / 15, 1),
}


def draw(ink):
    x = np.linspace(-1.0, 1.55, 2000, dtype=np.float32)
    figure, axes = pyplot.subplots(2, 2, sharex=True, sharey=True, figsize=(7.2, 4.2))
    for ax, (title, (scale, zero_point)) in zip(axes.flat, CHOICES.items(), strict=True):
        read_back = refquant.fake_quantize_per_tensor_affine(
            refquant.from_numpy(x), scale, zero_point, 0, 15
        )
        ax.axhspan(-0.5, 0.5, color=COLORS[2], alpha=0.35, label="half a step")
        ax.plot(x, (read_back.numpy() - x) / RIGHT, color=COLORS[0], linewidth=1.2)
        ax.set_ylim(-3, 6.5)
        ax.set_title(title)
    for ax in axes[1]:
        ax.set_xlabel("value")
    for ax in axes[:, 0]:
        ax.set_ylabel("error in right steps")
    axes[0, 0].legend(loc="upper right")
    return figure
