"""Warnings that tell early what a workflow will not do, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from refquant._operation import operation_name, warn
from refquant.dtypes import per_channel_affine_float_qparams
from refquant.errors import ArgumentError, WorkflowWarning
from refquant.nn.embedding import Embedding, EmbeddingBag
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.quantization import mappings
from refquant.quantization.propagation import Plan

__all__ = ["check_tables", "check_training_recipes", "tell_what_stays_float"]


def tell_what_stays_float(model: Module, mapping: Mapping[type, type]) -> None:
    """Warn of layers that have a recipe and parameters, but no quantized counterpart."""
    told = []
    inside: set[int] = set()
    for path, module in model.named_modules():
        kind = type(module)
        if kind in mapping or isinstance(module, Fused) or "weight_fake_quant" in module._modules:
            inside.update(map(id, module.modules()))
        if id(module) in inside or getattr(module, "qconfig", None) is None:
            continue
        if any(p is not None for p in module._parameters.values()):
            told.append(f"{path or 'the model'} ({kind.__name__}): {_fix(module, mapping)}")
    if told:
        warn("these modules will stay float:\n  " + "\n  ".join(told), WorkflowWarning)


def _fix(module: Module, mapping: Mapping[type, type]) -> str:
    kind = type(module)
    if kind.__name__.startswith("BatchNorm"):
        return "fuse it with the layer before it, with fuse_modules() before prepare()"
    if kind in mappings.default("dynamic"):
        return "quantize its weights with quantize_dynamic(), or set its qconfig to None"
    above = [base.__name__ for base in kind.__mro__[1:] if base in mapping]
    if above:
        return (
            f"a subclass of {above[0]} is not replaced; give convert() a mapping with it, or use "
            f"{above[0]} itself"
        )
    return "put a DeQuantStub before and a QuantStub behind it, and set its qconfig to None"


def check_tables(plan: Plan) -> None:
    """Raise if an embedding has a recipe whose weights have no float zero points."""
    for path, module, recipe in plan:
        if type(module) not in (Embedding, EmbeddingBag) or type(module) not in mappings.default(
            "static"
        ):
            continue
        weight = getattr(recipe, "weight", None)
        scheme = getattr(weight() if callable(weight) else None, "qscheme", None)
        if weight is not None and scheme is not per_channel_affine_float_qparams:
            raise ArgumentError(
                f"{operation_name()}: the recipe of {path!r}, an {type(module).__name__},",
                argument="qconfig.weight",
                expected="an observer with float zero points",
                got=scheme,
                hint="set its qconfig to refquant.quantization.float_qparams_weight_only_qconfig, "
                "for training to default_embedding_qat_qconfig, or to None to leave it float",
            )


def check_training_recipes(plan: Plan) -> None:
    """Warn of recipes that observe without rounding: training would not learn the rounding."""
    told: dict[Any, str] = {}
    for path, _, recipe in plan:
        weight = getattr(recipe, "weight", None)
        if recipe is not None and callable(weight) and recipe not in told:
            made = weight()
            if hasattr(made, "calculate_qparams") and not hasattr(made, "fake_quant_enabled"):
                told[recipe] = path or "the model"
    if told:
        warn(
            f"the recipe of {', '.join(told.values())} observes but does not round, so that "
            "training will not adapt to quantization; use get_default_qat_qconfig()",
            WorkflowWarning,
        )
