import numpy as np
from matplotlib import pyplot

import refquant
from refquant import quantization
from refquant.plotting import observer_ranges


def draw(ink):
    data = np.random.default_rng(0).laplace(size=20_000).astype(np.float32)
    limits = {"quant_min": 0, "quant_max": 15}  # 4 bits
    observers = {
        "minimum and maximum": quantization.MinMaxObserver(**limits),
        "greedy search": quantization.HistogramObserver(**limits),
        "99.9 percent": quantization.PercentileObserver(99.9, **limits),
        "99 percent": quantization.PercentileObserver(99.0, **limits),
        "least squared error": quantization.MSEObserver(**limits),
        "relative entropy": quantization.EntropyObserver(**limits),
        "power of two": quantization.PowerOfTwoObserver(**limits),
    }
    for observer in observers.values():
        observer(refquant.from_numpy(data))
    figure, ax = pyplot.subplots(figsize=(7.2, 3.6))
    observer_ranges(data, observers, ax=ax)
    return figure
