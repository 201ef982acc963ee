import numpy as np
from matplotlib import pyplot
from matplotlib.colors import ListedColormap

from refquant.plotting import COLORS


def draw(ink):
    w = np.arange(-128, 128)
    figure, axes = pyplot.subplots(1, 2, sharey=True, figsize=(7.2, 3.7))
    for ax, x in zip(axes, (255, 127), strict=True):
        pair = x * (w[:, None] + w[None, :])
        outside = np.where(pair > 2**15 - 1, 1.0, np.where(pair < -(2**15), 0.0, np.nan))
        ax.imshow(
            np.ma.masked_invalid(outside),
            cmap=ListedColormap([COLORS[0], COLORS[1]]),
            vmin=0,
            vmax=1,
            origin="lower",
            extent=(-128, 127, -128, 127),
        )
        levels = np.arange(-60000, 60001, 15000)
        lines = ax.contour(w, w, pair, levels=levels, colors=ink, linewidths=0.6)
        # On the diagonal, where no label meets the frame.
        places = [(level / (2 * x),) * 2 for level in levels if abs(level) < 200 * x]
        ax.clabel(lines, fontsize=7, manual=places)
        ax.set_title(f"activations of {x}: {np.mean(~np.isnan(outside)):.0%} saturated")
        ax.set_xlabel("first weight")
    axes[0].set_ylabel("second weight")
    return figure
