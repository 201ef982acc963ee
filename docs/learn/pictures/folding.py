import numpy as np
from matplotlib import pyplot

from refquant.plotting import channel_ranges
from refquant.reference.folding import fold_batch_norm


def draw(ink):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(16, 27)).astype(np.float32)
    gamma = rng.uniform(0.2, 2, 16).astype(np.float32)
    variance = np.float32(10.0) ** rng.uniform(-3, 1, 16).astype(np.float32)
    zeros = np.zeros(16, np.float32)
    folded, _ = fold_batch_norm(weight, zeros, zeros, variance, 1e-5, gamma, zeros)
    figure, axes = pyplot.subplots(1, 2, figsize=(7.2, 3.0))
    for ax, w, title in zip(axes, (weight, folded), ("before", "after"), strict=True):
        channel_ranges(w, ax=ax)
        ax.set_title(f"{title} folding")
    return figure
