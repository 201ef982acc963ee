"""Accuracy, agreement, size and time of each model, measured on held-out images."""

from dataclasses import dataclass, field

import numpy as np

from refquant import nn
from refquant.demo.data import Images
from refquant.reporting import agreement, parameter_bytes, seconds, sqnr
from refquant.tensors.autograd import no_grad

__all__ = ["Score", "accuracy", "logits_of", "score"]


@dataclass(frozen=True)
class Score:
    """The measurements of one model.

    Attributes
    ----------
    name : str
        Of the model.
    accuracy : float
        Share of the images that it classifies correctly, 0 to 1.
    agreement : float
        Share of the images that it classifies as the float model does, 0 to 1.
    sqnr : float
        Signal-to-quantization-noise ratio of the logits in dB.
    bytes : int
        Of its parameters.
    seconds : float
        For one forward pass over all images, the median of several.
    logits : ndarray of float32, shape (n, 10)
        Logits of the ten digits.
    """

    name: str
    accuracy: float
    agreement: float
    sqnr: float
    bytes: int
    seconds: float
    logits: np.ndarray = field(repr=False)


def logits_of(model: nn.Module, images: Images) -> np.ndarray:
    """Run a model on all images at once; return logits of shape (n, 10)."""
    with no_grad():
        return model(images.pixels).numpy()


def accuracy(logits: np.ndarray, images: Images) -> float:
    """Return the share of the images whose largest logit is that of their label.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant import tensor
    >>> from refquant.demo.data import Images
    >>> from refquant.demo.metrics import accuracy
    >>> accuracy(np.eye(10)[[3, 4]], Images(None, tensor([3, 5])))
    0.5
    """
    return float(np.mean(np.argmax(logits, axis=1) == images.labels.numpy()))


def score(
    name: str,
    model: nn.Module,
    images: Images,
    reference: np.ndarray | None = None,
    *,
    repeats: int = 15,
) -> Score:
    """Measure one model.

    Parameters
    ----------
    name : str
        Its row in the table.
    model : Module
        In evaluation mode.
    images : Images
        The images to test with.
    reference : ndarray of float32, shape (n, 10), optional
        Logits of the float model; by default those of `model` itself.
    repeats : int, default 15
        How often the time is measured.

    Returns
    -------
    Score
    """
    logits = logits_of(model, images)
    reference = logits if reference is None else reference
    return Score(
        name,
        accuracy(logits, images),
        agreement(reference, logits),
        sqnr(reference, logits),
        parameter_bytes(model.state_dict()),
        seconds(lambda: logits_of(model, images), repeats),
        logits,
    )
