"""Comparison of a float model and its quantized form, layer by layer on the same data."""

import math
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, ShapeError
from refquant.nn.containers import Identity
from refquant.nn.module import Module
from refquant.nn.quantized import DeQuantize
from refquant.progress import Progress
from refquant.quantization._checks import checked_model
from refquant.quantization.calibration import run_first
from refquant.reporting.calls import Call, first_tensor, recorded
from refquant.reporting.float_layers import fused_alike
from refquant.reporting.layers import Layer
from refquant.reporting.measures import decibel_text, real_values, sqnr
from refquant.reporting.tables import Table
from refquant.tensors import QuantizedTensor, Tensor
from refquant.tensors.autograd import no_grad

__all__ = ["Comparison", "compare"]


@dataclass(repr=False)
class Comparison:
    """A quantized model compared with the float one; shown as a table.

    Attributes
    ----------
    layers : tuple of Layer
        In the order in which they first ran.
    reference, values : tuple of ndarray
        Outputs of the float and of the quantized model, one for each batch; the first tensor if
        there are several.

    Examples
    --------
    >>> from refquant import nn, randn, manual_seed
    >>> from refquant.quantization import quantize_dynamic
    >>> from refquant.reporting import compare
    >>> _ = manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(8, 4)).eval()
    >>> comparison = compare(model, quantize_dynamic(model), [randn(16, 8)])
    >>> [layer.name for layer in comparison.worst()]
    ['0']
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
        flat = (np.concatenate([v.ravel() for v in part]) for part in (self.reference, self.values))
        return sqnr(*flat)

    def worst(self, count: int = 5) -> tuple[Layer, ...]:
        """Return the layers that add most error: those of lowest local SQNR, the worst first.

        Parameters
        ----------
        count : int, default 5
            How many at most. Layers without a finite SQNR, such as those without any error, are
            left out.

        Returns
        -------
        tuple of Layer
        """
        count = arguments.integer("count", count, 0)
        finite = [layer for layer in self.layers if math.isfinite(layer.local_sqnr)]
        return tuple(sorted(finite, key=lambda layer: layer.local_sqnr)[:count])

    def table(self) -> Table:
        """Make a table with a row for each layer.

        Returns
        -------
        Table
        """
        return Table(
            f"Layers of the quantized model; its output has {decibel_text(self.sqnr)} dB",
            (
                "layer",
                "module",
                "scale",
                "zero point",
                "weight SQNR dB",
                "local SQNR dB",
                "total SQNR dB",
                "local error",
                "total error",
                "clipped",
                "saturated",
                "elements",
            ),
            [_row(layer) for layer in self.layers],
            "local: what the layer adds to its input; total: with all errors before it. Errors are "
            "root mean\nsquares in the unit of the outputs. clipped: float values out of range; "
            "saturated: integers at its ends, exact zeros aside.",
        )

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _row(layer: Layer) -> tuple[str, ...]:
    output = layer.output
    return (
        layer.name or "(model)",
        layer.kind,
        "-" if output is None else f"{output.scale:.6g}",
        "-" if output is None else str(output.zero_point),
        decibel_text(layer.weight_sqnr),
        decibel_text(layer.local_sqnr),
        decibel_text(layer.sqnr),
        "-" if math.isnan(layer.local_sqnr) else f"{layer.local_rms_error:.3g}",
        f"{layer.rms_error:.3g}",
        "-" if output is None else f"{layer.clipped:,}",
        "-" if output is None else f"{layer.saturated:,}",
        f"{layer.elements:,}",
    )


def _weight(module: Any) -> Any:
    """Return the weight of a layer; a fused float module keeps it in its first module."""
    weight = getattr(module, "weight", None)
    if weight is None and hasattr(module, "__getitem__") and len(module):
        weight = getattr(module[0], "weight", None)
    return weight() if callable(weight) else weight


def _is_layer(module: Module, original: Module, output: Tensor) -> bool:
    """Return whether a module computes in integers, by its output, its weight or its class."""
    if isinstance(output, QuantizedTensor) or isinstance(_weight(module), QuantizedTensor):
        return True
    swapped = type(module) is not type(original) and hasattr(module, "from_float")
    return swapped and not isinstance(module, DeQuantize)


def _local(original: Module, call: Call) -> np.ndarray | None:
    """Run the float layer on the input of the quantized one."""
    run = original if call.method == "forward" else getattr(original, call.method)
    tensor = first_tensor(run(*call.inputs))
    return None if tensor is None else tensor.array


def _check_correspondence(originals: dict[str, Module], modules: dict[str, Module]) -> None:
    """Raise if layers of the float model are not fused as those of the quantized one."""
    for name, module in modules.items():
        original = originals.get(name)
        if isinstance(module, Identity) and not isinstance(original, Identity | None):
            raise ArgumentError(
                argument="float_model",
                expected=f"a model whose {name!r} was fused, as in the quantized model",
                got=f"one whose {name!r} is a {type(original).__name__}",
                hint="pass the float model as it was prepared, after fuse_modules()",
            )


def compare(
    float_model: Any,
    quantized_model: Any,
    batches: Iterable[Any],
    *,
    run: Callable[[Any, Any], Any] | None = None,
    show: bool | None = False,
) -> Comparison:
    """Run both models on the same data and compare the outputs of every quantized layer.

    Layers are matched by their names. `float_model` should be the model before `prepare`; where
    modules of the quantized model were fused and its own were not, a copy is fused alike.

    Parameters
    ----------
    float_model, quantized_model : Module
        They run in evaluation mode and without gradients; afterwards both are as before.
    batches : iterable
        Each is an input of the models, or a pair of input and target; read once.
    run : callable, optional
        Called as ``run(model, batch)`` to run a batch of another form and return the output.
    show : bool, optional
        Whether to draw a progress bar; None draws one on a terminal.

    Returns
    -------
    Comparison

    Raises
    ------
    ArgumentTypeError
        If one of the models is not a Module.
    ArgumentError
        If there is no batch, or no layers of the models correspond.
    ShapeError
        If corresponding layers return different shapes.

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
    checked_model("float_model", float_model)
    checked_model("quantized_model", quantized_model)
    arguments.iterable("batches", batches)
    if run is not None:
        arguments.function("run", run, 2, "a model and a batch are handed to it")
    show = arguments.flag_or_none("show", show)
    float_model = fused_alike(float_model, quantized_model)
    originals = dict(float_model.named_modules())
    modules = dict(quantized_model.named_modules())
    _check_correspondence(originals, modules)
    layers: dict[str, Layer] = {}
    reference, values = [], []
    modes = [(m, m.training) for model in (float_model, quantized_model) for m in model.modules()]
    float_model.eval()
    quantized_model.eval()
    total = len(batches) if isinstance(batches, Sized) else None
    try:
        with no_grad(), Progress("comparing", total, show=show) as bar:
            for batch in batches:
                with recorded(float_model, inputs=False) as expected:
                    reference.append(_output(float_model, batch, run))
                with recorded(quantized_model, inputs=True) as actual:
                    values.append(_output(quantized_model, batch, run))
                for name, calls in actual.items():
                    if name in expected and _is_layer(
                        modules[name], originals[name], calls[0].output
                    ):
                        layer = layers.setdefault(name, Layer(name, type(modules[name]).__name__))
                        _count(layer, originals[name], expected[name], calls)
                bar.advance()
    finally:
        for module, training in modes:
            module.training = training
    if not reference:
        raise ArgumentError(
            argument="batches",
            expected="at least one batch",
            got="none",
            hint="pass a list of input tensors; a generator can be read only once",
        )
    chosen = _without_containers(layers)
    if not chosen:
        raise ArgumentError(
            argument="float_model, quantized_model",
            expected="models with layers of the same names, some of them quantized",
            got="no such layer",
            hint="pass the float model as it was prepared, and what convert() made of it",
        )
    for layer in chosen:
        weight = _weight(modules[layer.name])
        if isinstance(weight, QuantizedTensor):
            layer.quantized_weight = weight
            layer.weight = real_values(_weight(originals[layer.name])).copy()
    return Comparison(chosen, tuple(reference), tuple(values))


def _without_containers(layers: dict[str, Layer]) -> tuple[Layer, ...]:
    """Leave out containers, whose modules are listed themselves."""
    return tuple(
        layer
        for name, layer in layers.items()
        if not any(
            other.startswith(f"{name}." if name else "") for other in layers if other != name
        )
    )


def _output(model: Module, batch: Any, run: Any) -> np.ndarray:
    tensor = first_tensor(run(model, batch) if run is not None else run_first(model, batch))
    if tensor is None:
        raise ArgumentError(
            argument="run" if run is not None else "batches",
            expected="models that return a tensor, or several",
            got="something else",
        )
    return real_values(tensor).copy()


def _count(layer: Layer, original: Module, expected: list[Call], actual: list[Call]) -> None:
    """Count the calls of a layer in one batch."""
    for one, other in zip(expected, actual, strict=False):
        if one.output.shape != other.output.shape:
            raise ShapeError(
                argument="quantized_model",
                expected=f"an output of {layer.name!r} of shape {tuple(one.output.shape)}, as in "
                "the float model",
                got=tuple(other.output.shape),
            )
        layer.add(one.output.array, other.output, _local(original, other))
