"""Conversion: replacing calibrated or trained modules by quantized ones."""

from collections.abc import Mapping
from typing import Any

from refquant import arguments, engines
from refquant._environment import enclose
from refquant._operation import operation_name, warn
from refquant.engines import Workflow
from refquant.errors import ArgumentError, NoDataWarning
from refquant.nn import quantized as nnq
from refquant.nn.module import AnyModule, Module
from refquant.quantization import mappings
from refquant.quantization._checks import checked_mapping, checked_model, checked_settings
from refquant.quantization._observing import NAME, detach, observer_of
from refquant.quantization._rollback import restored_on_error
from refquant.quantization._swapping import Swaps, is_replaced, replace, swap_all, to_swap

__all__ = ["convert", "swap_module"]

# Quantized modules that take scale and zero point from their input, and so need no observer.
_FOLLOWING = {nnq.ReLU, nnq.ReLU6, nnq.DeQuantize}


def swap_module(
    mod: Module,
    mapping: Mapping[type, type] | None,
    custom_module_class_mapping: Any = None,
    use_precomputed_fake_quant: bool = False,
) -> Module:
    """Return the quantized version of a module that has a QConfig and whose type is in a mapping.

    Parameters
    ----------
    mod : Module
    mapping : mapping of type to type
        Each value has a ``from_float(mod)``.
    custom_module_class_mapping : mapping of type to type, optional
        Each value has a ``from_observed(mod)``; it wins over `mapping`.
    use_precomputed_fake_quant : bool, default False
        As of `convert`.

    Returns
    -------
    Module
        The new module, with the hooks of `mod` except its observer's; or `mod` itself if it is
        not replaced.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> stub = quantization.DeQuantStub()
    >>> mapping = quantization.get_default_static_quant_module_mappings()
    >>> quantization.swap_module(stub, mapping)
    DeQuantize()
    """
    checked_model("mod", mod)
    custom = checked_settings("custom_module_class_mapping", custom_module_class_mapping)
    precomputed = arguments.switch("use_precomputed_fake_quant", use_precomputed_fake_quant)
    swaps = Swaps(checked_mapping(mapping, "static"), custom, precomputed)
    return replace(mod, swaps) if is_replaced(mod, swaps) else mod


def convert(
    module: AnyModule,
    mapping: Mapping[type, type] | None = None,
    inplace: bool = False,
    remove_qconfig: bool = True,
    is_reference: bool = False,
    convert_custom_config_dict: Any = None,
    use_precomputed_fake_quant: bool = False,
) -> AnyModule:
    """Replace the modules below a calibrated or trained model by quantized ones.

    Afterwards no module has a QConfig, an observer or an observer's hook; hooks of the user stay.

    Parameters
    ----------
    module : Module
        Prepared by `prepare` and calibrated, or by `prepare_qat` and trained. It is itself not
        replaced, only what is below it.
    mapping : mapping of type to type, optional
        By default ``get_default_static_quant_module_mappings()``, of the release whose workflow
        the observers of the model follow.
    inplace : bool, default False
        Whether to change `module` itself instead of a copy.
    remove_qconfig : bool, default True
        Whether to remove QConfigs and observers in the end.
    is_reference : bool, default False
        Whether the default mapping is
        ``get_default_static_quant_reference_module_mappings()``: modules compute in float, with
        weights that are quantized and dequantized as the QConfig says. Stubs quantize and
        dequantize as ever, so that the model needs a ``DeQuantStub`` before each such module and a
        ``QuantStub`` behind it. Fused pairs stay float.
    convert_custom_config_dict : mapping, optional
        Its entry ``"observed_to_quantized_custom_module_class"`` maps types of modules to types
        that replace them, by their ``from_observed(module)``. By default it is that of
        `get_default_custom_config_dict`.
    use_precomputed_fake_quant : bool, default False
        Whether linear layers are quantized as their fake quantization was last, without one more
        look at the weight. Convolutions look in any case, as in PyTorch 2.13.

    Returns
    -------
    Module
        The quantized model.

    Raises
    ------
    ArgumentError
        If observers of the model follow the workflows of different releases.

    Warns
    -----
    NoDataWarning
        If observers have seen no data, once for all of them; the message lists their modules,
        which get scale 1 and zero point 0.
    UserWarning
        If modules with a QConfig have no observer, which are left as they are; if `module` itself
        would have to be replaced; or if hooks inside a fused pair are lost.

    Notes
    -----
    A model that a quantized state is loaded into needs no data: ``convert(prepare(model))``, then
    ``load_state_dict``. Nor does a `refquant.nn.quantized.FloatFunctional` that the model does not
    use, or uses with numbers alone. After training the fake quantization of each weight observes
    it once more, if it may, under all engines but those of PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.ReLU()).eval()
    >>> model.qconfig = quantization.default_qconfig
    >>> model = quantization.prepare(model)
    >>> _ = model(refquant.tensor([-1.0, 0.27]))
    >>> quantization.convert(model)(refquant.tensor([-0.5, 0.2]))
    tensor([0.0000, 0.2000])
    """
    checked_model("module", module)
    if arguments.switch("is_reference", is_reference) and mapping is None:
        mapping = mappings.reference()
    settings = checked_settings("convert_custom_config_dict", convert_custom_config_dict)
    custom = settings.get("observed_to_quantized_custom_module_class", {})
    if convert_custom_config_dict is None:
        custom = None
    return convert_with(
        module,
        mapping,
        inplace,
        arguments.switch("remove_qconfig", remove_qconfig),
        custom,
        arguments.switch("use_precomputed_fake_quant", use_precomputed_fake_quant),
    )


def convert_with(
    model: AnyModule,
    mapping: Mapping[type, type] | None,
    inplace: bool,
    remove_qconfig: bool = True,
    custom: Mapping[type, type] | None = None,
    precomputed: bool = False,
) -> AnyModule:
    """Convert a model on behalf of a public function of another name."""
    if mapping is None:
        mapping = mappings.default("static", _workflow(model))
    if custom is None:
        custom = mappings.default_custom("quantized")
    mapping = checked_mapping(mapping, "static")
    if not _has_integers(model):
        # Modules that only pass integers on would get none.
        mapping = {old: new for old, new in mapping.items() if new not in _FOLLOWING}
    swaps = Swaps(mapping, custom, precomputed)
    forgotten = [] if to_swap(model, swaps) else _recipes_without_use(model, mapping)
    if is_replaced(model, swaps):
        warn(
            f"the model is itself a {type(model).__name__}, which stays as it is; only "
            "modules below it are replaced. Wrap it in QuantWrapper or Sequential.",
        )
    with restored_on_error(model, inplace) as model:
        idle, bare = swap_all(model, swaps)
        if (bare or forgotten) and not is_replaced(model, swaps):
            warn(
                f"not prepared: {', '.join(bare or forgotten)}. There is a QConfig, but "
                "no observer, and so nothing is replaced there. Call prepare() or prepare_qat(), "
                "run some batches, then convert().",
            )
        if idle:
            warn(
                f"no data has passed through {', '.join(idle)} (must run observer before "
                "calling calculate_qparams). Scale 1 and zero point 0 stand there. Run the "
                "prepared model on calibration data, or load a state with load_state_dict().",
                NoDataWarning,
            )
        for module in model.modules() if remove_qconfig else ():
            detach(module)
            module.__dict__.pop("qconfig", None)
        return model


def _recipes_without_use(model: Module, mapping: Mapping[type, type]) -> list[str]:
    """List the paths of recipes that `prepare` would propagate, if a module could use them."""
    if not any(type(module) in mapping for module in model.modules()):
        return []
    return [
        path or "the model"
        for path, module in model.named_modules()
        if hasattr(getattr(module, "qconfig", None), "activation")
    ]


def _workflow(model: Module) -> Workflow:
    """Return the workflow that the observers of a model follow; without any, that of now."""
    found: dict[Workflow, str] = {}
    for path, module in model.named_modules():
        for name in (NAME, "weight_fake_quant"):
            workflow = getattr(module._modules.get(name), "workflow", None)
            if workflow is not None:
                found.setdefault(workflow, f"{path}.{name}".lstrip("."))
    if len(found) > 1:
        raise ArgumentError(
            f"{operation_name()}: " + " and ".join(found.values()),
            argument="the observers of the model",
            expected="the workflow of one release of PyTorch",
            got=" and ".join(workflow.release for workflow in found),
            hint="prepare the whole model under one engine",
        )
    return next(iter(found), engines.current().workflow)


def _has_integers(model: Module) -> bool:
    """Return whether a model is prepared to compute with integers, or does so already."""
    kinds = mappings.integer_types()
    return any(observer_of(m) is not None or type(m) in kinds for m in model.modules())


enclose(__name__)
