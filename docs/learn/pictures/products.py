import numpy as np
from matplotlib import pyplot
from matplotlib.colors import LinearSegmentedColormap

from refquant.plotting import COLORS


def draw(ink):
    rng = np.random.default_rng(3)
    x, w = rng.integers(0, 16, (3, 4)), rng.integers(-8, 8, (3, 4))
    z_x, z_w, depth = 6, 1, 4
    ones = np.ones((3, 3), int)
    terms = {
        "raw product": x @ w.T,
        "− $z_x$ sums of w": -z_x * w.sum(axis=1)[None, :] * ones,
        "− $z_w$ sums of x": -z_w * x.sum(axis=1)[:, None] * ones,
        "+ $K z_x z_w$": depth * z_x * z_w * ones,
        "= accumulator": (x - z_x) @ (w - z_w).T,
    }
    largest = max(np.abs(term).max() for term in terms.values())
    # From one color to the other through none, so that small numbers show the page.
    shades = [COLORS[1], COLORS[1] + "00", COLORS[0] + "00", COLORS[0]]
    colors = LinearSegmentedColormap.from_list(
        "sign", list(zip((0, 0.5, 0.5, 1), shades, strict=True))
    )
    figure, axes = pyplot.subplots(1, 5, figsize=(7.4, 1.9))
    for ax, (title, term) in zip(axes, terms.items(), strict=True):
        ax.pcolormesh(term[::-1], cmap=colors, vmin=-1.6 * largest, vmax=1.6 * largest)
        for m, n in np.ndindex(term.shape):
            ax.text(n + 0.5, 2.5 - m, term[m, n], ha="center", va="center")
        ax.set_title(title)
        ax.set_aspect("equal")
        ax.axis("off")
    return figure
