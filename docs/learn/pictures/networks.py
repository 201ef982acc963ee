import numpy as np
from matplotlib import pyplot

import refquant
from refquant.plotting import COLORS

DEPTH, SIZE = 64, 64


def rounded(x):
    scale = float(2 * np.abs(x).max() / 255)
    return refquant.fake_quantize_per_tensor_affine(
        refquant.from_numpy(x), scale, 128, 0, 255
    ).numpy()


def truncated(x):
    scale = np.float32(2 * np.abs(x).max() / 255)
    return np.floor(x / scale) * scale


def chain(rng, matrices, activation, quantize):
    exact = y = rng.normal(size=(128, SIZE)).astype(np.float32)
    for w in matrices:
        exact, y = activation(exact @ w), quantize(activation(y @ w))
        yield 10 * np.log10((exact**2).sum() / ((y - exact) ** 2).sum())


def fixing_the_mean(rng):
    """Rotations that leave a common offset of all values as it is."""
    basis = np.linalg.qr(np.column_stack([np.ones(SIZE), rng.normal(size=(SIZE, SIZE - 1))]))[0]
    for _ in range(DEPTH):
        inner = np.eye(SIZE)
        inner[1:, 1:] = np.linalg.qr(rng.normal(size=(SIZE - 1, SIZE - 1)))[0]
        yield (basis @ inner @ basis.T).astype(np.float32)


def draw(ink):
    rng = np.random.default_rng(0)
    normal = [rng.normal(size=(SIZE, SIZE)).astype(np.float32) for _ in range(DEPTH)]
    rotations = [np.linalg.qr(w)[0] for w in normal]
    with_relu = [w * np.float32(np.sqrt(2 / SIZE)) for w in normal]
    chains = {
        "rotations": (rotations, lambda x: x, rounded),
        "random layers with ReLU": (with_relu, lambda x: np.maximum(x, 0), rounded),
        "rotations, rounded down": (fixing_the_mean(rng), lambda x: x, truncated),
    }
    depth = np.arange(1, DEPTH + 1)
    figure, ax = pyplot.subplots()
    for (label, settings), color in zip(chains.items(), COLORS, strict=False):
        curve = list(chain(rng, *settings))
        ax.plot(depth, curve, "o", markersize=3.5, color=color, label=label)
        if label == "rotations":
            law = curve[0] - 10 * np.log10(depth)
            ax.plot(depth, law, color=ink, linewidth=1, label="law")
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
    ax.set_xlabel("layers")
    ax.set_ylabel("SQNR in dB")
    ax.legend(loc="lower left")
    return figure
