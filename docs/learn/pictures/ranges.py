import numpy as np
from matplotlib import pyplot

import refquant
from refquant import quantization
from refquant.plotting import COLORS

LAST = 15  # 4 bits


def draw(ink):
    data = np.random.default_rng(0).laplace(size=20_000).astype(np.float32)
    limits = {"quant_min": 0, "quant_max": LAST}
    observers = {
        "minimum and maximum": quantization.MinMaxObserver(**limits),
        "greedy search": quantization.HistogramObserver(**limits),
        "99.9 percent": quantization.PercentileObserver(99.9, **limits),
        "99 percent": quantization.PercentileObserver(99.0, **limits),
        "least squared error": quantization.MSEObserver(**limits),
        "relative entropy": quantization.EntropyObserver(**limits),
    }
    figure, axes = pyplot.subplots(
        2, 1, sharex=True, figsize=(7.2, 4.2), height_ratios=(2, 3), layout="constrained"
    )
    for row, observer in enumerate(reversed(observers.values())):
        observer(refquant.from_numpy(data))
        scale, zero_point = (v.item() for v in observer.calculate_qparams())
        low, high = -scale * zero_point, scale * (LAST - zero_point)
        axes[0].barh(row, high - low, left=low, height=0.6, color=COLORS[1])
        axes[0].text(high + 0.2, row, f"{low:.1f} .. {high:.1f}", va="center", fontsize=8)
    axes[0].set_title("ranges chosen for 4 bits")
    axes[0].set_ylabel("observer")
    axes[0].set_yticks(range(len(observers)), list(reversed(observers)))
    axes[0].set_xlim(-9.5, 16.5)
    axes[1].hist(data, 100, color=COLORS[0])
    axes[1].set_yscale("log")
    axes[1].set_xlabel("value")
    axes[1].set_ylabel("observations")
    return figure
