import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS, channel_ranges

CHANNELS = 12


def sqnr(w, quantized):
    error = quantized.dequantize().numpy() - w
    return 10 * np.log10((w**2).sum(axis=1) / (error**2).sum(axis=1))


def draw(ink):
    rng = np.random.default_rng(1)
    sizes = np.geomspace(1, 0.02, CHANNELS)[rng.permutation(CHANNELS), None]
    w = (sizes * rng.uniform(-1, 1, (CHANNELS, 500))).astype(np.float32)
    weight = refquant.from_numpy(w)
    scales = refquant.from_numpy((np.abs(w).max(axis=1) / 127.5).astype(np.float32))
    zeros = refquant.zeros(CHANNELS).to(refquant.int64)
    shared = refquant.quantize_per_tensor(weight, float(scales.max()), 0, refquant.qint8)
    own = refquant.quantize_per_channel(weight, scales, zeros, 0, refquant.qint8)
    figure, axes = pyplot.subplots(1, 2, figsize=(7.2, 3.2))
    channel_ranges(weight, ax=axes[0])
    channels = np.arange(CHANNELS)
    axes[1].bar(channels - 0.2, sqnr(w, shared), 0.4, color=COLORS[1], label="shared scale")
    axes[1].bar(channels + 0.2, sqnr(w, own), 0.4, color=COLORS[0], label="own scales")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    axes[1].set_xlabel("channel")
    axes[1].set_ylabel("SQNR in dB")
    axes[1].set_ylim(0, 62)
    axes[1].legend(loc="upper left", ncols=2)
    return figure
