import numpy as np
from matplotlib import pyplot

from refquant.demo.data import load_digits
from refquant.demo.perceptron import few_bits, perceptron
from refquant.plotting import sqnr_curves
from refquant.ptq import bias_correction, rounded_adaptively

BITS = (2, 3, 4, 5, 6, 8)


def draw(ink):
    digits = load_digits()
    images, test = digits.calibration.pixels, digits.test.pixels
    model = perceptron(digits.train)
    exact = model(test).detach().numpy()

    def decibels(network):
        error = network(test).detach().numpy() - exact
        return 10 * np.log10((exact**2).sum() / (error**2).sum())

    curves = {
        "nearest": [],
        "nearest, biases corrected": [],
        "adaptive": [],
        "adaptive, biases corrected": [],
    }
    for bits in BITS:
        half = 2 ** (bits - 1)
        nearest = few_bits(model, bits, images)
        adaptive = rounded_adaptively(model, nearest, [images], -half, half - 1, steps=300)
        for start, network in ((0, nearest), (2, adaptive)):
            corrected = bias_correction(model, network, [images])
            list(curves.values())[start].append(decibels(network))
            list(curves.values())[start + 1].append(decibels(corrected))
    figure, ax = pyplot.subplots(figsize=(7.2, 3.8))
    sqnr_curves(BITS, curves, ax=ax)
    ax.set_xlabel("bits of a weight")
    ax.set_ylabel("SQNR of the outputs (dB)")
    ax.set_ylim(bottom=0)
    return figure
