"""Preparation: inserting observers or fake quantization."""

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple

from refquant._environment import enclose
from refquant._operation import operation_name, warn
from refquant.errors import ArgumentError
from refquant.nn.containers import Identity, Sequential
from refquant.nn.dropout import Dropout
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import AnyModule, Module
from refquant.nn.qat.fake_quantized import FakeQuantized, either_order
from refquant.nn.quantized.functional_modules import FloatFunctional
from refquant.quantization import mappings
from refquant.quantization._advice import (
    check_only_dynamic,
    check_tables,
    check_training_recipes,
    tell_what_stays_float,
)
from refquant.quantization._checks import (
    checked_mapping,
    checked_model,
    checked_settings,
    checked_types,
)
from refquant.quantization._observing import (
    NAME,
    attach,
    is_attached,
    observer_of,
    observes_wholes,
    set_paths,
)
from refquant.quantization._rollback import restored_on_error
from refquant.quantization._swapping import Swaps, swap_all
from refquant.quantization.counterparts import DEFAULT_MODULE_TO_ACT_POST_PROCESS
from refquant.quantization.propagation import Plan, plan_recipes, store
from refquant.quantization.qconfig import is_for_dynamic
from refquant.quantization.stubs import DeQuantStub

__all__ = ["add_observer_", "get_default_custom_config_dict", "prepare", "prepare_qat"]


class _Place(NamedTuple):
    """A module to observe, and what makes its observer if not its QConfig."""

    module: Module
    make: Callable[[], Module] | None = None


def get_default_custom_config_dict() -> dict[str, dict[type, type]]:
    """Get the replacements of whole modules that `prepare` and ``convert`` make by default.

    Returns
    -------
    dict
        Under ``"float_to_observed_custom_module_class"`` and
        ``"observed_to_quantized_custom_module_class"`` a mapping of types each.

    Examples
    --------
    >>> from refquant import quantization
    >>> list(quantization.get_default_custom_config_dict())[0]
    'float_to_observed_custom_module_class'
    """
    return {
        "float_to_observed_custom_module_class": mappings.default_custom("observed"),
        "observed_to_quantized_custom_module_class": mappings.default_custom("quantized"),
    }


def add_observer_(module: Module) -> None:
    """Attach an observer to every module that has a QConfig and is to be observed.

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
    >>> type(model[0].activation_post_process).__name__
    'MinMaxObserver'
    """
    checked_model("module", module)
    _attach(module, _places(module, {}, mappings.get_default_qconfig_propagation_list(), (), ()))


def _attach(model: Module, places: list[_Place]) -> None:
    for module, make in places:
        attach(module, make, first=observes_wholes())
    set_paths(model)


def _places(
    root: Module,
    planned: Mapping[int, Any],
    listed: Container[type],
    wholes: Container[type],
    custom: Container[type],
) -> list[_Place]:
    """Find the modules to observe, given recipes (by id) that are not stored yet."""
    places = _wholes(root, listed, wholes, custom) if observes_wholes() else _leaves(root)
    found = []
    paths = {id(module): path for path, module in root.named_modules()}
    for place in places:
        recipe = planned.get(id(place.module), getattr(place.module, "qconfig", None))
        if recipe is None or is_attached(place.module):
            continue
        if not hasattr(recipe, "activation") or is_for_dynamic(recipe):
            raise ArgumentError(
                f"{operation_name()}: the recipe of {paths[id(place.module)]!r}",
                argument="qconfig",
                expected="a QConfig with activation and weight",
                got=repr(recipe),
                hint="use a recipe of dynamic quantization with quantize_dynamic() alone",
            )
        found.append(place)
    return found


def _leaves(root: Module) -> list[_Place]:
    """List what PyTorch 1.4 observes: every module without submodules, in fused pairs, too."""
    # Modules that can only be quantized dynamically return more than one tensor.
    left_out = mappings.default("dynamic").keys() - mappings.default("static").keys()
    left_out = {DeQuantStub, *left_out}
    return [
        _Place(module)
        for module in root.modules()
        if type(module) not in left_out and _is_leaf(module)
    ]


def _wholes(
    root: Module, listed: Container[type], wholes: Container[type], custom: Container[type]
) -> list[_Place]:
    """List what PyTorch 2.13 observes: fused pairs, and what it lists or replaces."""
    dynamic_only = mappings.default("dynamic").keys() - mappings.default("static").keys()
    places: dict[int, _Place] = {}

    def observe_leaf(module: Module) -> None:
        kind = type(module)
        left_out = kind is DeQuantStub or kind in dynamic_only
        if kind in listed and not left_out and _is_leaf(module):
            places[id(module)] = _Place(module)

    def visit(module: Module) -> None:
        kind = type(module)
        if kind is Dropout or kind is DeQuantStub or id(module) in places:
            return
        whole = kind is FloatFunctional or isinstance(module, Fused | FakeQuantized)
        if whole or kind in wholes or kind in custom:
            places[id(module)] = _Place(module)
        elif module.training and kind in DEFAULT_MODULE_TO_ACT_POST_PROCESS:
            places[id(module)] = _Place(module, DEFAULT_MODULE_TO_ACT_POST_PROCESS[kind])
        else:
            for child in module._modules.values():
                if child is not None:
                    visit(child)
            observe_leaf(module)

    for child in root._modules.values():
        if child is not None:
            visit(child)
    observe_leaf(root)
    return list(places.values())


def _is_leaf(module: Module) -> bool:
    if type(module) is FloatFunctional:
        return type(module._modules[NAME]) is Identity
    # An empty Sequential, such as the shortcut of some residual blocks, computes nothing.
    return not module._modules and not isinstance(module, Sequential)


@either_order(
    1, bool, "inplace", "allow_list", "observer_non_leaf_module_list",
    "prepare_custom_config_dict",
)  # fmt: skip
def prepare(
    model: AnyModule,
    qconfig_dict: Mapping[Any, Any] | None = None,
    inplace: bool = False,
    allow_list: Any = None,
    observer_non_leaf_module_list: Any = None,
    prepare_custom_config_dict: Any = None,
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
        PyTorch 2.13 has `inplace` in its place: a positional flag is understood.
    inplace : bool, default False
        Whether to change `model` itself instead of a copy.
    allow_list : iterable of type, optional
        Types to observe where they have no submodules; by default
        ``get_default_qconfig_propagation_list()``. Under the engines of PyTorch 1.4 all are.
    observer_non_leaf_module_list : iterable of type, optional
        Types to observe as wholes.
    prepare_custom_config_dict : mapping, optional
        Its entry ``"float_to_observed_custom_module_class"`` maps types of modules to types that
        replace them, by their ``from_float(module)``, and are observed as wholes. By default it is
        that of `get_default_custom_config_dict`, under the engines of PyTorch 1.4 empty.
    mapping : mapping of type to type, optional
        The mapping that `convert` will be given, so that its types get QConfigs as well.

    Returns
    -------
    Module
        The model with an observer, ``activation_post_process``, below every fused pair and every
        other module that has a QConfig and can be quantized.

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
    WorkflowWarning
        If modules with a QConfig will stay in float; the message says what to do for each.

    Notes
    -----
    Under the engines of PyTorch 1.4 all modules without submodules are observed, those inside
    fused pairs, too; only the observer of the last member of a pair is used.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.Linear(2, 2)).eval()
    >>> prepared = quantization.prepare(model, {"": quantization.default_qconfig})
    >>> _ = prepared(refquant.tensor([[-1.0, 3.0]]))
    >>> float(prepared.quant.activation_post_process.max_val)
    3.0
    """
    checked_model("model", model)
    mapping = checked_mapping(mapping, "static")
    settings = checked_settings("prepare_custom_config_dict", prepare_custom_config_dict)
    given = None if prepare_custom_config_dict is None else settings
    listed = mappings.get_default_qconfig_propagation_list() | set(mapping)
    if allow_list is not None:
        listed = set(checked_types("allow_list", allow_list))
    wholes = () if observer_non_leaf_module_list is None else observer_non_leaf_module_list
    wholes = set(checked_types("observer_non_leaf_module_list", wholes))
    with restored_on_error(model, inplace) as model:
        plan = plan_recipes(model, qconfig_dict, mapping, settings)
        check_tables(plan)
        _prepare(model, plan, listed, wholes, given)
        tell_what_stays_float(model, mapping)
        return model


def _prepare(
    model: Module, plan: Plan, listed: set[type], wholes: set[type],
    settings: Mapping[str, Any] | None,
) -> None:  # fmt: skip
    custom = _replaced_when_prepared(settings)
    planned = {id(module): recipe for _, module, recipe in plan}
    check_only_dynamic(model, planned, custom)
    places = _places(model, planned, listed, wholes, custom)
    nothing = _why_nothing(model, plan, places)
    if nothing:
        warn(
            "None of the submodule got qconfig applied: no module will be quantized. " + nothing,
        )
    store(plan)
    inside = tuple(mappings.no_observer_set())
    for parent in tuple(model.modules()):
        for name, child in parent._modules.items():
            if type(child) in custom and getattr(child, "qconfig", None) is not None:
                kind: Any = custom[type(child)]
                observed = kind.from_float(child)
                parent._modules[name] = observed
                keep = [] if isinstance(observed, inside) else [_Place(observed)]
                places = [q for p in places for q in (keep if p.module is child else [p])]
    _attach(model, places)


def _replaced_when_prepared(settings: Mapping[str, Any] | None) -> Mapping[type, type]:
    """Get which types of modules others replace before they are observed."""
    if settings is None:
        return mappings.default_custom("observed") if observes_wholes() else {}
    return settings.get("float_to_observed_custom_module_class", {})


def _why_nothing(model: Module, plan: Plan, places: list[_Place]) -> str:
    """Explain why nothing is observed, and how to fix it; empty if something is."""
    if places or any(observer_of(module) is not None for module in model.modules()):
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
        By default ``get_default_qat_module_mappings()``.
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
        If a QConfig is invalid or cannot be used here, or there is none. If the model is in
        evaluation mode; under the engines of PyTorch 1.4 it may be.

    Warns
    -----
    UserWarning
        If no module has a QConfig.
    WorkflowWarning
        If a recipe observes but does not round, as those for calibration.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.Linear(2, 2))
    >>> model.qconfig = quantization.default_qat_qconfig
    >>> type(quantization.prepare_qat(model).module)
    <class 'refquant.nn.qat.linear.Linear'>
    """
    checked_model("model", model)
    mapping = checked_mapping(mapping, "qat")
    if observes_wholes() and not model.training:
        raise ArgumentError(
            argument="model",
            expected="in training mode: prepare_qat only works on models in training mode",
            got="evaluation mode",
            hint="call model.train() first",
        )
    with restored_on_error(model, inplace) as model:
        plan = plan_recipes(model, None, mapping, {})
        check_tables(plan)
        check_training_recipes(plan)
        listed = mappings.get_default_qconfig_propagation_list() | set(mapping)
        if not observes_wholes():
            _prepare(model, plan, listed, set(), None)
            swap_all(model, Swaps(mapping))
            set_paths(model)
            return model
        store(plan)
        swap_all(model, Swaps(mapping))
        _prepare(model, [], listed, set(mapping.values()), None)
        return model


enclose(__name__)
