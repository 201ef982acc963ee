"""After calibration or training: replace modules by quantized ones."""

import warnings
from collections.abc import Mapping

from refquant.errors import OperationError
from refquant.nn import quantized as nnq
from refquant.nn.module import Module
from refquant.workflow.checks import checked_mapping, checked_model
from refquant.workflow.stubs import DeQuantStub
from refquant.workflow.swapping import is_replaced, replace, swap_all, to_swap
from refquant.workflow.transaction import changing
from refquant.workflow.watching import has_observed, observer_of, unwatch

__all__ = ["convert", "swap_module"]

# Quantized modules that take scale and zero point from what comes in, or need none.
_NEED_NO_OBSERVER = {nnq.ReLU, nnq.ReLU6, nnq.DeQuantize}


def swap_module(mod, mapping):
    """Make the quantized module for one that has a QConfig and whose type is in a mapping.

    Parameters
    ----------
    mod : Module
    mapping : mapping of type to type
        Each value has a ``from_float(mod)``.

    Returns
    -------
    Module
        The new module, with the hooks of `mod` except its observer's; or `mod` itself if it is
        not to be replaced.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> stub = quantization.DeQuantStub()
    >>> quantization.swap_module(stub, quantization.DEFAULT_MODULE_MAPPING)
    DeQuantize()
    """
    checked_model("swap_module", "mod", mod)
    mapping = checked_mapping("swap_module", mapping, "DEFAULT_MODULE_MAPPING")
    return replace(mod, mapping) if is_replaced(mod, mapping) else mod


def convert(module, mapping=None, inplace=False):
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

    Raises
    ------
    OperationError
        If something to quantize was not prepared or has seen no data; the message lists their
        paths, and nothing is changed.

    Warns
    -----
    UserWarning
        If `module` itself would have to be replaced, or if hooks inside a fused pair are lost.

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
    checked_model("convert", "module", module)
    mapping = checked_mapping("convert", mapping, "DEFAULT_MODULE_MAPPING")
    return convert_with("convert", module, mapping, inplace)


def convert_with(asked: str, model: Module, mapping: Mapping[type, type], inplace: bool) -> Module:
    """Do what `convert` does, for a step of another name."""
    _check_observed(asked, model, mapping)
    if is_replaced(model, mapping):
        warnings.warn(
            f"{asked}: the model is itself a {type(model).__name__}, which stays as it is; only "
            "modules below it are replaced. Wrap it in QuantWrapper or Sequential.",
            UserWarning,
            stacklevel=3,
        )
    with changing(asked, model, inplace) as model:
        swap_all(model, mapping)
        for module in model.modules():
            unwatch(module)
            module.__dict__.pop("qconfig", None)
        return model


def _check_observed(asked: str, model: Module, mapping: Mapping[type, type]) -> None:
    """Raise unless every module that takes its output's range from an observer has one."""
    chosen = to_swap(model, mapping)
    bare, idle = [], []
    for path, module in chosen:
        if mapping[type(module)] in _NEED_NO_OBSERVER:
            continue
        observer = observer_of(module)
        if observer is None:
            # Dynamic quantization and mappings of the user do without.
            if hasattr(module.qconfig, "activation"):
                bare.append(path)
        elif not has_observed(observer):
            idle.append(path)
    recipe = getattr(model, "qconfig", None)
    forgotten = hasattr(recipe, "activation") and all(type(m) is DeQuantStub for _, m in chosen)
    if bare or (forgotten and not _any_observer(model)):
        raise OperationError(
            f"{asked}: not prepared: {', '.join(bare) or 'the model'}",
            expected="an observer in every module with a QConfig",
            got="none",
            mend="call prepare() or prepare_qat(), run some batches, then convert()",
        )
    if idle:
        raise OperationError(
            f"{asked}: no data has passed through {', '.join(idle)}",
            expected="observers that have seen some batches",
            got="ones that have seen none",
            mend="run the prepared model on calibration data, or set qconfig = None on modules "
            "that it does not use",
        )


def _any_observer(model: Module) -> bool:
    return any(observer_of(module) is not None for module in model.modules())
