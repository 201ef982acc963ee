"""Replacing modules by others that are made from them."""

import warnings
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from refquant.errors import NotPreparedError, RefquantError
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.observers.quantizing import noting_idle
from refquant.workflow.stubs import DeQuantStub
from refquant.workflow.watching import observe_output, remove_hook

__all__ = ["Outcome", "is_replaced", "move_hooks", "replace", "swap_all", "to_swap"]


class Outcome(NamedTuple):
    """Paths of modules that `swap_all` could not do everything for.

    Attributes
    ----------
    idle : list of str
        Those whose observer has seen no data: they have scale 1 and zero point 0.
    bare : list of str
        Those that need an observer and have none: they are still there.
    """

    idle: list[str]
    bare: list[str]


def is_replaced(module: Module, mapping: Mapping[type, type]) -> bool:
    """Whether a module is one to replace: its type is, and it is to be quantized."""
    wanted = getattr(module, "qconfig", None) is not None or type(module) is DeQuantStub
    return wanted and type(module) in mapping


def replace(module: Module, mapping: Mapping[type, type]) -> Module:
    """Make what takes the place of a module; it gets the hooks of the user and the mode."""
    made = mapping[type(module)].from_float(module)  # type: ignore[attr-defined]
    if made is module:
        return module
    move_hooks(module, "_forward_pre_hooks", made)
    move_hooks(module, "_forward_hooks", made)
    remove_hook(made)
    return made.train(module.training)


def move_hooks(module: Module, kind: str, target: Module) -> None:
    """Let another module have the hooks of one, so that the user's handles keep their power."""
    target.__dict__[kind] = module.__dict__[kind]
    module.__dict__[kind] = OrderedDict()


def to_swap(model: Module, mapping: Mapping[type, type]) -> list[tuple[str, Module]]:
    """List modules below `model` that will be replaced, with their paths, inner ones first."""
    found: list[tuple[str, Module]] = []
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
                found.append((below, child))

    visit(model, "")
    return found


def swap_all(model: Module, mapping: Mapping[type, type]) -> Outcome:
    """Replace modules below `model`, each at all its places, unless it lacks an observer."""
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
                made = _replace_at(path, module, mapping)
            except NotPreparedError:
                outcome.bare.append(path)
                continue
        of_weight = f"{path}.weight"
        outcome.idle.extend(dict.fromkeys(n if n == of_weight else path for n in noted))
        for parent, name in places[id(module)]:
            parent._modules[name] = made
        _warn_of_lost_hooks(path, module, made)
    return outcome


def _replace_at(path: str, module: Module, mapping: Mapping[type, type]) -> Module:
    try:
        return replace(module, mapping)
    except RefquantError as error:
        error.place = path
        raise


def _warn_of_lost_hooks(path: str, module: Module, made: Module) -> None:
    """Say which hooks inside a fused module no longer have anything to look at."""
    if not isinstance(module, Fused):
        return
    for name, member in module.named_children():
        kept = [h for h in member._forward_hooks.values() if h is not observe_output]
        if kept or member._forward_pre_hooks:
            warnings.warn(
                f"hooks of {path}.{name} no longer run: {type(made).__name__} computes "
                f"{type(module).__name__} in one step. Register them on {path!r}.",
                UserWarning,
                stacklevel=5,
            )
