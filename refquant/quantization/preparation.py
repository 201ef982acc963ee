"""Preparation: propagating QConfigs, inserting observers or fake quantization."""

import warnings
from collections.abc import Mapping
from typing import Any

from refquant._operation import operation_name
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn.containers import Identity, Sequential
from refquant.nn.module import AnyModule, Module
from refquant.nn.quantized.functional_modules import FloatFunctional
from refquant.quantization import mappings
from refquant.quantization._checks import checked_mapping, checked_model
from refquant.quantization._observing import NAME, attach, observer_of, set_paths
from refquant.quantization._rollback import restored_on_error
from refquant.quantization._swapping import swap_all
from refquant.quantization.stubs import DeQuantStub

__all__ = ["add_observer_", "prepare", "prepare_qat", "propagate_qconfig_"]


def propagate_qconfig_(module: Module, qconfig_dict: Mapping[Any, Any] | None = None) -> None:
    """Propagate QConfigs from modules to their submodules.

    A module gets, in this order: its attribute `qconfig` (None leaves it in float), the entry of
    `qconfig_dict` for its name, the one for its type, or the QConfig of its parent. It is stored
    in the attribute `qconfig` of modules that quantization can replace and of `Sequential`.

    Parameters
    ----------
    module : Module
        Changed in place.
    qconfig_dict : mapping of str or type to QConfig or None, optional
        Recipes by dotted name (the root's is ``''``) and by type.

    Raises
    ------
    ModuleNameError
        If there is no module of that name.
    ArgumentError
        If a module that occurs twice gets two different QConfigs.
    ArgumentTypeError
        If something is not a QConfig.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    >>> quantization.propagate_qconfig_(model, {"": quantization.default_qconfig, "1": None})
    >>> model[0].qconfig is quantization.default_qconfig, model[1].qconfig
    (True, None)
    """
    _store(_plan(checked_model("module", module), qconfig_dict, {}))


def _plan(
    root: Module, recipes: Any, mapping: Mapping[type, type]
) -> list[tuple[str, Module, Any]]:
    """Decide which module gets which QConfig, without changing anything."""
    recipes = _checked_recipes(root, recipes)
    types = mappings.configurable_types() | set(mapping)
    plan: list[tuple[str, Module, Any]] = []
    chosen: dict[int, tuple[str, Any]] = {}

    def visit(module: Module, path: str, above: Any) -> None:
        if id(module) in chosen:
            first, had = chosen[id(module)]
            if path in recipes and recipes[path] != had:
                raise ArgumentError(
                    f"{operation_name()}: {path!r} is the same module as {first!r}",
                    argument="qconfig_dict",
                    expected="one recipe for both",
                    got="two",
                    hint="name it once, or give the model two modules",
                )
            return
        recipe = recipes.get(path, recipes.get(type(module), above))
        recipe = _checked_recipe(path, getattr(module, "qconfig", recipe))
        chosen[id(module)] = path, recipe
        if type(module) in types:
            plan.append((path, module, recipe))
        for name, child in module._modules.items():
            if child is not None:
                visit(child, f"{path}.{name}" if path else name, recipe)

    visit(root, "", None)
    return plan


def _store(plan: list[tuple[str, Module, Any]]) -> None:
    for _, module, recipe in plan:
        module.qconfig = recipe


def _checked_recipe(place: str, recipe: Any) -> Any:
    if recipe is not None and not hasattr(recipe, "weight"):
        hint = "pass a QConfig, such as refquant.quantization.default_qconfig"
        if isinstance(recipe, str):
            hint = f"pass refquant.quantization.get_default_qconfig({recipe!r})"
        raise ArgumentTypeError(
            f"{operation_name()}: the recipe of {place!r}"
            if place
            else f"{operation_name()}: the recipe of the model",
            argument="qconfig",
            expected="a QConfig or None",
            got=repr(recipe),
            hint=hint,
        )
    return recipe


def _checked_recipes(root: Module, recipes: Any) -> Mapping[Any, Any]:
    if recipes is None:
        return {}
    if not isinstance(recipes, Mapping):
        raise ArgumentTypeError(
            argument="qconfig_dict",
            expected="a mapping of names and types to QConfigs",
            got=type(recipes).__name__,
            hint="for one recipe everywhere, set model.qconfig to it",
        )
    for key, recipe in recipes.items():
        if isinstance(key, str):
            root.get_submodule(key)
        elif not isinstance(key, type):
            raise ArgumentTypeError(
                argument="a key of qconfig_dict",
                expected="a name or a type of modules",
                got=repr(key),
            )
        _checked_recipe(str(key), recipe)
    return recipes


def add_observer_(module: Module) -> None:
    """Attach an observer to every module without submodules that has a QConfig.

    The observer is the submodule ``activation_post_process``; a forward hook passes it the output
    and returns what it returns. Modules that have one already keep it; a `DeQuantStub` gets none.

    Parameters
    ----------
    module : Module
        Changed in place.

    Raises
    ------
    ArgumentError
        If a QConfig has no observer for activations.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(nn.Linear(4, 8))
    >>> model[0].qconfig = quantization.default_qconfig
    >>> quantization.add_observer_(model)
    >>> model[0].activation_post_process
    MinMaxObserver(min_val=None, max_val=None)
    """
    for part in _unobserved(checked_model("module", module), {}):
        attach(part)
    set_paths(module)


def _unobserved(root: Module, planned: Mapping[int, Any]) -> list[Module]:
    """Find the modules to observe, given recipes (by id) that are not stored yet."""
    # Modules that can only be quantized dynamically return more than one tensor.
    static = mappings.default("DEFAULT_MODULE_MAPPING")
    left_out = mappings.default("DEFAULT_DYNAMIC_MODULE_MAPPING").keys() - static.keys()
    left_out = {DeQuantStub, *left_out}
    unobserved = []
    for path, module in root.named_modules():
        recipe = planned.get(id(module), getattr(module, "qconfig", None))
        if recipe is None or type(module) in left_out or not _is_leaf(module):
            continue
        if not hasattr(recipe, "activation"):
            raise ArgumentError(
                f"{operation_name()}: the recipe of {path!r}",
                argument="qconfig",
                expected="a QConfig with activation and weight",
                got=repr(recipe),
                hint="use a QConfigDynamic with quantize_dynamic() alone",
            )
        unobserved.append(module)
    return unobserved


def _is_leaf(module: Module) -> bool:
    if type(module) is FloatFunctional:
        return type(module._modules[NAME]) is Identity
    # An empty Sequential, such as the shortcut of some residual blocks, computes nothing.
    return not module._modules and not isinstance(module, Sequential)


def prepare(
    model: AnyModule,
    qconfig_dict: Mapping[Any, Any] | None = None,
    inplace: bool = False,
    *,
    mapping: Mapping[type, type] | None = None,
) -> AnyModule:
    """Insert observers, so that calibration can record the ranges of all activations.

    Parameters
    ----------
    model : Module
        With QConfigs in attributes `qconfig`, in evaluation mode.
    qconfig_dict : mapping of str or type to QConfig or None, optional
        Recipes by dotted name (the root's is ``''``) and by type; see `propagate_qconfig_`.
    inplace : bool, default False
        Whether to change `model` itself instead of a copy.
    mapping : mapping of type to type, optional
        The mapping that `convert` will be given, so that its types get QConfigs as well.

    Returns
    -------
    Module
        The model with an observer, ``activation_post_process``, below every module that has a
        QConfig and no submodules.

    Raises
    ------
    ModuleNameError
        If `qconfig_dict` names a module that does not exist.
    ArgumentError, ArgumentTypeError
        If a QConfig is invalid or cannot be used here.

    Warns
    -----
    UserWarning
        If no module has a QConfig, or the model is converted already.

    Notes
    -----
    Observers are inside fused modules, as in PyTorch 1.4; only that of the last member is used.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.Linear(2, 2)).eval()
    >>> prepared = quantization.prepare(model, {"": quantization.default_qconfig})
    >>> _ = prepared(refquant.tensor([[-1.0, 3.0]]))
    >>> prepared.quant.activation_post_process
    MinMaxObserver(min_val=-1.0, max_val=3.0)
    """
    checked_model("model", model)
    mapping = checked_mapping(mapping, "DEFAULT_MODULE_MAPPING")
    with restored_on_error(model, inplace) as model:
        _prepare(model, qconfig_dict, mapping)
        return model


def _prepare(model: Module, recipes: Any, mapping: Mapping[type, type]) -> None:
    plan = _plan(model, recipes, mapping)
    parts = _unobserved(model, {id(module): recipe for _, module, recipe in plan})
    nothing = _why_nothing(model, plan, parts)
    if nothing:
        warnings.warn(
            f"{operation_name()}: "
            "None of the submodule got qconfig applied: no module will be quantized. " + nothing,
            UserWarning,
            stacklevel=3,
        )
    _store(plan)
    for part in parts:
        attach(part)
    set_paths(model)


def _why_nothing(model: Module, plan: list[tuple[str, Module, Any]], parts: list[Module]) -> str:
    """Explain why nothing is observed, and how to fix it; empty if something is."""
    if parts or any(observer_of(module) is not None for module in model.modules()):
        return ""
    kinds = mappings.quantized_types()
    converted = [path or "the model" for path, m in model.named_modules() if type(m) in kinds]
    if converted:
        return f"Converted already: {', '.join(converted)}. Prepare the float model."
    if any(recipe for _, _, recipe in plan):
        return ""
    return (
        "Set model.qconfig, for example to refquant.quantization.get_default_qconfig(), or "
        "pass qconfig_dict={'': ...}"
    )


def prepare_qat(
    model: AnyModule, mapping: Mapping[type, type] | None = None, inplace: bool = False
) -> AnyModule:
    """Replace modules by quantization-aware ones, for training with simulated rounding.

    Other modules with a QConfig get fake quantization of their output.

    Parameters
    ----------
    model : Module
        With QConfigs of fake quantization in attributes `qconfig`, in training mode.
    mapping : mapping of type to type, optional
        By default ``DEFAULT_QAT_MODULE_MAPPING``.
    inplace : bool, default False
        Whether to change `model` itself instead of a copy. The parameters of a copy are new:
        give the optimizer those of the model that is returned.

    Returns
    -------
    Module
        The model to train.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a QConfig is invalid or cannot be used here, or there is none.

    Warns
    -----
    UserWarning
        If no module has a QConfig.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.Linear(2, 2))
    >>> model.qconfig = quantization.default_qat_qconfig
    >>> type(quantization.prepare_qat(model).module)
    <class 'refquant.nn.qat.linear.Linear'>
    """
    checked_model("model", model)
    mapping = checked_mapping(mapping, "DEFAULT_QAT_MODULE_MAPPING")
    with restored_on_error(model, inplace) as model:
        _prepare(model, None, mapping)
        swap_all(model, mapping)
        set_paths(model)
        return model
