"""The quantized weights on disk, and proof that they come back whole."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import refquant
from refquant.demo import schemes
from refquant.demo.data import Images
from refquant.demo.metrics import logits_of
from refquant.demo.network import DigitNet
from refquant.tensors import Tensor

__all__ = ["restored", "same_outputs"]


def restored(path: str | os.PathLike, batches: Sequence[Tensor]) -> DigitNet:
    """Build a quantized network that knows nothing, and load its state from a file.

    Parameters
    ----------
    path : path
        Written by `refquant.save`, from the per-channel network.
    batches : sequence of Tensor
        Images to make the network's form with; no number that comes from them stays.

    Returns
    -------
    DigitNet
    """
    untrained = DigitNet()
    untrained.eval()
    model = schemes.static(schemes.fused(untrained), schemes.PER_CHANNEL, batches[:1])
    model.load_state_dict(refquant.load(Path(path)))
    return model


def same_outputs(one: DigitNet, other: DigitNet, images: Images) -> bool:
    """Whether two networks give the same scores for all images, to the last bit."""
    first, second = (logits_of(model, images) for model in (one, other))
    return np.array_equal(first.view(np.int32), second.view(np.int32))
