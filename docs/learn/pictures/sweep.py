import numpy as np
from matplotlib import pyplot

import refquant
from refquant import quantization
from refquant.plotting import range_sweep


def draw(ink):
    data = np.random.default_rng(0).laplace(size=20_000).astype(np.float32)
    figure, axes = pyplot.subplots(1, 2, sharey=True, figsize=(7.2, 3.8), layout="constrained")
    for ax, bits in zip(axes, (8, 4), strict=True):
        last = 2 ** (bits - 1) - 1
        options = {
            "dtype": refquant.qint8,
            "qscheme": refquant.per_tensor_symmetric,
            "quant_min": -last - 1,
            "quant_max": last,
        }
        observers = {
            "minimum and maximum": quantization.MinMaxObserver(**options),
            "99.9 percent": quantization.PercentileObserver(99.9, **options),
            "least squared error": quantization.MSEObserver(**options),
            "relative entropy": quantization.EntropyObserver(**options),
            "power of two": quantization.PowerOfTwoObserver(**options),
        }
        choices = {}
        for name, observer in observers.items():
            observer(refquant.from_numpy(data))
            choices[name] = observer.calculate_qparams()[0].item() * last
        range_sweep(data, choices, bits=bits, ax=ax)
        ax.get_legend().remove()
        ax.set_xlim(2, None)
        ax.set_ylim(1e-4, 1)
        ax.set_title(f"{bits} bits")
    axes[1].set_ylabel("")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[1:], labels[1:], loc="outside lower center", ncols=3)
    return figure
