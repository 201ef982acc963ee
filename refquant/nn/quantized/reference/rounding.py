"""Weights that stay float and are rounded whenever they are used."""

from collections.abc import Mapping
from typing import Any, Self, cast

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, ArgumentTypeError, NotSupportedError
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.state import numbers
from refquant.ops.from_data import plain_dtype
from refquant.ops.quantized.affine import quantize_per_channel, quantize_per_tensor
from refquant.tensors import Tensor

__all__ = [
    "PARTS",
    "OneWeight",
    "USUAL",
    "check_place",
    "keep_parameters",
    "keep_several",
    "quantized",
    "rounded",
]

# What PyTorch takes if nothing is given.
USUAL: dict[str, Any] = {
    "qscheme": dtypes.per_tensor_affine,
    "dtype": dtypes.quint8,
    "scale": 1.0,
    "zero_point": 0,
}
CHANNELS = (dtypes.per_channel_affine, dtypes.per_channel_affine_float_qparams)
# Parts of a quantizer in a state, and what numbers are kept in.
_PARTS: dict[str, Any] = {
    "qscheme": None,
    "dtype": None,
    "scale": np.float32,
    "zero_point": np.int32,
    "axis": np.int32,
}
INTEGERS = (dtypes.quint8, dtypes.qint8, dtypes.qint32)


def check_place(device: Any, dtype: Any) -> None:
    """Raise unless a module is to be on the processor, in float32."""
    if device is not None:
        dtypes.device(device)
    if dtype is not None and plain_dtype(dtype) is not dtypes.float32:
        raise ArgumentError(argument="dtype", expected="refquant.float32", got=dtype)


def _entry(argument: str, parameters: Mapping[str, Any], name: str) -> Any:
    if name not in parameters:
        raise ArgumentError(
            argument=argument,
            expected=f"an entry {name!r}",
            got=", ".join(map(repr, parameters)) or "no entries",
            hint="give qscheme, dtype, scale and zero_point, and axis of weights per channel",
        )
    return parameters[name]


def _numbers(value: Any, storage: type) -> Tensor:
    """Copy numbers: those of a tensor keep their dtype."""
    if isinstance(value, Tensor):
        return Tensor(value.array.copy())
    return Tensor(np.array(value, storage))


def _check_eager(decomposed: Any) -> bool:
    if arguments.flag("is_decomposed", decomposed):
        raise NotSupportedError(
            argument="is_decomposed",
            expected="False",
            got="True, whose operations are those of graph mode",
            hint="leave it out: the numbers are those of quantize_per_tensor and "
            "quantize_per_channel",
        )
    return False


def _checked(argument: str, parameters: Any, schemes: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return scheme and dtype, or raise."""
    if not isinstance(parameters, Mapping):
        raise ArgumentTypeError(
            argument=argument,
            expected="a mapping with qscheme, dtype, scale and zero_point",
            got=arguments.describe(parameters),
        )
    scheme, dtype = _entry(argument, parameters, "qscheme"), _entry(argument, parameters, "dtype")
    if not any(scheme is known for known in (None, dtypes.per_tensor_affine, *schemes)):
        raise ArgumentError(
            argument=f"{argument}['qscheme']",
            expected=" or ".join(map(str, (None, dtypes.per_tensor_affine, *schemes))),
            got=arguments.describe(scheme),
            hint="integers of symmetric schemes are those of the affine scheme with their zero "
            "point",
        )
    if not isinstance(dtype, dtypes.dtype):
        raise ArgumentTypeError(
            argument=f"{argument}['dtype']", expected="a dtype", got=arguments.describe(dtype)
        )
    return scheme, dtype


def keep_parameters(
    module: Module,
    name: str,
    parameters: Any,
    argument: str = "weight_qparams",
    schemes: tuple[Any, ...] = CHANNELS,
    bare: bool = False,
) -> None:
    """Keep how a weight is rounded, as attributes and buffers of the module, and try it.

    Parameters
    ----------
    module : Module
    name : str
        The weight; names of attributes begin with it.
    parameters : mapping
        Its scheme, dtype, scale, zero point and axis.
    argument : str
        What errors call it.
    schemes : tuple of qscheme
        Schemes per channel that are known.
    bare : bool
        Whether a weight that is not rounded has no buffers, as in recurrent modules.
    """
    scheme, dtype = _checked(argument, parameters, schemes)
    setattr(module, f"{name}_qscheme", scheme)
    setattr(module, f"{name}_dtype", dtype)
    if bare and scheme is None:
        return
    scale, zero_point, axis = 1.0, 0, 0
    if scheme is not None and dtype.is_quantized:
        scale = _entry(argument, parameters, "scale")
        zero_point = _entry(argument, parameters, "zero_point")
        axis = _entry(argument, parameters, "axis") if scheme.is_per_channel else 0
    module.register_buffer(f"{name}_scale", _numbers(scale, np.float32))
    module.register_buffer(f"{name}_zero_point", _numbers(zero_point, np.int32))
    axis = int(arguments.integer(f"{argument}['axis']", _number(axis)))
    module.register_buffer(f"{name}_axis", Tensor(np.array(axis, np.int32)))
    setattr(module, f"{name}_axis_int", axis)
    rounded(module, name)


def _number(value: Any) -> Any:
    return value.array.item() if isinstance(value, Tensor) and value.array.size == 1 else value


def keep_several(module: Module, names: list[str], parameters: Any) -> None:
    """Keep how the weights of a recurrent module are rounded."""
    if parameters is None:
        parameters = dict.fromkeys(names, USUAL)
    if not isinstance(parameters, Mapping):
        raise ArgumentTypeError(
            argument="weight_qparams_dict",
            expected="a mapping from names of weights to their parameters",
            got=arguments.describe(parameters),
        )
    given = [name for name in parameters if name != "is_decomposed"]
    if sorted(map(str, given)) != sorted(names):
        raise ArgumentError(
            argument="weight_qparams_dict",
            expected=f"parameters of {', '.join(names)}",
            got=f"those of {', '.join(map(str, given)) or 'none'}",
        )
    cast(Any, module).is_decomposed = _check_eager(parameters.get("is_decomposed", False))
    for name in names:
        place = f"weight_qparams_dict[{name!r}]"
        keep_parameters(module, name, parameters[name], place, CHANNELS[:1], bare=True)


def quantized(module: Module, name: str) -> Tensor:
    """Quantize a weight as the module keeps it; one of float16 is rounded to that."""
    weight = Tensor(getattr(module, name).array)
    scheme, dtype = getattr(module, f"{name}_qscheme"), getattr(module, f"{name}_dtype")
    if dtype is dtypes.float16:
        with np.errstate(over="ignore"):
            return Tensor(weight.array.astype(np.float16))
    scale: Any = getattr(module, f"{name}_scale", None)
    zero_point: Any = getattr(module, f"{name}_zero_point", None)
    if scheme is dtypes.per_tensor_affine and dtype in INTEGERS:
        return quantize_per_tensor(weight, scale, zero_point, dtype)
    if scheme in CHANNELS and dtype in (*INTEGERS, dtypes.quint4x2):
        axis = getattr(module, f"{name}_axis_int")
        return quantize_per_channel(weight, scale, zero_point, axis, dtype)
    raise ArgumentError(
        argument="weight_qparams",
        expected="quint8, qint8 or qint32, per channel also quint4x2, or float16",
        got=f"{dtype} with the scheme {scheme}",
    )


def rounded(module: Module, name: str) -> Tensor:
    """Quantize and dequantize a weight; without a scheme it is the weight itself."""
    if getattr(module, f"{name}_qscheme") is None:
        return getattr(module, name)
    result = quantized(module, name)
    return result.dequantize() if result.is_quantized else Tensor(result.array.astype(np.float32))


def _try(module: Module, parameters: Mapping[str, Any]) -> bool:
    keep_parameters(module, "weight", parameters)
    return True


class OneWeight(Module):
    """Base class of modules with one weight, which is rounded whenever it is used.

    Attributes
    ----------
    weight_qscheme : qscheme or None
        None if the weight is not rounded.
    weight_dtype : dtype
    weight_scale, weight_zero_point, weight_axis : Tensor
        Buffers: the quantizer of the weight.
    """

    _IS_REFERENCE = True
    weight: Any

    def _keep(self, weight_qparams: Any) -> None:
        given = USUAL if weight_qparams is None else weight_qparams
        keep_parameters(self, "weight", given)
        self.is_decomposed = _check_eager(given.get("is_decomposed", False))
        self.weight_quant_min = given.get("quant_min")
        self.weight_quant_max = given.get("quant_max")

    def _share(self, module: Any) -> Self:
        """Take over the parameters of a float module."""
        self.weight = Parameter(module.weight.detach())
        if getattr(module, "bias", None) is not None:
            self.bias = Parameter(module.bias.detach())
        return self

    def get_weight(self) -> Tensor:
        """Quantize and dequantize the weight."""
        return rounded(self, "weight")

    def get_quantized_weight(self) -> Tensor:
        """Quantize the weight."""
        return quantized(self, "weight")

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}(Reference)"

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in ("weight_qscheme", "weight_dtype"):
            destination[prefix + name] = getattr(self, name)

    def _load_from_state_dict(self, report, prefix: str) -> None:
        """Compare with a state, which brings a quantizer of its own."""
        for name, tensor in self._parameters.items():
            if tensor is not None:
                report.copy_into(prefix + name, tensor)
        given: dict[str, Any] = {}
        for part, storage in _PARTS.items():
            key = f"{prefix}weight_{part}"
            value = report.take(key)
            if storage is not None and key in report.state:
                kept = value.array.dtype if isinstance(value, Tensor) else storage
                array = numbers(report, key, value, kept)
                value = None if array is None else Tensor(array)
            if key in report.state:
                given[part] = value
        if len(given) == len(_PARTS) and None not in (given["scale"], given["zero_point"]):
            tried = Module()
            tried.weight = self.weight
            key = f"{prefix}weight_scale"
            if report.attempt(key, _try, tried, given) is not None:
                report.change(lambda: keep_parameters(self, "weight", given))


# Recurring documentation, for `document`.
PARTS = {
    "reference_settings": """
device, dtype : optional
    Only 'cpu' and float32.
weight_qparams : mapping, optional
    How the weight is rounded: `qscheme` (`refquant.per_tensor_affine`, `per_channel_affine`,
    `per_channel_affine_float_qparams`, or None for not at all), `dtype`, `scale`, `zero_point`, and
    `axis` of weights per channel. By default scale 1 and zero point 0 of quint8.
""",
    "reference_attributes": """
weight_qscheme, weight_dtype
    How the weight is rounded; the scheme is None if it is not.
weight_scale, weight_zero_point, weight_axis : Tensor
    Buffers: its quantizer.
""",
    "reference_weights": """
device, dtype : optional
    Only 'cpu' and float32.
weight_qparams_dict : mapping, optional
    For each weight by its name, how it is rounded: `qscheme` (`refquant.per_tensor_affine`,
    `per_channel_affine`, or None for not at all), `dtype`, `scale`, `zero_point`, and `axis` of
    weights per channel. By default scale 1 and zero point 0 of quint8.
""",
}
