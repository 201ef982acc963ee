import numpy as np
from matplotlib import pyplot
from matplotlib.colors import ListedColormap

import refquant
from refquant.plotting import COLORS

AROUND = np.arange(128 - 32, 128 + 32, dtype=np.uint8)


def draw(ink):
    second, first = np.meshgrid(AROUND, AROUND, indexing="ij")
    make = refquant._make_per_tensor_quantized_tensor
    a = make(refquant.from_numpy(np.ascontiguousarray(first)), 0.1, 128)
    b = make(refquant.from_numpy(np.ascontiguousarray(second)), 0.05, 128)
    figure, axes = pyplot.subplots(1, 2, sharey=True, figsize=(7.2, 3.7))
    for ax, scale in zip(axes, (0.1, 0.14), strict=True):
        sums = []
        for engine in ("fbgemm", "qnnpack"):
            with refquant.engines.using(engine):
                sums.append(refquant.ops.quantized.add(a, b, scale, 127).int_repr().numpy())
        differ = np.where(sums[0] != sums[1], 1.0, np.nan)
        edges = np.append(AROUND, AROUND[-1] + 1.0) - 0.5
        ax.pcolormesh(edges, edges, np.ma.masked_invalid(differ), cmap=ListedColormap([COLORS[1]]))
        ax.set_aspect("equal")
        ax.set_title(f"output scale {scale}: {np.nanmean(differ == 1):.0%} differ")
        ax.set_xlabel("first integer")
    axes[0].set_ylabel("second integer")
    return figure
