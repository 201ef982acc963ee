"""Recommendations: why a layer loses precision, and what would help."""

import math

import numpy as np

from refquant import arguments
from refquant.reporting.layers import Layer, representable
from refquant.reporting.measures import decibel_text

__all__ = ["advice"]

_SPREAD = 4.0  # channel ranges that differ this much gain a bit or two from scales of their own
_USED = 0.4  # of the range; reduce_range leaves half of it free on purpose
_FINE = 35.0  # dB; about six good bits


def advice(layer: Layer) -> str:
    """Name the most likely cause of a layer's loss of precision, and what to try.

    Parameters
    ----------
    layer : Layer
        Of a `Comparison`.

    Returns
    -------
    str
        A sentence or two: the cause with its numbers, then the remedy.

    Examples
    --------
    >>> import refquant
    >>> from refquant.reporting import Layer, advice
    >>> layer = Layer("fc", "Linear")
    >>> x = refquant.tensor([0.5, 1.0, 9.0])
    >>> layer.add(x.numpy(), refquant.quantize_per_tensor(x, 0.01, 0, refquant.quint8), x.numpy())
    >>> print(advice(layer))  # doctest: +NORMALIZE_WHITESPACE
    Clipping: 1 of 3 values lie outside 0 .. 2.55. Calibrate with data like these, or with an
    observer that keeps the extremes (MinMaxObserver).
    """
    arguments.instance("layer", layer, Layer, "a Layer of a Comparison")
    return _clipping(layer) or _weights(layer) or _unused(layer) or _rest(layer)


def _clipping(layer: Layer) -> str | None:
    # Clipping is measured against the float model, like the cumulative error.
    if layer.output is None or layer.clipped_noise <= 0.5 * layer.noise:
        return None
    low, high = representable(layer.output)
    return (
        f"Clipping: {layer.clipped:,} of {layer.elements:,} values lie outside {low:.4g} .. "
        f"{high:.4g}. Calibrate with data like these, or with an observer that keeps the extremes "
        "(MinMaxObserver)."
    )


def _weights(layer: Layer) -> str | None:
    ratio = layer.weight_sqnr
    if ratio is None or not math.isfinite(ratio) or ratio > layer.local_sqnr + 6:
        return None
    if layer.quantized_weight.axis is None and layer.weight.ndim > 1:
        widths = np.abs(layer.weight).reshape(len(layer.weight), -1).max(axis=1)
        spread = float(widths.max() / max(np.median(widths), np.finfo(np.float32).tiny))
        if spread > _SPREAD:
            return (
                f"Weights: {decibel_text(ratio)} dB with one scale for all channels, whose ranges "
                f"differ {spread:.3g}-fold. Give each channel its own scale "
                "(default_per_channel_weight_observer)."
            )
    if ratio < _FINE:
        return (
            f"Weights: they alone have only {decibel_text(ratio)} dB. Look for a few large ones "
            "that widen the range; quantization-aware training makes the others fit."
        )
    return None


def _unused(layer: Layer) -> str | None:
    sample = layer.sample[np.isfinite(layer.sample)]
    if layer.output is None or not sample.size:
        return None
    low, high = representable(layer.output)
    used = float(min(sample.max(), high) - max(sample.min(), low)) / (high - low)
    if used >= _USED:
        return None
    return (
        f"Range: values fill {100 * max(used, 0.0):.0f} % of {low:.4g} .. {high:.4g}. If "
        "calibration data had outliers, a HistogramObserver cuts them off."
    )


def _rest(layer: Layer) -> str:
    if layer.local_sqnr >= _FINE:
        return "Rounding alone, as far as 8 bits allow: nothing to fix here."
    if layer.sqnr < layer.local_sqnr - 6:
        return (
            f"Most of its error comes from the layers before: {decibel_text(layer.sqnr)} dB in "
            f"total, {decibel_text(layer.local_sqnr)} dB by itself. Fix those first."
        )
    return (
        "Rounding: the steps are coarse compared to most of the values. Keep the layer in float "
        "(qconfig = None), or train with quantization (prepare_qat)."
    )
