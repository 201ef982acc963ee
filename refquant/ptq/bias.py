r"""Bias correction: take the mean error that rounded weights cause out of the bias.

A layer with the rounded weight :math:`\tilde W` and input :math:`\tilde x`, both of the quantized
network, is off by a constant, before any ReLU:

.. math:: E[\tilde W \tilde x] - E[W x] ,

a number for each output channel, which is subtracted from its bias. Layers are corrected in the
order in which they run, each behind those that were corrected before it. Source: M. Nagel et al.,
"Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2 and
appendix D.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.nn import quantized as nnq
from refquant.nn.convolution import Conv2d
from refquant.nn.linear import Linear
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.quantization._checks import checked_model
from refquant.quantization.calibration import run_first
from refquant.reporting.calls import recorded
from refquant.tensors import Tensor
from refquant.tensors.autograd import no_grad

__all__ = ["bias_correction"]


def bias_correction(float_model: Module, quantized_model: Module, batches: Iterable[Any]) -> Module:
    """Subtract the mean errors of layers from their biases, those of fused ReLUs as well.

    Parameters
    ----------
    float_model : Module
        As it was prepared: fused, in evaluation mode.
    quantized_model : Module
        What was made of it, with `Linear` and `Conv2d` layers of the same names; stays as it is.
    batches : iterable of Tensor, or of (Tensor, ...)
        Inputs, or pairs that begin with one.

    Returns
    -------
    Module
        A copy of `quantized_model`. A layer without a bias has one afterwards.

    Raises
    ------
    ArgumentError
        If there are no such layers.

    Notes
    -----
    PyTorch's function, `refquant.quantization.correct_bias.bias_correction`, compares outputs, and
    passes over layers with a fused ReLU, behind which the mean says nothing about the bias.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> from refquant.ptq import bias_correction
    >>> net = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    >>> model = quantization.QuantWrapper(net).eval()
    >>> model = quantization.fuse_modules(model, [["module.0", "module.1"]])
    >>> model.qconfig, x = quantization.default_qconfig, refquant.rand(64, 8)
    >>> quantized = quantization.quantize(model, lambda model, data: model(data), [x])
    >>> corrected = bias_correction(model, quantized, [x])
    >>> shift = corrected.module[0].bias() - quantized.module[0].bias()
    >>> 0 < shift.abs().max().item() < 0.01
    True
    """
    checked_model("float_model", float_model)
    made = copy.deepcopy(checked_model("quantized_model", quantized_model))
    data = list(arguments.iterable("batches", batches))
    originals = {name: _layer(module) for name, module in float_model.named_modules()}
    inputs = _inputs(float_model, data)
    names = [
        name
        for name in _inputs(made, data)
        if originals.get(name) is not None
        and isinstance(made.get_submodule(name), nnq.Linear | nnq.Conv2d)
    ]
    if not names:
        raise ArgumentError(
            argument="quantized_model",
            expected="linear layers or convolutions that were made of those of the float model",
            got="none that ran",
            hint="pass the float model as it was prepared, and what convert() made of it",
        )
    for name in names:
        module, layer = made.get_submodule(name), originals[name]
        rounded = copy.deepcopy(layer)
        rounded.weight = Parameter(module.weight().dequantize())
        error = _mean(rounded, _inputs(made, data)[name]) - _mean(layer, inputs[name])
        bias = module.bias()
        before = np.zeros_like(error) if bias is None else bias.detach().array
        corrected = (before - error).astype(np.float32)
        module.set_weight_bias(module.weight(), Tensor(corrected))
    return made


def _layer(module: Module) -> Any:
    """Return a float layer, that of a fused pair, or None."""
    first = next(iter(module.children()), None)
    return next((m for m in (module, first) if isinstance(m, Linear | Conv2d)), None)


def _inputs(model: Module, data: Sequence[Any]) -> dict[str, list[Tensor]]:
    """Return the inputs of all modules, dequantized, in the order in which they first run."""
    with no_grad(), recorded(model, inputs=True) as calls:
        for batch in data:
            run_first(model, batch)
    return {name: [call.inputs[0] for call in made] for name, made in calls.items()}


def _mean(layer: Any, inputs: Sequence[Tensor]) -> np.ndarray:
    """Return the mean output of each channel, in float64."""
    with no_grad():
        outputs = [layer(x).array.astype(np.float64) for x in inputs]
    axis = 1 if isinstance(layer, Conv2d) else -1
    rows = [np.moveaxis(y, axis, -1).reshape(-1, y.shape[axis]) for y in outputs]
    return np.concatenate(rows).mean(axis=0)
