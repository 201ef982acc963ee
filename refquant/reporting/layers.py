"""Layer by layer: a float model and its quantized form, run side by side on the same data."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refquant.errors import ArgumentError
from refquant.reporting.measures import decibels, real_values, sqnr
from refquant.tape import no_grad
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Comparison", "Layer", "compare"]

_SAMPLE = 50_000  # float values kept of each layer and batch, for histograms


@dataclass
class Layer:
    """What happened in one layer.

    Attributes
    ----------
    name, kind : str
        Name and class of the quantized module.
    output : QuantizedTensor or None
        Output for the last batch; None where the layer gives floats (dynamic quantization).
    signal, noise : float
        Energy of the float outputs, and of the differences to them.
    elements, clipped : int
        Float outputs seen, and how many of them no integer of the output can stand for.
    samples : list of ndarray of float32
        Some float outputs of each batch.
    weight : ndarray of float32 or None
        The float weight.
    quantized_weight : QuantizedTensor or None
        The quantized weight.
    """

    name: str
    kind: str
    output: Any = None
    signal: float = 0.0
    noise: float = 0.0
    elements: int = 0
    clipped: int = 0
    samples: list[np.ndarray] = field(default_factory=list, repr=False)
    weight: Any = field(default=None, repr=False)
    quantized_weight: Any = field(default=None, repr=False)

    @property
    def sqnr(self) -> float:
        """Signal-to-quantization-noise ratio of the outputs in dB, with all errors before it."""
        return decibels(self.signal, self.noise)

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

    def add(self, reference: np.ndarray, output: Tensor) -> None:
        """Count one batch of float outputs and the quantized model's outputs for it."""
        x, y = reference.astype(np.float64), real_values(output).astype(np.float64)
        self.signal += float(np.sum(x * x))
        self.noise += float(np.sum((x - y) ** 2))
        self.elements += x.size
        self.samples.append(reference.reshape(-1)[:: -(-x.size // _SAMPLE) or 1].copy())
        if isinstance(output, QuantizedTensor) and output.axis is None:
            self.output = output
            low, high = representable(output)
            half = output.scale / 2
            self.clipped += int(np.count_nonzero((x < low - half) | (x > high + half)))


def representable(tensor: QuantizedTensor) -> tuple[float, float]:
    """Smallest and largest real number that a tensor, quantized per tensor, can stand for."""
    low, high = tensor.dtype.quant_min, tensor.dtype.quant_max
    return (low - tensor.zero_point) * tensor.scale, (high - tensor.zero_point) * tensor.scale


@dataclass
class Comparison:
    """A quantized model beside the float one.

    Attributes
    ----------
    layers : tuple of Layer
        In the order in which they ran first.
    reference, values : tuple of ndarray
        Outputs of the float and of the quantized model, one for each batch.
    """

    layers: tuple[Layer, ...]
    reference: tuple[np.ndarray, ...] = field(repr=False)
    values: tuple[np.ndarray, ...] = field(repr=False)

    @property
    def quantized(self) -> Iterator[tuple[Layer, QuantizedTensor]]:
        """The layers whose output is quantized, each with the output."""
        return ((layer, layer.output) for layer in self.layers if layer.output is not None)

    @property
    def weighted(self) -> Iterator[tuple[Layer, np.ndarray, QuantizedTensor]]:
        """The layers that have a weight, each with it before and after quantization."""
        return (
            (layer, layer.weight, layer.quantized_weight)
            for layer in self.layers
            if layer.weight is not None and layer.quantized_weight is not None
        )

    @property
    def sqnr(self) -> float:
        """Signal-to-quantization-noise ratio of the models' outputs in dB."""
        return sqnr(np.concatenate(self.reference), np.concatenate(self.values))


@contextmanager
def _outputs(model: Any, *, made_anew: bool) -> Iterator[dict[str, Any]]:
    """Collect the tensors that the modules of a model return, while the block runs.

    With `made_anew`, modules that hand their input on, such as an Identity, are left out.
    """
    found: dict[str, Any] = {}
    handles = []

    def keep(name):
        def hook(module, inputs, output):
            handed_on = made_anew and any(output is value for value in inputs)
            if isinstance(output, Tensor) and not handed_on:
                # A copy, because the next module may work in place.
                found[name] = output.clone()

        return hook

    try:
        for name, module in model.named_modules():
            handles.append(module.register_forward_hook(keep(name)))
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _weight(module: Any) -> Any:
    """Weight of a layer; a fused float pair keeps it in its first part."""
    weight = getattr(module, "weight", None)
    if weight is None and hasattr(module, "__getitem__") and len(module):
        weight = getattr(module[0], "weight", None)
    return weight() if callable(weight) else weight


def _is_layer(module: Any, output: Any) -> bool:
    return isinstance(output, QuantizedTensor) or isinstance(_weight(module), QuantizedTensor)


def compare(float_model: Any, quantized_model: Any, batches: Iterable[Any]) -> Comparison:
    """Run both models on the same data and compare the outputs of every quantized layer.

    Layers are matched by their names, so `float_model` should be the model that was prepared,
    after `fuse_modules` and before `prepare`.

    Parameters
    ----------
    float_model, quantized_model : Module
        In evaluation mode; neither is changed.
    batches : iterable
        Inputs of the models.

    Returns
    -------
    Comparison

    Raises
    ------
    ArgumentError
        If there is no batch.

    Examples
    --------
    >>> from refquant import nn, randn, manual_seed
    >>> from refquant.quantization import quantize_dynamic
    >>> from refquant.reporting import compare
    >>> _ = manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(8, 4)).eval()
    >>> layer, = compare(model, quantize_dynamic(model), [randn(16, 8)]).layers
    >>> layer.name, layer.kind, 30 < layer.sqnr < 60
    ('0', 'Linear', True)
    """
    layers: dict[str, Layer] = {}
    reference, values = [], []
    originals = dict(float_model.named_modules())
    modules = dict(quantized_model.named_modules())
    with no_grad():
        for batch in batches:
            with _outputs(float_model, made_anew=False) as expected:
                reference.append(real_values(float_model(batch)).copy())
            with _outputs(quantized_model, made_anew=True) as found:
                values.append(real_values(quantized_model(batch)).copy())
            for name, output in found.items():
                if name in expected and _is_layer(modules[name], output):
                    layer = layers.setdefault(name, Layer(name, type(modules[name]).__name__))
                    layer.add(expected[name].array, output)
    if not reference:
        raise ArgumentError(
            "compare",
            argument="batches",
            expected="at least one batch",
            got="none",
            mend="pass a list of input tensors; a generator can be walked only once",
        )
    # A container is told by its parts.
    chosen = tuple(
        layer
        for name, layer in layers.items()
        if not any(
            other.startswith(f"{name}." if name else "") for other in layers if other != name
        )
    )
    for layer in chosen:
        weight = _weight(modules[layer.name])
        if isinstance(weight, QuantizedTensor):
            layer.quantized_weight = weight
            layer.weight = real_values(_weight(originals[layer.name])).copy()
    return Comparison(chosen, tuple(reference), tuple(values))
