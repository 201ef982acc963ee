import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS


def draw(ink):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(64, 64)).astype(np.float32) / 8
    scale = float(np.abs(weight).max() / 127.5)
    ops = refquant.ops.quantized
    packed = ops.linear_prepack(
        refquant.quantize_per_tensor(refquant.from_numpy(weight), scale, 0, refquant.qint8)
    )
    x = rng.normal(size=(64, 64)).astype(np.float32)
    amplitudes = np.geomspace(0.01, 100, 41, dtype=np.float32)
    curves = {"dynamic": [], "static": []}
    for amplitude in amplitudes:
        scaled = refquant.from_numpy(x * amplitude)
        exact = scaled.numpy() @ weight.T
        q = refquant.quantize_per_tensor(scaled, 8 / 255, 128, refquant.quint8)
        results = {
            "dynamic": ops.linear_dynamic(scaled, packed),
            "static": ops.linear(q, packed, 8 / 255, 128).dequantize(),
        }
        for name, y in results.items():
            error = y.numpy() - exact
            curves[name].append(10 * np.log10((exact**2).sum() / (error**2).sum()))
    figure, ax = pyplot.subplots()
    for (name, curve), color in zip(curves.items(), COLORS, strict=False):
        ax.plot(amplitudes, curve, color=color, linewidth=2, label=name)
    ax.set_xscale("log")
    ax.set_xlabel("amplitude of the input")
    ax.set_ylabel("SQNR of the output in dB")
    ax.set_ylim(0, 45)
    ax.legend(loc="lower right")
    return figure
