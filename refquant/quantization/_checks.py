"""Checks of arguments that the steps of the workflow share."""

from collections.abc import Mapping
from typing import Any

from refquant import arguments
from refquant.errors import ArgumentTypeError, NotSupportedError
from refquant.nn.module import Module
from refquant.quantization import mappings
from refquant.quantization._observing import observer_of

__all__ = [
    "check_unprepared",
    "checked_mapping",
    "checked_model",
    "checked_settings",
    "checked_types",
]


def checked_model(argument: str, model: Any) -> Module:
    """Return a module, or raise."""
    if not isinstance(model, Module):
        hint = "pass the model itself, an instance" if isinstance(model, type) else None
        raise ArgumentTypeError(
            argument=argument,
            expected="a refquant.nn.Module",
            got=type(model).__name__,
            hint=hint,
        )
    return model


def checked_mapping(mapping: Any, default: str) -> Mapping[type, type]:
    """Return a mapping of types to types that have ``from_float``; None stands for a default."""
    if mapping is None:
        return mappings.default(default)
    if not isinstance(mapping, Mapping):
        raise ArgumentTypeError(
            argument="mapping",
            expected="a mapping of types to types",
            got=type(mapping).__name__,
        )
    for old, new in mapping.items():
        if not isinstance(old, type) or not callable(getattr(new, "from_float", None)):
            raise ArgumentTypeError(
                argument="mapping",
                expected="types, each with one that has from_float()",
                got=f"{old!r}: {new!r}",
                hint="give the new type a classmethod from_float(cls, mod)",
            )
    return mapping


def checked_settings(argument: str, settings: Any) -> Mapping[Any, Any]:
    """Return a mapping of settings; None stands for none."""
    return {} if settings is None else arguments.mapping(argument, settings)


def checked_types(argument: str, types: Any) -> list[type]:
    """Return a list of types from an iterable of them."""
    given = arguments.sequence(argument, types, "types of modules")
    for kind in given:
        arguments.instance(argument, kind, type, "types of modules")
    return given


def check_unprepared(modules: Mapping[str, Module]) -> None:
    """Raise if modules that are to be joined have observers, fake quantization or integers.

    Observers would stay where they are and observe what is no longer the output.
    """
    quantized = mappings.quantized_types()
    for state, hint, test in (
        ("quantized", "convert() or quantize_dynamic()", lambda part: type(part) in quantized),
        ("prepared", "prepare() or prepare_qat()", _is_prepared),
    ):
        conflicting = [name for name, m in modules.items() if any(map(test, m.modules()))]
        if conflicting:
            raise NotSupportedError(
                argument="modules_to_fuse",
                expected="modules of a float model",
                got=f"{', '.join(conflicting)}, which {'is' if len(conflicting) == 1 else 'are'} "
                f"{state} already",
                hint=f"fuse the float model first, then call {hint}",
            )


def _is_prepared(module: Module) -> bool:
    return observer_of(module) is not None or "weight_fake_quant" in module._modules
