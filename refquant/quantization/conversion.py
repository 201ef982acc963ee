"""Conversion: replacing calibrated or trained modules by quantized ones."""

import warnings
from collections.abc import Mapping

from refquant._operation import operation_name
from refquant.errors import NoDataWarning
from refquant.nn import quantized as nnq
from refquant.nn.module import AnyModule, Module
from refquant.quantization import mappings
from refquant.quantization._checks import checked_mapping, checked_model
from refquant.quantization._observing import detach, observer_of
from refquant.quantization._rollback import restored_on_error
from refquant.quantization._swapping import is_replaced, replace, swap_all, to_swap

__all__ = ["convert", "swap_module"]

# Quantized modules that take scale and zero point from their input, and so need no observer.
_FOLLOWING = {nnq.ReLU, nnq.ReLU6, nnq.DeQuantize}


def swap_module(mod: Module, mapping: Mapping[type, type] | None) -> Module:
    """Return the quantized version of a module that has a QConfig and whose type is in a mapping.

    Parameters
    ----------
    mod : Module
    mapping : mapping of type to type
        Each value has a ``from_float(mod)``.

    Returns
    -------
    Module
        The new module, with the hooks of `mod` except its observer's; or `mod` itself if it is
        not replaced.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> stub = quantization.DeQuantStub()
    >>> quantization.swap_module(stub, quantization.DEFAULT_MODULE_MAPPING)
    DeQuantize()
    """
    checked_model("mod", mod)
    mapping = checked_mapping(mapping, "DEFAULT_MODULE_MAPPING")
    return replace(mod, mapping) if is_replaced(mod, mapping) else mod


def convert(
    module: AnyModule, mapping: Mapping[type, type] | None = None, inplace: bool = False
) -> AnyModule:
    """Replace the modules below a calibrated or trained model by quantized ones.

    Afterwards no module has a QConfig, an observer or an observer's hook; hooks of the user stay.

    Parameters
    ----------
    module : Module
        Prepared by `prepare` and calibrated, or by `prepare_qat` and trained. It is itself not
        replaced, only what is below it.
    mapping : mapping of type to type, optional
        By default ``DEFAULT_MODULE_MAPPING``.
    inplace : bool, default False
        Whether to change `module` itself instead of a copy.

    Returns
    -------
    Module
        The quantized model.

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
    use, or uses with numbers alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.ReLU()).eval()
    >>> model.qconfig = quantization.default_qconfig
    >>> model = quantization.prepare(model)
    >>> _ = model(refquant.tensor([-1.0, 0.27]))
    >>> quantization.convert(model)(refquant.tensor([-0.5, 0.2]))
    tensor([0. , 0.2])
    """
    checked_model("module", module)
    mapping = checked_mapping(mapping, "DEFAULT_MODULE_MAPPING")
    return convert_with(module, mapping, inplace)


def convert_with(model: AnyModule, mapping: Mapping[type, type], inplace: bool) -> AnyModule:
    """Convert a model on behalf of a public function of another name."""
    if not _has_integers(model):
        # Modules that only pass integers on would get none.
        mapping = {old: new for old, new in mapping.items() if new not in _FOLLOWING}
    forgotten = [] if to_swap(model, mapping) else _recipes_without_use(model, mapping)
    if is_replaced(model, mapping):
        warnings.warn(
            f"{operation_name()}: "
            f"the model is itself a {type(model).__name__}, which stays as it is; only "
            "modules below it are replaced. Wrap it in QuantWrapper or Sequential.",
            UserWarning,
            stacklevel=3,
        )
    with restored_on_error(model, inplace) as model:
        idle, bare = swap_all(model, mapping)
        if (bare or forgotten) and not is_replaced(model, mapping):
            warnings.warn(
                f"{operation_name()}: "
                f"not prepared: {', '.join(bare or forgotten)}. There is a QConfig, but "
                "no observer, and so nothing is replaced there. Call prepare() or prepare_qat(), "
                "run some batches, then convert().",
                UserWarning,
                stacklevel=3,
            )
        if idle:
            warnings.warn(
                f"{operation_name()}: "
                f"no data has passed through {', '.join(idle)} (must run observer before "
                "calling calculate_qparams). Scale 1 and zero point 0 stand there. Run the "
                "prepared model on calibration data, or load a state with load_state_dict().",
                NoDataWarning,
                stacklevel=3,
            )
        for module in model.modules():
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


def _has_integers(model: Module) -> bool:
    """Return whether a model is prepared to compute with integers, or does so already."""
    kinds = mappings.integer_types()
    return any(observer_of(m) is not None or type(m) in kinds for m in model.modules())
