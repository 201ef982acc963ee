import numpy as np
from matplotlib import pyplot

from refquant.demo.data import load_digits
from refquant.demo.perceptron import perceptron
from refquant.plotting import channel_boxes
from refquant.ptq import equalize


def draw(ink):
    model = perceptron(load_digits().train)
    equalized = equalize(model, [["fc1", "fc2"]], inplace=False)
    figure, axes = pyplot.subplots(2, 2, sharex=True, figsize=(7.2, 5.0))
    for column, (title, network) in enumerate({"trained": model, "equalized": equalized}.items()):
        weights = network.fc1[0].weight.detach().numpy(), network.fc2.weight.detach().numpy()
        for row, weight in enumerate(weights):
            ax = channel_boxes(weight, axis=row, ax=axes[row, column])
            ax.set_title(f"{title}, {('rows of fc1', 'columns of fc2')[row]}")
            ax.set_ylabel("weight" if column == 0 else "")
            ax.get_legend().remove()
            ax.set_xlabel("channel" if row else "")
            largest = 1.05 * np.abs(weight).max()
            ax.set_ylim(-largest, largest)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure
