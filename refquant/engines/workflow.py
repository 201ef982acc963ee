"""What a release of PyTorch does between a batch of floats and a quantizer, as data."""

from dataclasses import dataclass

__all__ = ["PYTORCH_1_4", "PYTORCH_2_13", "Workflow"]


@dataclass(frozen=True)
class Workflow:
    """The choices of a release that belong to no single engine.

    Observers and fake quantization keep the workflow under which they were made. Engines of one
    release share one.

    Attributes
    ----------
    release : str
        Release of PyTorch.
    qparams : str
        How scale and zero point are formed from a range: ``'float64'`` rounds last and gives
        scale 1 to zeros, ``'float32'`` rounds every operation.
    reduced_range : str
        How a bit is left unused: ``'cut'`` cuts the range to that of seven bits where real values
        are mapped, ``'halved'`` halves both ends of the range itself.
    histograms : str
        How a histogram is brought to a wider range: ``'stretched'`` to a whole number of parts of
        a bin, by sums in float64, or ``'spread'`` part by part in float32.
    upsample_rate : int
        Into how many parts a bin of a histogram is cut.
    fake_quantize : str
        ``'add_then_round'`` or ``'round_then_add'``.
    values_per_channel : int
        How many values ``calculate_qparams`` of a per-channel observer returns: with the axis 3.
    states : int
        Version of the layout of observers in state dicts.
    qat_version : int
        Default version of the recipes of quantization-aware training.
    observes_pairs : str
        Where a fused pair is observed: ``'inside'`` at its last member, or as a ``'whole'``.
    fuses_in_training : bool
        Whether ``fuse_modules`` accepts models in training mode.
    normalization : str
        Where quantization-aware training keeps batch normalization: in the layer, which is
        ``'rescaled'``, or in a ``'submodule'`` that follows it.
    observes_trained_weights : bool
        Whether ``convert`` observes the weight once more after training.
    swaps_relu : bool
        Whether ``convert`` replaces ReLU.

    Examples
    --------
    >>> from refquant import engines
    >>> engines.get("fbgemm").workflow.release, engines.get("qnnpack-1.4").workflow.release
    ('2.13', '1.4')
    >>> from dataclasses import asdict
    >>> engines.Workflow(**asdict(engines.get("fbgemm").workflow)).observes_pairs
    'whole'
    """

    release: str
    qparams: str
    reduced_range: str
    histograms: str
    upsample_rate: int
    fake_quantize: str
    values_per_channel: int
    states: int
    qat_version: int
    observes_pairs: str
    fuses_in_training: bool
    normalization: str
    observes_trained_weights: bool
    swaps_relu: bool


PYTORCH_1_4 = Workflow(
    release="1.4",
    qparams="float64",
    reduced_range="cut",
    histograms="stretched",
    upsample_rate=128,
    fake_quantize="add_then_round",
    values_per_channel=3,
    states=1,
    qat_version=0,
    observes_pairs="inside",
    fuses_in_training=True,
    normalization="rescaled",
    observes_trained_weights=False,
    swaps_relu=True,
)

PYTORCH_2_13 = Workflow(
    release="2.13",
    qparams="float32",
    reduced_range="halved",
    histograms="spread",
    upsample_rate=16,
    fake_quantize="round_then_add",
    values_per_channel=2,
    states=3,
    qat_version=1,
    observes_pairs="whole",
    fuses_in_training=False,
    normalization="submodule",
    observes_trained_weights=True,
    swaps_relu=False,
)
