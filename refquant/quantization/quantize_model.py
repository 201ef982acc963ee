"""Quantizing a model in one call: prepare, calibrate or train, convert."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from refquant import arguments, dtypes
from refquant._environment import enclose
from refquant._operation import operation_name, warn
from refquant.errors import ArgumentError, ArgumentTypeError, OperationError, WorkflowWarning
from refquant.nn.embedding import Embedding, EmbeddingBag
from refquant.nn.module import AnyModule, Module
from refquant.quantization import mappings
from refquant.quantization._checks import checked_mapping, checked_model
from refquant.quantization._rollback import restored_on_error
from refquant.quantization._swapping import Swaps, is_replaced, to_swap
from refquant.quantization.conversion import convert_with
from refquant.quantization.preparation import prepare, prepare_qat
from refquant.quantization.propagation import propagate_qconfig_
from refquant.quantization.qconfig import (
    default_dynamic_qconfig,
    float16_dynamic_qconfig,
    float_qparams_weight_only_qconfig,
    float_qparams_weight_only_qconfig_4bit,
)
from refquant.tensors.autograd import no_grad

__all__ = ["default_eval_fn", "quantize", "quantize_dynamic", "quantize_qat"]


_RECIPES = {
    dtypes.qint8: default_dynamic_qconfig,
    dtypes.float16: float16_dynamic_qconfig,
    dtypes.quint8: float_qparams_weight_only_qconfig,
    dtypes.quint4x2: float_qparams_weight_only_qconfig_4bit,
}


def default_eval_fn(model: Callable[..., Any], calib_data: Iterable[Any]) -> None:
    """Run a model on calibration data.

    Parameters
    ----------
    model : Module
    calib_data : iterable of pairs
        Inputs and targets; the targets are not used.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> quantization.default_eval_fn(nn.ReLU(), [(refquant.ones(2), None)])
    """
    arguments.function("model", model, 1)
    for pair in arguments.iterable("calib_data", calib_data, "an iterable of pairs"):
        parts = arguments.sequence("calib_data", pair, "an iterable of pairs")
        if len(parts) != 2:
            raise ArgumentError(
                argument="calib_data",
                expected="an iterable of pairs of input and target",
                got=f"{len(parts)} parts in one of them",
            )
        model(parts[0])


def _checked_run(run_fn: Any, run_args: Any) -> tuple:
    if not callable(run_fn):
        raise ArgumentTypeError(
            argument="run_fn",
            expected="a function that is called with the model",
            got=repr(run_fn),
            hint="pass refquant.quantization.default_eval_fn",
        )
    if not isinstance(run_args, list | tuple):
        raise ArgumentTypeError(
            argument="run_args",
            expected="a list of the arguments of run_fn that follow the model",
            got=type(run_args).__name__,
            hint="write [data] for one argument",
        )
    given = 1 + len(run_args)
    arguments.function("run_fn", run_fn, given, "the model and `run_args` are handed to it")
    return tuple(run_args)


def quantize(
    model: AnyModule,
    run_fn: Callable[..., Any],
    run_args: Sequence[Any],
    mapping: Mapping[type, type] | None = None,
    inplace: bool = False,
) -> AnyModule:
    """Prepare a model, calibrate it and convert it.

    Parameters
    ----------
    model : Module
        With QConfigs in attributes `qconfig`; it is switched to evaluation mode.
    run_fn : callable
        Called as ``run_fn(model, *run_args)``, with gradients off; it runs calibration data.
    run_args : list or tuple
        Further arguments of `run_fn`.
    mapping : mapping of type to type, optional
        By default ``get_default_static_quant_module_mappings()``.
    inplace : bool, default False
        Whether to change `model` itself instead of a copy.

    Returns
    -------
    Module
        The quantized model.

    Raises
    ------
    ArgumentError, ArgumentTypeError, OperationError
        As `prepare` and `convert` do.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.ReLU())
    >>> model.qconfig = quantization.default_qconfig
    >>> data = [(refquant.tensor([-1.0, 0.27]), None)]
    >>> model = quantization.quantize(model, quantization.default_eval_fn, [data])
    >>> model(refquant.tensor([-0.5, 0.2]))
    tensor([0.0000, 0.2000])
    """
    checked_model("model", model)
    mapping = checked_mapping(mapping, "static")
    run_args = _checked_run(run_fn, run_args)
    with restored_on_error(model, inplace) as model:
        prepare(model.eval(), inplace=True, mapping=mapping)
        with no_grad():
            run_fn(model, *run_args)
        return convert_with(model, mapping, inplace=True)


def quantize_qat(
    model: AnyModule, run_fn: Callable[..., Any], run_args: Sequence[Any], inplace: bool = False
) -> AnyModule:
    """Prepare a model for quantization-aware training, train it and convert it.

    Parameters
    ----------
    model : Module
        With QConfigs of fake quantization in attributes `qconfig`; it is switched to training
        mode.
    run_fn : callable
        Called as ``run_fn(model, *run_args)``; it trains the model it is given.
    run_args : list or tuple
        Further arguments of `run_fn`.
    inplace : bool, default False
        Whether to change `model` itself instead of a copy.

    Returns
    -------
    Module
        The quantized model.

    Raises
    ------
    ArgumentError, ArgumentTypeError, OperationError
        As `prepare_qat` and `convert` do.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.Linear(2, 1))
    >>> model.qconfig = quantization.get_default_qat_qconfig()
    >>> def train(model, batches):
    ...     for batch in batches:
    ...         model(batch)
    >>> quantized = quantization.quantize_qat(model.train(), train, ([refquant.randn(4, 2)],))
    >>> type(quantized.module).__name__
    'Linear'
    """
    checked_model("model", model)
    run_args = _checked_run(run_fn, run_args)
    with restored_on_error(model, inplace) as model:
        prepare_qat(model.train(), inplace=True)
        run_fn(model, *run_args)
        return convert_with(model, None, inplace=True)


def quantize_dynamic(
    model: AnyModule,
    qconfig_spec: Any = None,
    dtype: dtypes.dtype = dtypes.qint8,
    mapping: Mapping[type, type] | None = None,
    inplace: bool = False,
) -> AnyModule:
    """Quantize the weights of a model; activations are quantized batch by batch when it runs.

    Needs no calibration. Worth it where weights are large compared with activations.

    Parameters
    ----------
    model : Module
        Switched to evaluation mode.
    qconfig_spec : set of (type or str), or mapping of these to QConfigDynamic or None, optional
        Which modules, by type or dotted name; by default all that `dtype` is for. A mapping also
        says how, and `dtype` is then not used.
    dtype : dtype, default qint8
        What weights become: qint8 or float16 for `Linear` and recurrent modules, quint8 for
        `Embedding` and `EmbeddingBag`, quint4x2 for `EmbeddingBag`.
    mapping : mapping of type to type, optional
        By default ``get_default_dynamic_quant_module_mappings()``.
    inplace : bool, default False
        Whether to change `model` itself instead of a copy.

    Returns
    -------
    Module
        The quantized model.

    Raises
    ------
    ArgumentError
        If `dtype` is none of these and `qconfig_spec` is not given.
    OperationError
        If `dtype` is none of these and `qconfig_spec` is a set.
    ModuleNameError
        If there is no module of that name.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    >>> type(quantization.quantize_dynamic(model, {nn.Linear})[0])
    <class 'refquant.nn.quantized.dynamic.linear.Linear'>
    """
    checked_model("model", model)
    mapping = checked_mapping(mapping, "dynamic")
    spec = _spec(qconfig_spec, dtype)
    with restored_on_error(model, inplace) as model:
        propagate_qconfig_(model.eval(), spec)
        swaps = Swaps(mapping)
        kinds = mappings.quantized_types()
        done = any(type(module) in kinds for module in model.modules())
        if not (done or to_swap(model, swaps) or is_replaced(model, swaps)):
            warn(_why_nothing_matched(model, spec, mapping), WorkflowWarning)
        return convert_with(model, mapping, inplace=True)


def _why_nothing_matched(model: Module, spec: Mapping[Any, Any], mapping: Any) -> str:
    there = sorted({type(m).__name__ for m in model.modules() if type(m) in mapping})
    chosen = ", ".join(sorted(key if isinstance(key, str) else key.__name__ for key in spec))
    hint = (
        f"it has {', '.join(there)}; name them in qconfig_spec"
        if there
        else (
            "there is no module of a type that dynamic quantization replaces: "
            + ", ".join(kind.__name__ for kind in mapping)
        )
    )
    return f"nothing below the model matches {chosen}, so nothing is quantized; {hint}"


def _spec(spec: Any, dtype: Any) -> Mapping[Any, Any]:
    """Return a mapping from modules to QConfigs, from the arguments of `quantize_dynamic`."""
    if isinstance(spec, Mapping):
        return spec
    known = isinstance(dtype, dtypes.dtype)
    recipe = _RECIPES.get(dtype) if known else None
    wanted = "refquant.qint8, refquant.float16, refquant.quint8 or refquant.quint4x2"
    if spec is None:
        if recipe is None:
            raise ArgumentError(
                f"{operation_name()}: "
                f"Don't know how to quantize with default settings for {dtype!r}",
                argument="dtype",
                expected=wanted,
                got=repr(dtype),
            )
        kinds = mappings.default("dynamic")
        if dtype is dtypes.quint4x2:  # as in PyTorch
            return {kind: recipe for kind in kinds if kind is EmbeddingBag}
        tables = dtype is dtypes.quint8
        return {kind: recipe for kind in kinds if (kind in (Embedding, EmbeddingBag)) is tables}
    if isinstance(spec, str | type) or not arguments.walks(spec):
        raise ArgumentTypeError(
            argument="qconfig_spec",
            expected="a set of types and names, or a mapping",
            got=repr(spec),
            hint="put it into a set: {...}",
        )
    if recipe is None:
        raise OperationError(
            f"{operation_name()}: Unknown dtype specified for quantize_dynamic",
            argument="dtype",
            expected=wanted,
            got=repr(dtype),
        )
    chosen = list(spec)
    for entry in chosen:
        if not isinstance(entry, str | type):
            raise ArgumentTypeError(
                argument="qconfig_spec",
                expected="a set of types and names, or a mapping",
                got=f"{arguments.describe(entry)} in it",
            )
    return dict.fromkeys(chosen, recipe)


enclose(__name__)
