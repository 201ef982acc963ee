"""Loading the saved weights, and checking that all outputs are the same."""

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

__all__ = ["restore", "same_outputs"]


def restore(path: str | os.PathLike, batches: Sequence[Tensor]) -> DigitNet:
    """Build an untrained quantized network, and load its state from a file.

    Parameters
    ----------
    path : path
        Written by `refquant.save`, from the per-channel network.
    batches : sequence of Tensor
        Images to calibrate with before loading; no number derived from them remains.

    Returns
    -------
    DigitNet
    """
    untrained = DigitNet()
    untrained.eval()
    model = schemes.quantize_statically(schemes.fuse(untrained), schemes.PER_CHANNEL, batches[:1])
    model.load_state_dict(refquant.load(Path(path)))
    return model


def same_outputs(one: DigitNet, other: DigitNet, images: Images) -> bool:
    """Return whether two networks give the same logits for all images, bit for bit."""
    first, second = (logits_of(model, images) for model in (one, other))
    return np.array_equal(first.view(np.int32), second.view(np.int32))
