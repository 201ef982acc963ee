import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS

SCALE, ZERO_POINT, LAST = 0.25, 2, 7


def fake(x):
    return refquant.fake_quantize_per_tensor_affine(x, SCALE, ZERO_POINT, 0, LAST)


def draw(ink):
    values = np.linspace(-0.9973, 1.7481, 1000, dtype=np.float32)  # none is a tie
    x = refquant.tensor(values, requires_grad=True)
    y = fake(x)
    y.sum().backward()
    around = np.linspace(-SCALE / 2, SCALE / 2, 200, endpoint=False, dtype=np.float32)
    smooth = fake(refquant.from_numpy(values[:, None] + around)).numpy().mean(axis=1)
    figure, axes = pyplot.subplots(1, 2, figsize=(7.2, 3.1))
    axes[0].plot(values, y.detach().numpy(), color=COLORS[0], label="fake quantization")
    axes[0].plot(values, smooth, color=COLORS[1], label="averaged over a step")
    axes[0].set_ylabel("result")
    axes[1].plot(values, x.grad.numpy(), color=COLORS[0], linewidth=2, label="gradient")
    ends = [fake(refquant.from_numpy(values + d)).numpy() for d in (-SCALE / 2, SCALE / 2)]
    slope = (ends[1] - ends[0]) / SCALE
    axes[1].plot(values, slope, color=COLORS[1], linestyle="--", label="slope of the average")
    axes[1].set_ylim(-0.1, 1.6)
    for ax in axes:
        ax.set_xlabel("value")
        ax.legend(loc="upper left")
    return figure
