"""The numeric suite: how weights and outputs of a quantized model differ from the float ones.

Three questions, each a function. `compare_weights`: what did quantizing do to the weights?
`compare_model_outputs`: how far apart are the two models at each module, errors of all modules
before it included? `compare_model_stub`: what does each module add by itself, if the float module
gets the same, dequantized input? PyTorch's path is ``torch.ao.ns._numeric_suite``.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from refquant import arguments, dtypes
from refquant.nn.containers import Sequential
from refquant.nn.dropout import Dropout
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.nn.quantized.dynamic.linear import Linear as DynamicLinear
from refquant.nn.quantized.dynamic.lstm import LSTM as DynamicLSTM
from refquant.nn.quantized.functional_modules import FloatFunctional, QFunctional
from refquant.nn.quantized.linear import Linear
from refquant.nn.quantized.quantize import DeQuantize
from refquant.quantization._checks import checked_model
from refquant.quantization._observing import NAME, observe_output
from refquant.quantization.mappings import get_default_compare_output_module_list
from refquant.quantization.preparation import prepare
from refquant.quantization.stubs import DeQuantStub
from refquant.tensors import Tensor

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

Pairs = dict[str, dict[str, Any]]
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


class Logger(Module):
    """Base class of modules that keep what passes through them.

    Attributes
    ----------
    stats : dict
        What was kept.

    Examples
    --------
    >>> from refquant.quantization.numeric_suite import Logger
    >>> Logger().stats
    {}
    """

    def __init__(self):
        super().__init__()
        self.stats: dict[str, Any] = {}
        self.dtype = dtypes.quint8

    def forward(self, x):
        """Keep something of `x`; this class keeps nothing."""


class ShadowLogger(Logger):
    """Keep outputs of a quantized module and of its float shadow.

    Of an output whose length is more than 1 the first item is kept: the output of an LSTM without
    its states, and of a batch its first sample.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization.numeric_suite import ShadowLogger
    >>> logger = ShadowLogger()
    >>> logger(refquant.tensor([[1.0]]), refquant.tensor([[1.25]]))
    >>> logger.stats
    {'float': [tensor([[1.25]])], 'quantized': [tensor([[1.]])]}
    """

    def __init__(self):
        super().__init__()
        self.stats = {"float": [], "quantized": []}

    def forward(self, x, y):  # type: ignore[override]
        """Keep the output `x` of the quantized module, and `y` of the float one."""
        for kind, output in (("quantized", x), ("float", y)):
            arguments.instance("output", output, Tensor | tuple | list, "a tensor or a tuple")
            self.stats[kind].append((output[0] if len(output) > 1 else output).detach())


class OutputLogger(Logger):
    """Keep the outputs of a module.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization.numeric_suite import OutputLogger
    >>> logger = OutputLogger()
    >>> _ = logger(refquant.tensor([1.0]))
    >>> logger.stats
    {'tensor_val': [tensor([1.])]}
    """

    def __init__(self):
        super().__init__()
        self.stats = {"tensor_val": []}

    def forward(self, x):
        """Keep `x` and return it."""
        self.stats["tensor_val"].append(x)
        return x


def _logger(logger_cls: Any) -> Module:
    made = arguments.function("logger_cls", logger_cls)()
    return arguments.instance("logger_cls", made, Module, "a callable that makes a Module")


def get_logger_dict(mod: Module, prefix: str = "") -> Pairs:
    """Collect what the loggers of a model have kept.

    Parameters
    ----------
    mod : Module
        The model.
    prefix : str, optional
        Dotted name of `mod`.

    Returns
    -------
    dict of str to dict
        For each module with a logger its `stats`, under its dotted name and ``stats``.

    Examples
    --------
    >>> from refquant import nn
    >>> from refquant.quantization.numeric_suite import Logger, get_logger_dict
    >>> get_logger_dict(nn.Sequential(Logger()), "net")
    {'net.stats': {}}
    """
    checked_model("mod", mod)
    found = {}
    start = arguments.text("prefix", prefix)
    for path, module in mod.named_modules():
        logger = next((child for child in module.children() if isinstance(child, Logger)), None)
        if logger is not None:
            found[".".join(filter(None, (start, path, "stats")))] = logger.stats
    return found


def _dequantized(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_dequantized(v) for v in value]
    return value.dequantize() if isinstance(value, Tensor) and value.is_quantized else value


class Shadow(Module):
    """A quantized module beside its float module, which gets the same input, dequantized.

    The output is that of the quantized module; a logger keeps both.

    Parameters
    ----------
    q_module, float_module : Module
        The two; for a `FloatFunctional`, its operations are shadowed.
    logger_cls : callable
        Makes the logger, which is called with both outputs: `ShadowLogger` or a class of one's own.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization.numeric_suite import Shadow, ShadowLogger
    >>> shadow = Shadow(nn.Identity(), nn.ReLU(), ShadowLogger)
    >>> _ = shadow(refquant.tensor([-1.0]))
    >>> shadow.logger.stats
    {'float': [tensor([0.])], 'quantized': [tensor([-1.])]}
    """

    def __init__(self, q_module, float_module, logger_cls):
        super().__init__()
        self.orig_module = checked_model("q_module", q_module)
        self.shadow_module = checked_model("float_module", float_module)
        self.dequant = DeQuantize()
        self.logger = _logger(logger_cls)

    def forward(self, *x):
        """Run both modules and return the output of the quantized one."""
        return self._run("__call__", *x)

    def _run(self, operation: str, *inputs: Any) -> Any:
        output = getattr(self.orig_module, operation)(*inputs)
        shadowed = getattr(self.shadow_module, operation)(*map(_dequantized, inputs))
        self.logger(output, shadowed)
        return output

    def add(self, x, y):
        """Add two tensors."""
        return self._run("add", x, y)

    def add_scalar(self, x, y):
        """Add a number."""
        return self._run("add_scalar", x, y)

    def mul(self, x, y):
        """Multiply two tensors."""
        return self._run("mul", x, y)

    def mul_scalar(self, x, y):
        """Multiply by a number."""
        return self._run("mul_scalar", x, y)

    def cat(self, x, dim=0):
        """Concatenate tensors."""
        return self._run("cat", x, dim)

    def add_relu(self, x, y):
        """Add two tensors and take the positive part."""
        return self._run("add_relu", x, y)


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
                child.add_module(NAME, _logger(logger_cls))
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
    module.add_module(NAME, _logger(logger_cls))
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
