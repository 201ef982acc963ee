"""Propagating QConfigs: which recipe each module of a model gets."""

from collections.abc import Mapping
from typing import Any

from refquant._operation import operation_name
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn.module import Module
from refquant.quantization import mappings
from refquant.quantization._checks import checked_model, checked_settings
from refquant.quantization._observing import observes_wholes

__all__ = ["Plan", "plan_recipes", "propagate_qconfig_", "store"]

# Path, module and recipe.
Plan = list[tuple[str, Module, Any]]


def propagate_qconfig_(
    module: Any, qconfig_dict: Any = None, prepare_custom_config_dict: Any = None
) -> None:
    """Propagate QConfigs from modules to their submodules.

    A module gets, in this order: its attribute `qconfig` (None leaves it in float), the entry of
    `qconfig_dict` for its name, the one for its type, or the QConfig of its parent. It is stored
    in its attribute `qconfig`; under the engines of PyTorch 1.4 only if quantization can replace
    the module, or if it is a `Sequential`.

    Parameters
    ----------
    module : Module
        Changed in place.
    qconfig_dict : mapping of str or type to QConfig or None, optional
        Recipes by dotted name (the root's is ``''``) and by type.
    prepare_custom_config_dict : mapping, optional
        Children under ``"non_traceable_module_name"`` (a list of names) and
        ``"non_traceable_module_class"`` (a list of types) get nothing.

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
    settings = checked_settings("prepare_custom_config_dict", prepare_custom_config_dict)
    store(plan_recipes(checked_model("module", module), qconfig_dict, {}, settings))


def plan_recipes(
    root: Module, recipes: Any, mapping: Mapping[type, type], settings: Mapping[str, Any]
) -> Plan:
    """Decide which module gets which QConfig, without changing anything."""
    recipes = _checked_recipes(root, recipes)
    # PyTorch 2.13 stores a recipe in every module.
    types = None if observes_wholes() else mappings.configurable_types() | set(mapping)
    names = settings.get("non_traceable_module_name", ())
    classes = settings.get("non_traceable_module_class", ())
    plan: Plan = []
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
        if types is None or type(module) in types:
            plan.append((path, module, recipe))
        for name, child in module._modules.items():
            if child is not None and name not in names and type(child) not in classes:
                visit(child, f"{path}.{name}" if path else name, recipe)

    visit(root, "", None)
    return plan


def store(plan: Plan) -> None:
    """Write the recipes of a plan into the modules."""
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
