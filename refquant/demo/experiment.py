"""The experiment: train one network, quantize it three ways, measure and compare all four."""

from dataclasses import dataclass

from refquant.demo import schemes
from refquant.demo.data import Digits, load_digits
from refquant.demo.metrics import Score, score
from refquant.demo.network import DigitNet
from refquant.demo.training import train
from refquant.reporting import Comparison, compare
from refquant.tensors import Tensor

__all__ = ["Experiment", "calibration_batches", "run"]

_BATCH = 50  # calibration images in a batch


@dataclass(frozen=True)
class Experiment:
    """The results.

    Attributes
    ----------
    digits : Digits
        The data.
    float_model : DigitNet
        Trained and fused.
    per_tensor, per_channel, dynamic : DigitNet
        Its quantized forms.
    scores : tuple of Score
        Of the float model, then of the quantized forms in the order above.
    compared_per_tensor, compared_per_channel : Comparison
        The static forms, layer by layer, on the test images.
    """

    digits: Digits
    float_model: DigitNet
    per_tensor: DigitNet
    per_channel: DigitNet
    dynamic: DigitNet
    scores: tuple[Score, ...]
    compared_per_tensor: Comparison
    compared_per_channel: Comparison


def calibration_batches(digits: Digits) -> list[Tensor]:
    """Split the calibration images into batches."""
    pixels = digits.calibration.pixels.numpy()
    return [Tensor(pixels[i : i + _BATCH]) for i in range(0, len(pixels), _BATCH)]


def run(*, epochs: int = 15, seed: int = 0, show: bool | None = None) -> Experiment:
    """Train, quantize and measure.

    Parameters
    ----------
    epochs : int, default 15
        Passes over the training images.
    seed : int, default 0
        Determines the split and the training.
    show : bool, optional
        Whether to draw progress bars; by default on a terminal only.

    Returns
    -------
    Experiment
    """
    digits = load_digits(seed)
    trained = train(digits.train, epochs=epochs, seed=seed, show=show)
    batches = calibration_batches(digits)
    float_model = schemes.fuse(trained)
    per_tensor = schemes.quantize_statically(float_model, schemes.PER_TENSOR, batches)
    per_channel = schemes.quantize_statically(float_model, schemes.PER_CHANNEL, batches)
    dynamic = schemes.quantize_dynamically(trained)
    reference = score("float32", float_model, digits.test)
    scores = (
        reference,
        score("int8, static, per tensor", per_tensor, digits.test, reference.logits),
        score("int8, static, per channel", per_channel, digits.test, reference.logits),
        score("int8, dynamic", dynamic, digits.test, reference.logits),
    )
    test = [digits.test.pixels]
    return Experiment(
        digits,
        float_model,
        per_tensor,
        per_channel,
        dynamic,
        scores,
        compare(float_model, per_tensor, test),
        compare(float_model, per_channel, test),
    )
