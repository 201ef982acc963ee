"""Quantization of the network: static, with ranges from calibration, and dynamic."""

import copy
from collections.abc import Iterable

from refquant import nn
from refquant.demo.network import CONVOLUTIONS, FUSIBLE, DigitNet
from refquant.nn.module import AnyModule
from refquant.quantization import (
    QConfig,
    convert,
    default_dynamic_qconfig,
    default_observer,
    default_per_channel_weight_observer,
    default_qconfig,
    fuse_modules,
    prepare,
    quantize_dynamic,
)
from refquant.tensors import Tensor
from refquant.tensors.autograd import no_grad

__all__ = ["PER_CHANNEL", "PER_TENSOR", "fuse", "quantize_dynamically", "quantize_statically"]

# One scale for all weights of a layer, or one for each output channel. Activations have one scale
# for each layer, from the smallest and the largest value in calibration.
PER_TENSOR = default_qconfig
PER_CHANNEL = QConfig(activation=default_observer, weight=default_per_channel_weight_observer)


def fuse(model: DigitNet) -> DigitNet:
    """Fold BatchNorm into convolutions and fuse ReLUs; `model` stays as it is."""
    return fuse_modules(model, [list(names) for names in FUSIBLE])


def quantize_statically(model: AnyModule, qconfig: QConfig, batches: Iterable[Tensor]) -> AnyModule:
    """Quantize weights and activations, with ranges that are fixed by calibration.

    Parameters
    ----------
    model : Module
        Fused, in evaluation mode; stays as it is.
    qconfig : QConfig
        Observers for activations and weights.
    batches : iterable of Tensor
        Images to calibrate with.

    Returns
    -------
    Module
        With quantized modules for the chosen engine.
    """
    model = copy.deepcopy(model)
    # All submodules inherit it.
    model.qconfig = qconfig
    prepare(model, inplace=True)
    with no_grad():
        for batch in batches:
            model(batch)
    return convert(model, inplace=True)


def quantize_dynamically(model: DigitNet) -> DigitNet:
    """Quantize the weights of linear layers; their inputs are quantized in every call.

    Parameters
    ----------
    model : DigitNet
        Not fused, in evaluation mode; stays as it is.

    Returns
    -------
    DigitNet
        With float convolutions. Linear layers stay apart from their ReLU, because a dynamic
        one returns real numbers.
    """
    model = fuse_modules(model, [list(names) for names in CONVOLUTIONS])
    return quantize_dynamic(model, {nn.Linear: default_dynamic_qconfig})
