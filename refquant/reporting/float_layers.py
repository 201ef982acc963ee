"""Which layers to keep in float: what each of them costs a quantized model."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

from refquant import arguments
from refquant.errors import RefquantError
from refquant.nn.containers import Identity
from refquant.nn.module import Module
from refquant.quantization._checks import checked_model
from refquant.quantization.fusion import fuse_modules
from refquant.reporting.measures import decibels
from refquant.reporting.simulation import Rounding, Simulation, owner
from refquant.tensors import QuantizedTensor

__all__ = ["fused_alike", "gains_in_float"]


def fused_alike(float_model: Module, quantized_model: Module) -> Module:
    """Fuse a copy of a float model as the quantized one was, if that was made of it fused.

    Where the quantized model has an `Identity` and the float model none, the module was fused into
    the last one before it of which that is not so.
    """
    modules, groups = dict(quantized_model.named_modules()), []
    for name, original in float_model.named_modules():
        if name not in modules or next(original.children(), None) is not None:
            continue
        gone = isinstance(modules[name], Identity) and not isinstance(original, Identity)
        if not gone:
            groups.append([name])
        elif groups:
            groups[-1].append(name)
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return float_model
    try:
        return fuse_modules(copy.deepcopy(float_model).eval(), groups)
    except RefquantError:
        return float_model  # It is said which modules do not correspond.


def gains_in_float(
    float_model: Any,
    quantized_model: Any,
    batches: Iterable[Any],
    *,
    run: Callable[[Any, Any], Any] | None = None,
) -> dict[str, float]:
    """Measure by how many dB the output gains when one layer is kept in float.

    The float model runs with the weights of all layers as the quantized model has them, and with
    outputs rounded by its quantizers; then without those of one layer at a time. Gains of several
    layers do not simply add up: the one of the largest error hides those of the others.

    Parameters
    ----------
    float_model : Module
        Fused as `quantized_model` was, or not fused; it stays as it is.
    quantized_model : Module
        What ``convert``, ``quantize`` or ``quantize_dynamic`` made of it.
    batches : iterable
        Each is an input of the models, or a pair of input and target; read once.
    run : callable, optional
        Called as ``run(model, batch)`` to run a batch of another form and return the output.

    Returns
    -------
    dict of str to float
        The layers by gain, the largest first; those whose weight is quantized.

    Raises
    ------
    ArgumentTypeError
        If one of the models is not a Module.

    Examples
    --------
    >>> from refquant import nn, randn, manual_seed
    >>> from refquant.quantization import quantize_dynamic
    >>> from refquant.reporting import gains_in_float
    >>> _ = manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    >>> gains = gains_in_float(model, quantize_dynamic(model), [randn(64, 8)])
    >>> sorted(gains), all(gain > 0 for gain in gains.values())
    (['0', '2'], True)
    """
    checked_model("float_model", float_model)
    checked_model("quantized_model", quantized_model)
    data = list(arguments.iterable("batches", batches))
    if run is not None:
        arguments.function("run", run, 2, "a model and a batch are handed to it")
    simulation = Simulation(fused_alike(float_model, quantized_model), data, run)
    roundings = {
        name: rounding
        for name, module in quantized_model.named_modules()
        if (rounding := _rounding(simulation.modules.get(name), module)) is not None
    }
    layers = [name for name, rounding in roundings.items() if rounding.weight is not None]
    total = simulation.noise(roundings) if layers else 0.0
    gains = {
        name: decibels(total, simulation.noise({k: v for k, v in roundings.items() if k != name}))
        for name in layers
    }
    return dict(sorted(gains.items(), key=lambda item: -item[1]))


def _rounding(original: Any, module: Any) -> Rounding | None:
    """Read from a quantized module what it rounds."""
    if original is None:
        return None
    weight = getattr(module, "weight", None)
    weight = weight() if callable(weight) else weight
    holder = owner(original)
    rounded = None
    if isinstance(weight, QuantizedTensor) and holder is not None:
        rounded = weight.dequantize() if holder.weight.shape == weight.shape else None
    scale, point = getattr(module, "scale", None), getattr(module, "zero_point", None)
    output = None
    if scale is not None and point is not None:
        output = (float(scale), int(point), 0, 255)
    return None if rounded is None and output is None else Rounding(rounded, output)
