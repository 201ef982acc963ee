import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS


def measured(x, clip, levels):
    y = refquant.fake_quantize_per_tensor_affine(
        refquant.from_numpy(x), 2 * clip / levels, levels // 2, 0, levels - 1
    )
    return np.mean((y.numpy() - x) ** 2)


def draw(ink):
    x = np.random.default_rng(0).laplace(size=100_000).astype(np.float32)
    clip = np.linspace(1, 16, 200)
    observer = refquant.quantization.HistogramObserver(dtype=refquant.quint8)
    observer(refquant.from_numpy(x))
    scale, zero_point = (float(v) for v in observer.calculate_qparams())
    figure, axes = pyplot.subplots(1, 2, sharex=True, figsize=(7.2, 3.8), layout="constrained")
    for ax, bits in zip(axes, (8, 4), strict=True):
        levels = 2**bits
        rounding, cut = clip**2 / (3 * levels**2), 2 * np.exp(-clip)
        ax.plot(clip, rounding, color=COLORS[0], label="rounding")
        ax.plot(clip, cut, color=COLORS[1], label="clipping")
        ax.plot(clip, rounding + cut, color=ink, linewidth=2, label="sum")
        at = np.arange(2, 16, 2)
        ax.plot(at, [measured(x, c, levels) for c in at], "o", color=COLORS[2], label="measured")
        ax.set_yscale("log")
        ax.set_ylim(1e-6, 10)
        ax.set_title(f"{bits} bits")
        ax.set_xlabel("clipping point")
    axes[0].axvline((255 - zero_point) * scale, color=COLORS[3], linestyle="--", label="search")
    axes[0].set_ylabel("mean squared error")
    lines = [line for line in axes[0].lines if not line.get_label().startswith("_")]
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines))
    return figure
