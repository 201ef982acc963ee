"""Accuracy with weights of few bits: quantized after training, or in training."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

from refquant import dtypes
from refquant.demo.data import Digits, load_digits
from refquant.demo.experiment import calibration_batches
from refquant.demo.metrics import accuracy, logits_of
from refquant.demo.network import FUSIBLE, DigitNet
from refquant.demo.schemes import fuse, quantize_statically
from refquant.demo.training import fit, train
from refquant.quantization import (
    FakeQuantize,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
    QConfig,
    convert,
    default_fake_quant,
    default_observer,
    fuse_modules_qat,
    prepare_qat,
)
from refquant.reporting import Table

__all__ = ["GRANULARITIES", "Outcome", "after_training", "in_training", "run", "table"]

GRANULARITIES = ("per tensor", "per channel")

_LEARNING_RATE = 1e-3  # of quantization-aware training, which starts from a trained network


@dataclass(frozen=True)
class Outcome:
    """Shares of the test images that are classified correctly, 0 to 1.

    Attributes
    ----------
    images : int
        Number of test images.
    float32 : float
        By the network before it was quantized.
    after_training, in_training : dict of (int, str) to float
        By quantized networks, for each number of bits and each of `GRANULARITIES`.
    """

    images: int
    float32: float
    after_training: dict[tuple[int, str], float]
    in_training: dict[tuple[int, str], float]


def _weight_options(bits: int, granularity: str) -> dict:
    """Choose the integers of a weight: two's complement of `bits` bits, zero in the middle."""
    per_channel = granularity == "per channel"
    scheme = dtypes.per_channel_symmetric if per_channel else dtypes.per_tensor_symmetric
    half = 2 ** (bits - 1)
    return {"dtype": dtypes.qint8, "qscheme": scheme, "quant_min": -half, "quant_max": half - 1}


def after_training(model: DigitNet, bits: int, granularity: str, batches: Iterable) -> DigitNet:
    """Quantize a trained network, without further training.

    Parameters
    ----------
    model : DigitNet
        Trained, in evaluation mode; stays as it is.
    bits : int
        Of a weight, 2 to 8; activations have 8 bits, of which 7 are used.
    granularity : {'per tensor', 'per channel'}
        Granularity of the scales of weights.
    batches : iterable of Tensor
        Images to calibrate with.

    Returns
    -------
    DigitNet
    """
    observer = PerChannelMinMaxObserver if granularity == "per channel" else MinMaxObserver
    weight = observer.with_args(**_weight_options(bits, granularity))
    return quantize_statically(fuse(model), QConfig(default_observer, weight), batches)


def in_training(
    model: DigitNet,
    bits: int,
    granularity: str,
    digits: Digits,
    *,
    epochs: int = 4,
    seed: int = 0,
    show: bool | None = None,
) -> DigitNet:
    """Train a network further with fake quantization, then quantize it.

    Parameters
    ----------
    model : DigitNet
        Trained; stays as it is.
    bits, granularity
        As for `after_training`.
    digits : Digits
        Their training images are used.
    epochs : int, default 4
        Passes over the images.
    seed : int, default 0
        Determines the order of the images.
    show : bool, optional
        Whether to draw a progress bar; by default on a terminal only.

    Returns
    -------
    DigitNet
    """
    per_channel = granularity == "per channel"
    weight = FakeQuantize.with_args(
        observer=(
            MovingAveragePerChannelMinMaxObserver if per_channel else MovingAverageMinMaxObserver
        ),
        **_weight_options(bits, granularity),
    )
    model = copy.deepcopy(model)
    model.train()
    model = fuse_modules_qat(model, [list(names) for names in FUSIBLE])
    model.qconfig = QConfig(default_fake_quant, weight)
    prepare_qat(model, inplace=True)
    fit(
        model,
        digits.train,
        epochs=epochs,
        seed=seed,
        learning_rate=_LEARNING_RATE,
        name=f"{bits} bits, {granularity}",
        show=show,
    )
    model.eval()
    return convert(model, inplace=True)


def run(
    *,
    bits: Iterable[int] = (8, 4, 2),
    epochs: int = 15,
    qat_epochs: int = 4,
    seed: int = 0,
    show: bool | None = None,
) -> Outcome:
    """Train once, then quantize for every number of bits and granularity, and measure.

    Parameters
    ----------
    bits : iterable of int, default (8, 4, 2)
        Bits of a weight, each 2 to 8.
    epochs : int, default 15
        Passes over the training images in float32.
    qat_epochs : int, default 4
        Further passes with fake quantization.
    seed : int, default 0
        Determines the split and the training.
    show : bool, optional
        Whether to draw progress bars; by default on a terminal only.

    Returns
    -------
    Outcome
    """
    digits = load_digits(seed)
    model = train(digits.train, epochs=epochs, seed=seed, show=show)
    batches = calibration_batches(digits)

    def measured(quantized: DigitNet) -> float:
        return accuracy(logits_of(quantized, digits.test), digits.test)

    ways = [(number, granularity) for number in bits for granularity in GRANULARITIES]
    after = {way: measured(after_training(model, *way, batches)) for way in ways}
    within = {
        way: measured(in_training(model, *way, digits, epochs=qat_epochs, seed=seed, show=show))
        for way in ways
    }
    return Outcome(digits.test.labels.numel(), measured(model), after, within)


def table(outcome: Outcome) -> Table:
    """Return the table of all accuracies.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    Table
        Its ``text()`` is for a terminal.
    """
    rows = [("32, float", "-", f"{100 * outcome.float32:.2f}", "-")]
    rows += [
        (
            str(way[0]),
            way[1],
            f"{100 * outcome.after_training[way]:.2f}",
            f"{100 * outcome.in_training[way]:.2f}",
        )
        for way in outcome.after_training
    ]
    return Table(
        f"Accuracy in % on {outcome.images} test images",
        ("bits of a weight", "scales", "after training", "in training"),
        rows,
        "after training: post-training quantization; in training: quantization-aware training.",
    )
