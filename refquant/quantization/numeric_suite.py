"""The numeric suite: how weights and outputs of a quantized model differ from the float ones.

Three questions, each a function. `compare_weights`: what did quantizing do to the weights?
`compare_model_outputs`: how far apart are the two models at each module, errors of all modules
before it included? `compare_model_stub`: what does each module add by itself, if the float module
gets the same, dequantized input? PyTorch's path is ``torch.ao.ns._numeric_suite``.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from refquant import arguments
from refquant._environment import enclose
from refquant.nn.containers import Sequential
from refquant.nn.dropout import Dropout
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.nn.quantized.dynamic.linear import Linear as DynamicLinear
from refquant.nn.quantized.dynamic.recurrent import LSTM as DynamicLSTM
from refquant.nn.quantized.functional_modules import FloatFunctional, QFunctional
from refquant.nn.quantized.linear import Linear
from refquant.quantization._checks import checked_model
from refquant.quantization._loggers import (
    Logger,
    OutputLogger,
    Pairs,
    Shadow,
    ShadowLogger,
    get_logger_dict,
    made_by,
)
from refquant.quantization._observing import NAME, observe_output
from refquant.quantization.mappings import get_default_compare_output_module_list
from refquant.quantization.preparation import prepare
from refquant.quantization.stubs import DeQuantStub

__all__ = [
    "Logger",
    "OutputLogger",
    "Shadow",
    "ShadowLogger",
    "compare_model_outputs",
    "compare_model_stub",
    "compare_weights",
    "get_default_compare_output_module_list",
    "get_logger_dict",
    "get_matching_activations",
    "prepare",
    "prepare_model_outputs",
    "prepare_model_with_stubs",
]

# Endings of the keys under which states keep a quantized weight, the longest first.
_WEIGHTS = ("._packed_params._packed_params", "._packed_params.weight", ".weight")
_OPERATIONS = ("add", "add_scalar", "mul", "mul_scalar", "cat", "add_relu")
# Modules whose own output is logged although they have submodules. PyTorch leaves fused linear
# layers out.
_WHOLE = (Fused, Linear, DynamicLinear, DynamicLSTM)


def compare_weights(float_dict: Mapping[str, Any], quantized_dict: Mapping[str, Any]) -> Pairs:
    """Pair the weights of a float model with those of the quantized model made of it.

    Parameters
    ----------
    float_dict, quantized_dict : dict of str to Tensor
        States of the two models.

    Returns
    -------
    dict of str to dict
        For each key of a weight in `quantized_dict` the weights ``"float"`` and ``"quantized"``.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(nn.Linear(2, 2))
    >>> quantized = quantization.quantize_dynamic(model)
    >>> pairs = compare_weights(model.state_dict(), quantized.state_dict())
    >>> (pair,) = pairs.values()
    >>> bool((pair["float"] - pair["quantized"].dequantize()).abs().max() < 0.01)
    True
    """
    arguments.mapping("float_dict", float_dict)
    arguments.mapping("quantized_dict", quantized_dict)
    pairs: Pairs = {}
    for key, value in quantized_dict.items():
        ending = next((e for e in _WEIGHTS if f".{key}".endswith(e)), None)
        if ending is None:
            candidates = [key] if ".weight_" in f".{key}" else []  # of an LSTM
        else:
            path = f".{key}".removesuffix(ending)
            candidates = [f"{path}.weight"[1:], f"{path}.0.weight"[1:]]  # alone, or in a fused pair
        match = next((name for name in candidates if name in float_dict), None)
        if match is not None:
            weight = value[0] if isinstance(value, tuple) else value
            pairs[key] = {"float": float_dict[match], "quantized": weight}
    return pairs


def prepare_model_with_stubs(
    float_module: Module,
    q_module: Module,
    module_swap_list: Iterable[type],
    logger_cls: Callable[[], Module],
) -> None:
    """Put a `Shadow` in the place of quantized modules whose float module is of a type.

    Parameters
    ----------
    float_module, q_module : Module
        A float model, and the quantized model made of it, which is changed.
    module_swap_list : iterable of type
        Types of float modules to be shadows.
    logger_cls : callable
        Makes each logger.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> from refquant.quantization import numeric_suite
    >>> model = nn.Sequential(nn.Linear(2, 2))
    >>> quantized = quantization.quantize_dynamic(model)
    >>> numeric_suite.prepare_model_with_stubs(
    ...     model, quantized, {nn.Linear}, numeric_suite.ShadowLogger
    ... )
    >>> type(quantized[0]).__name__
    'Shadow'
    """
    checked_model("float_module", float_module)
    checked_model("q_module", q_module)
    types = set(_types("module_swap_list", module_swap_list))
    arguments.function("logger_cls", logger_cls)
    floats = dict(float_module.named_children())
    for name, module in list(q_module.named_children()):
        original = floats.get(name)
        if original is None:
            continue
        if type(original) not in types:
            prepare_model_with_stubs(original, module, types, logger_cls)
        elif [*map(type, module.modules())] != [*map(type, original.modules())]:
            q_module._modules[name] = Shadow(module, original, logger_cls)


def _types(argument: str, given: Any) -> list[type]:
    kinds = arguments.sequence(argument, given, "types of modules")
    return [arguments.instance(argument, kind, type, "types of modules") for kind in kinds]


def compare_model_stub(
    float_model: Module,
    q_model: Module,
    module_swap_list: Iterable[type],
    *data: Any,
    logger_cls: Callable[[], Module] = ShadowLogger,
) -> Pairs:
    """Compare each quantized module with its float module on the same input.

    Parameters
    ----------
    float_model, q_model : Module
        A float model, and the quantized model made of it, which is changed.
    module_swap_list : iterable of type
        Types of float modules to compare.
    *data : Tensor
        Inputs of the quantized model.
    logger_cls : callable, default ShadowLogger
        Makes each logger.

    Returns
    -------
    dict of str to dict
        For each module the outputs ``"float"`` and ``"quantized"``.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> from refquant.quantization import numeric_suite
    >>> model = nn.Sequential(nn.Linear(4, 2))
    >>> quantized = quantization.quantize_dynamic(model)
    >>> found = numeric_suite.compare_model_stub(
    ...     model, quantized, {nn.Linear}, refquant.randn(3, 4)
    ... )
    >>> list(found), sorted(found["0.stats"])
    (['0.stats'], ['float', 'quantized'])
    """
    prepare_model_with_stubs(float_model, q_model, module_swap_list, logger_cls)
    q_model(*data)
    return get_logger_dict(q_model)


def prepare_model_outputs(
    float_module: Module,
    q_module: Module,
    logger_cls: Callable[[], Module] = OutputLogger,
    allow_list: Iterable[type] | None = None,
) -> None:
    """Attach loggers to the modules of both models, which are changed.

    Parameters
    ----------
    float_module, q_module : Module
        A float model, and the quantized model made of it.
    logger_cls : callable, default OutputLogger
        Makes each logger.
    allow_list : iterable of type, optional
        Types of modules to log, by default `get_default_compare_output_module_list`.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> from refquant.quantization import numeric_suite
    >>> model = nn.Sequential(nn.Linear(4, 2))
    >>> numeric_suite.prepare_model_outputs(model, quantization.quantize_dynamic(model))
    >>> model[0].activation_post_process
    OutputLogger()
    """
    arguments.function("logger_cls", logger_cls)
    if allow_list is None:
        types = set(get_default_compare_output_module_list())
    else:
        types = set(_types("allow_list", allow_list))
    for model in (checked_model("float_module", float_module), checked_model("q_module", q_module)):
        _log_outputs(model, types, logger_cls)


def _log_outputs(model: Module, types: set[type], logger_cls: Callable[[], Module]) -> None:
    for child in list(model.children()):
        if isinstance(child, FloatFunctional | QFunctional):
            if type(child) in types:
                child.add_module(NAME, made_by(logger_cls))
                # The float one calls its observer itself.
                wrapped = _OPERATIONS if isinstance(child, QFunctional) else ()
                vars(child).update({name: partial(_logged, child, name) for name in wrapped})
        elif isinstance(child, _WHOLE):
            _log(child, logger_cls)
        elif not isinstance(child, Dropout):
            _log_outputs(child, types, logger_cls)
    leaf = not model._modules and not isinstance(model, Sequential | DeQuantStub)
    if leaf and type(model) in types:
        _log(model, logger_cls)


def _logged(functional: Module, operation: str, *inputs: Any) -> Any:
    output = getattr(type(functional), operation)(functional, *inputs)
    logger = functional._modules.get(NAME)
    return output if logger is None else logger(output)


def _log(module: Module, logger_cls: Callable[[], Module]) -> None:
    module.add_module(NAME, made_by(logger_cls))
    module.register_forward_hook(observe_output)


def get_matching_activations(float_module: Module, q_module: Module) -> Pairs:
    """Pair what the loggers of `prepare_model_outputs` have kept.

    Parameters
    ----------
    float_module, q_module : Module
        The two models, after they have run.

    Returns
    -------
    dict of str to dict
        For each module of `q_module` that was logged its outputs and those of the float module.

    Examples
    --------
    >>> from refquant import nn
    >>> from refquant.quantization.numeric_suite import get_matching_activations
    >>> get_matching_activations(nn.Identity(), nn.Identity())
    {}
    """
    floats, pairs = get_logger_dict(float_module), {}
    for key, stats in get_logger_dict(q_module).items():
        path = key.rpartition(".")[0]
        # The module itself, or one in a pair that was fused.
        inner = (k for k in sorted(floats, reverse=True) if k.count(".") > 1)
        within = next((k for k in inner if k.rsplit(".", 2)[0] == path), None)
        match = key if key in floats else within
        if stats.get("tensor_val") and match is not None:
            pairs[key] = {
                "float": floats[match]["tensor_val"],
                "quantized": stats["tensor_val"],
            }
    return pairs


def compare_model_outputs(
    float_model: Module,
    q_model: Module,
    *data: Any,
    logger_cls: Callable[[], Module] = OutputLogger,
    allow_list: Iterable[type] | None = None,
) -> Pairs:
    """Compare the outputs of all modules of two models on the same data.

    Parameters
    ----------
    float_model, q_model : Module
        A float model, and the quantized model made of it; both are changed.
    *data : Tensor
        Inputs of both.
    logger_cls : callable, default OutputLogger
        Makes each logger.
    allow_list : iterable of type, optional
        Types of modules to log, by default `get_default_compare_output_module_list`.

    Returns
    -------
    dict of str to dict
        For each module the outputs ``"float"`` and ``"quantized"``, one for each call.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> from refquant.quantization import numeric_suite
    >>> model = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2))
    >>> quantized = quantization.quantize_dynamic(model)
    >>> found = numeric_suite.compare_model_outputs(model, quantized, refquant.randn(3, 4))
    >>> list(found)
    ['0.stats', '1.stats']
    """
    prepare_model_outputs(float_model, q_model, logger_cls, allow_list)
    float_model(*data)
    q_model(*data)
    return get_matching_activations(float_model, q_model)


enclose(__name__)
