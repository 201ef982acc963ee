"""Training in float32, with refquant's own gradients and optimizer."""

import math

import numpy as np

import refquant
from refquant import nn, optim
from refquant.demo.data import Images
from refquant.demo.network import DigitNet
from refquant.progress import Progress
from refquant.tensors import Tensor

__all__ = ["fit", "train"]

_BATCH = 64
_LEARNING_RATE = 3e-3


def train(images: Images, *, epochs: int = 15, seed: int = 0, show: bool | None = None) -> DigitNet:
    """Train a `DigitNet`.

    Parameters
    ----------
    images : Images
        The training images.
    epochs : int, default 15
        Passes over the images.
    seed : int, default 0
        Determines the initial weights and the order of the images.
    show : bool, optional
        Whether to draw a progress bar; by default on a terminal only.

    Returns
    -------
    DigitNet
        In evaluation mode.

    Examples
    --------
    >>> from refquant.demo.data import load_digits
    >>> from refquant.demo.training import train
    >>> train(load_digits().train, epochs=1).training
    False
    """
    refquant.manual_seed(seed)
    model = DigitNet()
    fit(model, images, epochs=epochs, seed=seed, show=show)
    model.eval()
    return model


def fit(
    model: DigitNet,
    images: Images,
    *,
    epochs: int,
    seed: int = 0,
    learning_rate: float = _LEARNING_RATE,
    name: str = "training",
    show: bool | None = None,
) -> None:
    """Train a network that is in training mode, starting from its current parameters.

    Parameters
    ----------
    model : DigitNet
        Changed in place.
    images : Images
        The training images.
    epochs : int
        Passes over the images.
    seed : int, default 0
        Determines the order of the images.
    learning_rate : float, default 0.003
        Of Adam.
    name : str, default 'training'
        Title of the progress bar.
    show : bool, optional
        Whether to draw a progress bar; by default on a terminal only.
    """
    shuffle = np.random.default_rng(seed)
    loss_of = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=learning_rate)
    count = images.labels.numel()
    pixels, labels = images.pixels.numpy(), images.labels.numpy()
    with Progress(name, epochs * math.ceil(count / _BATCH), show=show) as bar:
        for epoch in range(epochs):
            order = shuffle.permutation(count)
            for start in range(0, count, _BATCH):
                chosen = order[start : start + _BATCH]
                optimizer.zero_grad()
                loss = loss_of(model(Tensor(pixels[chosen])), Tensor(labels[chosen]))
                loss.backward()
                optimizer.step()
                bar.advance(note=f"epoch {epoch + 1} of {epochs}, loss {loss.item():.3f}")
