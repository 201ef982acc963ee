"""Figures of a comparison, each with its caption.

Draw them within `refquant.reporting.pictures.drawing`, for `refquant.reporting.Page.pictures`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from refquant.plotting import (
    channel_ranges,
    error_sawtooth,
    sqnr_bars,
    value_histogram,
    weight_histogram,
)
from refquant.reporting.comparison import Comparison
from refquant.reporting.measures import decibel_text
from refquant.reporting.pictures import new_axes
from refquant.tensors import QuantizedTensor

__all__ = ["activations", "channels", "input_error", "local_and_total", "losses", "weights"]

Picture = tuple[Any, str]


def losses(comparisons: Mapping[str, Comparison]) -> Picture:
    """Draw the SQNR of every layer of models with the same layers."""
    names = [layer.name for layer in next(iter(comparisons.values())).layers]
    values = {
        name: [layer.sqnr for layer in comparison.layers]
        for name, comparison in comparisons.items()
    }
    caption = "Signal-to-quantization-noise ratio of the output of every layer. 6 dB are one bit."
    return sqnr_bars(names, values, ax=new_axes()), caption


def local_and_total(comparison: Comparison) -> Picture:
    """Draw the SQNR of every layer, for its own error and for all errors up to it."""
    layers = comparison.layers
    values = {
        "added by the layer": [layer.local_sqnr for layer in layers],
        "with all before it": [layer.sqnr for layer in layers],
    }
    ax = sqnr_bars(
        [layer.name or "(model)" for layer in layers],
        values,
        ax=new_axes(4.4, max(2.9, 1.2 + 0.35 * len(layers))),
    )
    caption = (
        "Signal-to-quantization-noise ratio of the output of every layer: for the error that it "
        "adds to its input, and for all errors up to it. 6 dB are one bit."
    )
    return ax, caption


def input_error(comparison: Comparison) -> Picture:
    """Draw the error of the first quantized output, that of the input, near zero."""
    layer, output = next(comparison.quantized)
    step = output.scale
    ax = error_sawtooth(
        step, output.zero_point, output.dtype, low=-1.25 * step, high=5.25 * step, ax=new_axes()
    )
    ax.set_title(layer.name)
    caption = (
        f"Error of quantizing the input, near zero: at most half of the step {step:.5f} where "
        "integers reach, and none at zero itself. Beyond them it grows."
    )
    return ax, caption


def activations(comparison: Comparison) -> Iterator[Picture]:
    """Draw the float outputs of every layer and the range that its integers cover."""
    for layer, output in comparison.quantized:
        ax = value_histogram(
            layer.sample, output.scale, output.zero_point, output.dtype, ax=new_axes()
        )
        ax.set_title(layer.name)
        caption = (
            f"{layer.name}: scale {output.scale:.5f}, zero point {output.zero_point}; "
            f"{layer.clipped:,} of {layer.elements:,} values are clipped."
        )
        yield ax, caption


def _step(weight: QuantizedTensor) -> str:
    if weight.axis is None:
        return f"one step is {weight.scale:.5f}"
    return f"one step is {weight.scale.min():.5f} to {weight.scale.max():.5f}"


def weights(comparison: Comparison) -> Iterator[Picture]:
    """Draw every weight before and after quantization."""
    for layer, weight, quantized_weight in comparison.weighted:
        ax = weight_histogram(weight, quantized_weight, ax=new_axes())
        ax.set_title(layer.name)
        caption = (
            f"{layer.name}: {weight.size:,} weights, {_step(quantized_weight)}, "
            f"SQNR {decibel_text(layer.weight_sqnr)} dB. Each bar is a whole number of steps."
        )
        yield ax, caption


def channels(comparison: Comparison) -> Iterator[Picture]:
    """Draw how wide the weights of each output channel are."""
    for layer, weight, _ in comparison.weighted:
        ax = channel_ranges(weight, ax=new_axes())
        ax.set_title(layer.name)
        caption = (
            f"{layer.name}: range of the weights of each output channel. Dashed: the range that "
            "one scale for all of them must cover."
        )
        yield ax, caption
