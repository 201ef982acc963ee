"""Packed weights of recurrent modules: made from float ones, and taken apart again."""

import math
from typing import Any, Self

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ShapeError
from refquant.nn.module import Module
from refquant.nn.quantized.weights import dynamic_weight_observer, quantize_weight, reference_layer
from refquant.ops.floating import distributions
from refquant.ops.floating.generator import default_generator
from refquant.ops.quantized.affine import quantize_per_tensor
from refquant.ops.quantized.cell_params import Packed
from refquant.ops.quantized.dynamic import linear_prepack_fp16
from refquant.ops.quantized.linear_layers import linear_prepack
from refquant.tensors import Tensor

__all__ = [
    "FromReference",
    "drawn",
    "drawn_weight",
    "pack",
    "quantized_parameters",
    "unpacked_half",
]

_SETTINGS = (
    "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional",
    "nonlinearity",
)  # fmt: skip

FLOAT = np.dtype(np.float32)


def pack(dtype: dtypes.dtype, name: str, shape: tuple[int, ...], weight: Any, bias: Any) -> Packed:
    """Pack a weight of a shape, and a bias or None."""
    arguments.instance(name, weight, Tensor, "a tensor")
    if tuple(weight.shape) != shape:
        raise ShapeError(
            argument=name, expected=f"of shape {shape}", got=f"shape {tuple(weight.shape)}"
        )
    return (linear_prepack if dtype is dtypes.qint8 else linear_prepack_fp16)(weight, bias)


def drawn(*shape: int) -> Tensor:
    """Draw from the normal distribution: the first values of these modules, as in PyTorch."""
    return Tensor(distributions.normal(default_generator, math.prod(shape), FLOAT).reshape(shape))


def drawn_weight(dtype: dtypes.dtype, shape: tuple[int, ...], scale: float) -> Tensor:
    """Draw a weight, and quantize it with a scale unless it stays float."""
    weight = drawn(*shape)
    return quantize_per_tensor(weight, scale, 0, dtype) if dtype is dtypes.qint8 else weight


def unpacked_half(weight: Tensor) -> Tensor:
    """Widen a weight of float16, which float32 holds; others stay."""
    if weight.is_quantized or weight.array.dtype != np.float16:
        return weight
    return Tensor(weight.array.astype(np.float32))


class FromReference(Module):
    """Base class of recurrent modules that reference modules are made into."""

    @classmethod
    def from_reference(cls, ref_mod: Module) -> Self:
        """Make a module from a reference module, whose weights are qint8 or float16.

        Parameters
        ----------
        ref_mod : Module
            That of the same name in `refquant.nn.quantized.reference`.
        """
        needed = ("hidden_size", *cls._REFERENCE)
        layer = reference_layer("ref_mod", ref_mod, *needed)
        names = [name for name, _ in layer.named_parameters() if name.startswith("weight")]
        settings = {n: getattr(layer, n) for n in _SETTINGS if hasattr(layer, n)}
        make: Any = cls
        made = make(**settings, dtype=getattr(layer, f"{names[0]}_dtype"))
        made._take_reference(layer)
        return made.train(layer.training)

    # What a reference module of the kind has.
    _REFERENCE: tuple[str, ...] = ()

    def _take_reference(self, layer: Any) -> None:
        """Take over weights and biases."""
        raise NotImplementedError


def quantized_parameters(mod: Module, float_type: type) -> tuple[dtypes.dtype, dict[str, Tensor]]:
    """Quantize the weights of a float module, each by an observer of its own.

    Returns
    -------
    dtype : dtype
        What weights are stored in: that of the observers, qint8 or float16.
    values : dict of Tensor
        Weights and biases by name.
    """
    observe = dynamic_weight_observer(mod, float_type)
    half = getattr(observe(), "dtype", None) is dtypes.float16
    values: dict[str, Tensor] = {}
    for name, parameter in mod.named_parameters():
        value = Tensor(parameter.array)
        if name.startswith("weight") and not half:
            observer = observe()
            observer(value)
            value = quantize_weight(value, observer)
        values[name] = value
    return dtypes.float16 if half else dtypes.qint8, values
