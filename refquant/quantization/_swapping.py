"""Replacing modules by their quantized or quantization-aware counterparts."""

import warnings
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from refquant.errors import NotPreparedError, RefquantError
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.quantization._observing import observe_output, remove_hook
from refquant.quantization.observers.affine import noting_idle
from refquant.quantization.stubs import DeQuantStub

__all__ = ["Outcome", "is_replaced", "move_hooks", "replace", "swap_all", "to_swap"]


class Outcome(NamedTuple):
    """Paths of modules that `swap_all` replaced without data, or could not replace.

    Attributes
    ----------
    idle : list of str
        Those whose observer has seen no data; they get scale 1 and zero point 0.
    bare : list of str
        Those that need an observer and have none; they are not replaced.
    """

    idle: list[str]
    bare: list[str]


def is_replaced(module: Module, mapping: Mapping[type, type]) -> bool:
    """Return whether to replace a module: it has a QConfig and its type is in the mapping."""
    wanted = getattr(module, "qconfig", None) is not None or type(module) is DeQuantStub
    return wanted and type(module) in mapping


def replace(module: Module, mapping: Mapping[type, type]) -> Module:
    """Return the replacement of a module, with the hooks of the user and the mode."""
    replacement = mapping[type(module)].from_float(module)  # type: ignore[attr-defined]
    if replacement is module:
        return module
    move_hooks(module, "_forward_pre_hooks", replacement)
    move_hooks(module, "_forward_hooks", replacement)
    remove_hook(replacement)
    return replacement.train(module.training)


def move_hooks(module: Module, kind: str, target: Module) -> None:
    """Move hooks to another module; the user's handles still remove them."""
    target.__dict__[kind] = module.__dict__[kind]
    module.__dict__[kind] = OrderedDict()


def to_swap(model: Module, mapping: Mapping[type, type]) -> list[tuple[str, Module]]:
    """List the modules below `model` to replace, with their paths, inner ones first."""
    listed: list[tuple[str, Module]] = []
    seen: set[int] = set()

    def visit(parent: Module, path: str) -> None:
        for name, child in parent._modules.items():
            if child is None or id(child) in seen:
                continue
            seen.add(id(child))
            below = f"{path}.{name}" if path else name
            replaced = is_replaced(child, mapping)
            # The members of a fused module are replaced with it.
            if not (replaced and isinstance(child, Fused)):
                visit(child, below)
            if replaced:
                listed.append((below, child))

    visit(model, "")
    return listed


def swap_all(model: Module, mapping: Mapping[type, type]) -> Outcome:
    """Replace modules below `model`, each wherever it occurs, unless it lacks an observer."""
    outcome = Outcome([], [])
    chosen = to_swap(model, mapping)
    places: dict[int, list[tuple[Module, str]]] = {id(module): [] for _, module in chosen}
    for parent in model.modules():
        for name, child in parent._modules.items():
            if id(child) in places:
                places[id(child)].append((parent, name))
    for path, module in chosen:
        with noting_idle() as noted:
            try:
                replacement = _replace_at(path, module, mapping)
            except NotPreparedError:
                outcome.bare.append(path)
                continue
        of_weight = f"{path}.weight"
        outcome.idle.extend(dict.fromkeys(n if n == of_weight else path for n in noted))
        for parent, name in places[id(module)]:
            parent._modules[name] = replacement
        _warn_of_lost_hooks(path, module, replacement)
    return outcome


def _replace_at(path: str, module: Module, mapping: Mapping[type, type]) -> Module:
    try:
        return replace(module, mapping)
    except RefquantError as error:
        error.module_path = path
        raise


def _warn_of_lost_hooks(path: str, module: Module, replacement: Module) -> None:
    """Warn about hooks inside a fused module that no longer run."""
    if not isinstance(module, Fused):
        return
    for name, member in module.named_children():
        kept = [h for h in member._forward_hooks.values() if h is not observe_output]
        if kept or member._forward_pre_hooks:
            warnings.warn(
                f"hooks of {path}.{name} no longer run: {type(replacement).__name__} computes "
                f"{type(module).__name__} in one step. Register them on {path!r}.",
                UserWarning,
                stacklevel=5,
            )
