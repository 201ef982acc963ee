import numpy as np
from matplotlib import pyplot

from refquant.demo.data import load_digits
from refquant.demo.perceptron import few_bits, perceptron
from refquant.plotting import error_histogram
from refquant.ptq import bias_correction


def draw(ink):
    digits = load_digits()
    model = perceptron(digits.train)
    rounded = few_bits(model, 3, digits.calibration.pixels)
    corrected = bias_correction(model, rounded, [digits.calibration.pixels])
    x = digits.test.pixels.numpy().reshape(-1, 64)
    shift = (rounded.fc1.bias() - corrected.fc1.bias()).abs().detach().numpy()
    output = int(np.argmax(shift))  # the one that is corrected most

    def before_relu(weight, bias):
        return x @ weight.detach().numpy()[output] + bias.detach().numpy()[output]

    exact = before_relu(model.fc1[0].weight, model.fc1[0].bias)
    after = {
        name: before_relu(network.fc1.weight().dequantize(), network.fc1.bias())
        for name, network in {"rounded": rounded, "bias corrected": corrected}.items()
    }
    figure, ax = pyplot.subplots()
    error_histogram(exact, after, bins=40, ax=ax)
    ax.axvline(0, color=ink, linewidth=0.8)
    ax.set_xlabel("error before the ReLU")
    ax.set_ylabel("test images")
    return figure
