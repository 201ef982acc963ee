"""Which quantized type stands for a type of modules, and which operation for a function."""

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from typing import Any

from refquant import arguments, nn
from refquant.errors import ArgumentError
from refquant.nn import functional
from refquant.ops import quantized
from refquant.quantization import mappings
from refquant.quantization.fake_quantization.defaults import (
    default_fixed_qparams_range_0to1_fake_quant,
    default_fixed_qparams_range_neg1to1_fake_quant,
)

__all__ = [
    "get_default_float_to_quantized_operator_mappings",
    "get_dynamic_quant_module_class",
    "get_quantized_operator",
    "get_static_quant_module_class",
]

# What rounds the output in training, of modules whose output has a range that is known before.
DEFAULT_MODULE_TO_ACT_POST_PROCESS: dict[type[nn.Module], Any] = {
    nn.Hardsigmoid: default_fixed_qparams_range_0to1_fake_quant,
    nn.Sigmoid: default_fixed_qparams_range_0to1_fake_quant,
    nn.Softmax: default_fixed_qparams_range_0to1_fake_quant,
    nn.Tanh: default_fixed_qparams_range_neg1to1_fake_quant,
}
_NAMES = ("elu", "hardswish", "instance_norm", "layer_norm", "leaky_relu", "dropout")
DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS: dict[Any, Any] = {
    getattr(functional, name): getattr(quantized, name)
    for name in _NAMES
    if hasattr(functional, name) and hasattr(quantized, name)
}


def get_default_float_to_quantized_operator_mappings() -> dict[Callable, Callable]:
    """Get which operation of `refquant.ops.quantized` stands for which function.

    Returns
    -------
    dict of function to function
        A copy.

    Examples
    --------
    >>> from refquant import quantization
    >>> mapping = quantization.get_default_float_to_quantized_operator_mappings()
    >>> any(function.__name__ == "elu" for function in mapping)
    True
    """
    return dict(DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS)


def get_quantized_operator(float_op) -> Callable:
    """Get the operation of `refquant.ops.quantized` that stands for a function.

    Parameters
    ----------
    float_op : function
        Of `refquant.nn.functional`.

    Returns
    -------
    function

    Raises
    ------
    ArgumentError
        If there is none.

    Examples
    --------
    >>> from refquant import ops, quantization
    >>> from refquant.nn import functional as F
    >>> quantization.get_quantized_operator(F.elu) is ops.quantized.elu
    True
    """
    for function, operation in DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS.items():
        if function is float_op:
            return operation
    raise ArgumentError(
        argument="float_op",
        expected="a function that has a quantized counterpart: "
        + ", ".join(f.__name__ for f in DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS),
        got=getattr(float_op, "__name__", type(float_op).__name__),
    )


def _class_of(mapping: AnyMapping, float_module_class: type, additional: AnyMapping | None) -> type:
    arguments.instance("float_module_class", float_module_class, type, "a type of modules")
    added = {} if additional is None else arguments.mapping("additional mapping", additional)
    mapping = {**mapping, **added}
    if float_module_class not in mapping:
        raise ArgumentError(
            argument="float_module_class",
            expected="a type that has a quantized counterpart",
            got=getattr(float_module_class, "__name__", repr(float_module_class)),
            hint="give the mapping an entry for it",
        )
    return mapping[float_module_class]


def get_static_quant_module_class(
    float_module_class: Any, additional_static_quant_mapping: Any = None, is_reference: Any = False
) -> type:
    """Get the type that ``convert`` replaces a type of modules by.

    Parameters
    ----------
    float_module_class : type
    additional_static_quant_mapping : mapping of type to type, optional
        Entries that win over the default ones.
    is_reference : bool, default False
        Whether the type is one of `refquant.nn.quantized.reference`.

    Returns
    -------
    type

    Raises
    ------
    ArgumentError
        If there is none.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> quantization.get_static_quant_module_class(nn.Linear)
    <class 'refquant.nn.quantized.linear.Linear'>
    """
    reference = arguments.switch("is_reference", is_reference)
    mapping = mappings.reference() if reference else mappings.default("static")
    return _class_of(mapping, float_module_class, additional_static_quant_mapping)


def get_dynamic_quant_module_class(
    float_module_class: Any, additional_dynamic_quant_mapping: Any = None
) -> type:
    """Get the type that ``quantize_dynamic`` replaces a type of modules by.

    Parameters
    ----------
    float_module_class : type
    additional_dynamic_quant_mapping : mapping of type to type, optional
        Entries that win over the default ones.

    Returns
    -------
    type

    Raises
    ------
    ArgumentError
        If there is none.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> quantization.get_dynamic_quant_module_class(nn.LSTM)
    <class 'refquant.nn.quantized.dynamic.recurrent.LSTM'>
    """
    mapping = mappings.default("dynamic")
    return _class_of(mapping, float_module_class, additional_dynamic_quant_mapping)
