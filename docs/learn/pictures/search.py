import numpy as np
from matplotlib import pyplot

import refquant
from refquant import quantization
from refquant.plotting import observer_ranges


def draw(ink):
    data = np.random.default_rng(0).laplace(size=200_000)
    data = np.append(data, 100.0).astype(np.float32)
    observers = {
        "all values": quantization.MinMaxObserver(),
        "search": quantization.HistogramObserver(),
    }
    for observer in observers.values():
        observer(refquant.from_numpy(data))
    figure, ax = pyplot.subplots(figsize=(7.2, 2.8))
    observer_ranges(data, observers, bins=200, ax=ax)
    return figure
