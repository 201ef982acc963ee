"""Checks of arguments that the steps of the workflow share."""

from collections.abc import Mapping
from typing import Any

from refquant.errors import ArgumentTypeError
from refquant.nn.module import Module
from refquant.quantization import mappings

__all__ = ["checked_mapping", "checked_model"]


def checked_model(asked: str, argument: str, model: Any) -> Module:
    """Take a module."""
    if not isinstance(model, Module):
        mend = "pass the model itself, an instance" if isinstance(model, type) else None
        raise ArgumentTypeError(
            asked,
            argument=argument,
            expected="a refquant.nn.Module",
            got=type(model).__name__,
            mend=mend,
        )
    return model


def checked_mapping(asked: str, mapping: Any, default: str) -> Mapping[type, type]:
    """Take a mapping of types to types that have ``from_float``; None stands for a default."""
    if mapping is None:
        return mappings.default(default)
    if not isinstance(mapping, Mapping):
        raise ArgumentTypeError(
            asked,
            argument="mapping",
            expected="a mapping of types to types",
            got=type(mapping).__name__,
        )
    for old, new in mapping.items():
        if not isinstance(old, type) or not callable(getattr(new, "from_float", None)):
            raise ArgumentTypeError(
                asked,
                argument="mapping",
                expected="types, each with one that has from_float()",
                got=f"{old!r}: {new!r}",
                mend="give the new type a classmethod from_float(cls, mod)",
            )
    return mapping
