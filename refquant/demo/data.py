"""The handwritten digits that come with scikit-learn, split in three."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from refquant.extras import require_extra
from refquant.ops.from_data import from_numpy
from refquant.tensors import Tensor

__all__ = ["Digits", "Images", "load_digits"]

_TRAIN, _CALIBRATION = 1200, 150  # the remaining 447 of 1797 are for the test


class Images(NamedTuple):
    """Images and their labels.

    Attributes
    ----------
    pixels : Tensor of float32, shape (n, 1, 8, 8)
        0 is white, 1 is black.
    labels : Tensor of int64, shape (n,)
        The digit, 0 to 9.
    """

    pixels: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Digits:
    """Three disjoint parts of the data.

    Attributes
    ----------
    train : Images
        For training the network.
    calibration : Images
        For the observers; used neither for training nor for the test.
    test : Images
        For measuring accuracy only.
    """

    train: Images
    calibration: Images
    test: Images


def load_digits(seed: int = 0) -> Digits:
    """Load 1797 images of 8x8 pixels and split them at random.

    Parameters
    ----------
    seed : int, default 0
        Determines the split.

    Returns
    -------
    Digits
        1200 images for training, 150 for calibration, 447 for the test.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Notes
    -----
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository (1998).

    Examples
    --------
    >>> from refquant.demo.data import load_digits
    >>> digits = load_digits()
    >>> tuple(digits.train.pixels.shape), tuple(digits.test.labels.shape)
    ((1200, 1, 8, 8), (447,))
    """
    datasets = require_extra(
        "sklearn.datasets", package="scikit-learn", extra="demo", op="loading the digits"
    )
    bunch = datasets.load_digits()
    pixels = (bunch.images / 16).astype(np.float32)[:, None]
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = np.split(order, [_TRAIN, _TRAIN + _CALIBRATION])
    return Digits(*(Images(from_numpy(pixels[part]), from_numpy(labels[part])) for part in parts))
