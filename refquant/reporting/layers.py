"""Statistics of one layer of a quantized model, accumulated over batches."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refquant.errors import ShapeError
from refquant.reporting.measures import decibels, difference, energy, real_values, sqnr
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Layer"]

_SAMPLE = 50_000  # float values kept of each layer and batch, for histograms


@dataclass
class Layer:
    """Statistics of one layer.

    There are two errors. The *cumulative* error compares the output with that of the float model;
    it includes the errors of all layers before. The *local* error compares it with the output of
    the float layer for the same input as the quantized layer; it is what this layer adds.

    Attributes
    ----------
    name, kind : str
        Name and class of the quantized module.
    output : QuantizedTensor or None
        Output for the last batch; None where the layer gives floats (dynamic quantization).
    signal, noise : float
        Energy of the float outputs, and of the differences to them.
    local_signal, local_noise : float
        The same for the float layer on the quantized layer's input.
    elements, clipped : int
        Number of float outputs, and how many of them are out of the range of the output.
    clipped_noise : float
        Energy of the error of clipping them.
    saturated : int
        Output integers at an end of the range of their dtype, without those at the zero point.
    samples : list of ndarray of float32
        Some float outputs of each batch.
    weight : ndarray of float32 or None
        The float weight.
    quantized_weight : QuantizedTensor or None
        The quantized weight.

    Examples
    --------
    >>> import numpy as np
    >>> import refquant
    >>> layer = refquant.reporting.Layer("fc", "Linear")
    >>> x = refquant.tensor([0.0, 1.0, 3.0])
    >>> layer.add(x.numpy(), refquant.quantize_per_tensor(x, 0.01, 0, refquant.quint8))
    >>> layer.elements, layer.clipped, layer.saturated
    (3, 1, 1)
    """

    name: str
    kind: str
    output: Any = None
    signal: float = 0.0
    noise: float = 0.0
    local_signal: float = 0.0
    local_noise: float = 0.0
    elements: int = 0
    clipped: int = 0
    clipped_noise: float = 0.0
    saturated: int = 0
    samples: list[np.ndarray] = field(default_factory=list, repr=False)
    weight: Any = field(default=None, repr=False)
    quantized_weight: Any = field(default=None, repr=False)

    @property
    def sqnr(self) -> float:
        """Signal-to-quantization-noise ratio of the outputs in dB, with all errors before it."""
        return decibels(self.signal, self.noise)

    @property
    def local_sqnr(self) -> float:
        """The same in dB for the error that the layer itself adds; NaN if it was not measured."""
        return decibels(self.local_signal, self.local_noise)

    @property
    def rms_error(self) -> float:
        """Root of the mean square of the cumulative error, in the unit of the outputs."""
        return math.sqrt(self.noise / self.elements) if self.elements else math.nan

    @property
    def local_rms_error(self) -> float:
        """Root of the mean square of the local error, in the unit of the outputs."""
        return math.sqrt(self.local_noise / self.elements) if self.elements else math.nan

    @property
    def weight_sqnr(self) -> float | None:
        """Signal-to-quantization-noise ratio of the weight alone, in dB."""
        if self.weight is None or self.quantized_weight is None:
            return None
        return sqnr(self.weight, self.quantized_weight)

    @property
    def sample(self) -> np.ndarray:
        """Float outputs for a histogram, shape (n,)."""
        return np.concatenate(self.samples) if self.samples else np.empty(0, np.float32)

    def _doubles(self, argument: str, values: Any) -> np.ndarray:
        return real_values(values, argument).astype(np.float64)

    def add(self, reference: np.ndarray, output: Tensor, local: np.ndarray | None = None) -> None:
        """Add one call to the statistics.

        Parameters
        ----------
        reference : ndarray of float32
            Output of the layer in the float model.
        output : Tensor or QuantizedTensor
            Output of the quantized layer, of the same shape.
        local : ndarray of float32, optional
            Output of the float layer for the quantized layer's input.
        """
        x, y = self._doubles("reference", reference), self._doubles("output", output)
        alone = None if local is None else self._doubles("local", local)
        for name, values in (("output", y), ("local", alone)):
            if values is not None and values.shape != x.shape:
                raise ShapeError(
                    argument=name,
                    expected=f"of shape {x.shape}, that of `reference`",
                    got=values.shape,
                )
        self.signal += energy(x)
        self.noise += energy(difference(x, y))
        if alone is not None:
            self.local_signal += energy(alone)
            self.local_noise += energy(difference(alone, y))
        self.elements += x.size
        self.samples.append(x.reshape(-1)[:: -(-x.size // _SAMPLE) or 1].astype(np.float32))
        if isinstance(output, QuantizedTensor) and output.axis is None:
            self.output = output
            low, high = representable(output)
            half = output.scale / 2
            self.clipped += int(np.count_nonzero((x < low - half) | (x > high + half)))
            self.clipped_noise += energy(difference(x, np.clip(x, low, high)))
            # The zero point is an exact zero, as ReLU makes many, even where it is an end.
            ends = {output.dtype.quant_min, output.dtype.quant_max} - {output.zero_point}
            self.saturated += int(np.isin(output.array, sorted(ends)).sum())


def representable(tensor: QuantizedTensor) -> tuple[float, float]:
    """Return the smallest and largest real value of a tensor that is quantized per tensor."""
    low, high = tensor.dtype.quant_min, tensor.dtype.quant_max
    return (low - tensor.zero_point) * tensor.scale, (high - tensor.zero_point) * tensor.scale
