"""From float modules to quantized weights: what every ``from_float`` shares."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refquant import dtypes, kernels
from refquant.errors import ArgumentError
from refquant.nn.containers import Sequential
from refquant.nn.module import Module
from refquant.nn.quantized.functional_modules import observed
from refquant.ops.quantized.affine import quantize_per_channel, quantize_per_tensor
from refquant.quantization.observers.base import has_observed
from refquant.quantization.observers.defaults import default_weight_observer
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "FloatLayer",
    "dynamic_weight_observer",
    "fold_normalization",
    "folded",
    "qconfig_of",
    "quantize_weight",
    "read_layer",
    "reference_layer",
    "trained_observer",
]


class FloatLayer(NamedTuple):
    """Parts of a float layer from which a quantized one is made.

    Attributes
    ----------
    module : Module
        The module that has the settings of the layer.
    weight, bias : Tensor
        float32; the bias may be None.
    observer : Module
        Chooses the quantizer of the weight, and has seen it.
    scale, zero_point : float, int
        Quantizer of the output.
    """

    module: Module
    weight: Tensor
    bias: Tensor | None
    observer: Any
    scale: float
    zero_point: int


def qconfig_of(mod: Module) -> Any:
    """Get the QConfig of a module."""
    qconfig = getattr(mod, "qconfig", None)
    if qconfig is None:
        raise ArgumentError(
            argument="mod.qconfig",
            expected="a QConfig",
            got="None",
            hint="set model.qconfig = refquant.quantization.get_default_qconfig() and call "
            "prepare() before convert()",
        )
    return qconfig


def fold_normalization(
    layer: Any, mean: Any, variance: Any, eps: float, gamma: Any, beta: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Fold a normalization into the weight and the bias of the layer before it.

    Parameters
    ----------
    layer : Module
        A convolution, transposed convolution or linear layer.
    mean, variance, gamma, beta : ndarray of float32, shape (channels,)
    eps : float

    Returns
    -------
    weight, bias : ndarray of float32
    """
    channels = mean.shape[0]
    before = np.zeros(channels, np.float32) if layer.bias is None else layer.bias.array
    # Folded into ones, the normalization gives what the weight of each channel is multiplied by.
    factor, bias = kernels.fold_batch_norm(
        np.ones((channels, 1), np.float32), before, mean, variance, float(eps), gamma, beta
    )
    weight = layer.weight.array
    if hasattr(layer, "out_features"):  # a linear layer multiplies its bias by the factor at once
        bias = (before - mean) * factor[:, 0] + beta
    if getattr(layer, "transposed", False):  # outputs of a group lie along the second dimension
        groups, (inputs, outputs, *kernel) = layer.groups, weight.shape
        of_groups = weight.reshape(groups, inputs // groups, outputs, *kernel)
        factor = factor.reshape(groups, 1, outputs, *(1,) * len(kernel))
        return (of_groups * factor).reshape(weight.shape), bias
    return weight * factor.reshape(-1, *(1,) * (weight.ndim - 1)), bias


def folded(module: Any) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a layer, with the normalization of its output folded in if it has one."""
    if hasattr(module, "normalization"):
        weight, bias = fold_normalization(module, *module.normalization())
        return Tensor(weight), Tensor(bias)
    return Tensor(module.weight.array), None if module.bias is None else Tensor(module.bias.array)


def trained_observer(mod: Any, weight: Tensor, precomputed: bool) -> Any:
    """Get the fake quantization of a weight, one that has seen it if it may observe.

    It observes once more under the workflow of PyTorch 2.13. Under that of 1.4 only what has never
    run does: it knows nothing, but the weight is there to be looked at.
    """
    rounding = mod.weight_fake_quant
    once_more = mod.workflow.observes_trained_weights and not precomputed
    may = getattr(rounding, "observer_enabled", False)
    if not may or not (once_more or not has_observed(rounding)):
        return rounding
    rounding = copy.deepcopy(rounding)
    rounding(weight)
    return rounding


def read_layer(mod: Module, float_type: type, precomputed: bool = False) -> FloatLayer:
    """Read what `mod` has to say about the quantized layer that replaces it.

    Parameters
    ----------
    mod : Module
        Exactly of `float_type`, where the observer of the output stands at a fused pair or at its
        last member; or a module of quantization-aware training, with ``weight_fake_quant``.
    float_type : type
        The float module.
    precomputed : bool
        Whether the fake quantization of a trained weight stays as it was last.

    Returns
    -------
    FloatLayer

    Raises
    ------
    ArgumentError
        If `mod` is neither, or has no QConfig.
    """
    if hasattr(mod, "weight_fake_quant"):
        weight, bias = folded(mod)
        scale, zero_point = observed(mod)
        return FloatLayer(
            mod, weight, bias, trained_observer(mod, weight, precomputed), scale, zero_point
        )
    if type(mod) is not float_type:
        raise ArgumentError(
            argument="mod",
            expected=f"exactly a {float_type.__name__}, or a module of quantization-aware training",
            got=type(mod).__name__,
            hint="subclasses may compute something else; give convert() a mapping for them",
        )
    qconfig = qconfig_of(mod)
    pair = len(mod._modules) > 1 and "0" in mod._modules
    inside = pair and "activation_post_process" not in mod._modules
    scale, zero_point = observed(mod[1] if inside else mod)  # type: ignore[index]
    module = mod[0] if pair else mod  # type: ignore[index]
    weight, bias = folded(module)
    observer = qconfig.weight()
    observer(weight)
    return FloatLayer(module, weight, bias, observer, scale, zero_point)


def reference_layer(argument: str, mod: Any, *parts: str) -> Any:
    """Get a reference module, or that of a fused pair, with what a quantized one is made of."""
    layer = mod[0] if isinstance(mod, Sequential) and len(mod) else mod
    needed = parts or ("get_quantized_weight",)
    if not (getattr(layer, "_IS_REFERENCE", False) and all(hasattr(layer, p) for p in needed)):
        raise ArgumentError(
            argument=argument,
            expected="a module of refquant.nn.quantized.reference with the same name",
            got=type(layer).__name__,
            hint="make one with from_float(mod, weight_qparams), or call from_float(mod) of the "
            "quantized type",
        )
    return layer


def dynamic_weight_observer(mod: Module, *float_types: type) -> Callable[[], Any]:
    """Get what makes the weight observers of a float module, whose type has to be exact."""
    if type(mod) not in float_types:
        raise ArgumentError(
            argument="mod",
            expected="exactly a " + " or ".join(kind.__name__ for kind in float_types),
            got=type(mod).__name__,
        )
    qconfig = getattr(mod, "qconfig", None)
    return default_weight_observer if qconfig is None else qconfig.weight


def _for_each(value: Tensor, weight: Tensor, axis: int) -> Tensor:
    """Repeat the one number that an observer without data gives, once for each channel."""
    return Tensor(np.repeat(value.array, weight.array.shape[axis]))


def quantize_weight(weight: Tensor, observer: Any) -> QuantizedTensor:
    """Quantize a weight as its observer chooses, by the rules of the engine.

    Where the observer's range of integers is narrower than that of qint8, integers are clamped
    to it.

    Parameters
    ----------
    weight : Tensor
        float32.
    observer : Module
        An observer or fake quantization that has seen the weight.

    Returns
    -------
    QuantizedTensor
        qint8, per tensor or per channel.

    Raises
    ------
    ArgumentError
        If the observer is not one for qint8.
    """
    if getattr(observer, "dtype", None) is not dtypes.qint8:
        raise ArgumentError(
            argument="mod.qconfig.weight",
            expected="an observer for refquant.qint8",
            got=getattr(observer, "dtype", type(observer).__name__),
            hint="use for example MinMaxObserver.with_args(dtype=refquant.qint8)",
        )
    scale, zero_point, *_ = observer.calculate_qparams()
    if observer.qscheme.is_per_channel:
        if not has_observed(observer):
            scale = _for_each(scale, weight, observer.ch_axis)
            zero_point = _for_each(zero_point, weight, observer.ch_axis)
        q = quantize_per_channel(weight, scale, zero_point, observer.ch_axis, dtypes.qint8)
    else:
        q = quantize_per_tensor(
            weight, float(scale.array.reshape(-1)[0]), int(zero_point.array.reshape(-1)[0]),
            dtypes.qint8,
        )  # fmt: skip
    low = getattr(observer, "quant_min", dtypes.qint8.quant_min)
    high = getattr(observer, "quant_max", dtypes.qint8.quant_max)
    if (low, high) != (dtypes.qint8.quant_min, dtypes.qint8.quant_max):
        np.clip(q.array, low, high, out=q.array)
    return q
