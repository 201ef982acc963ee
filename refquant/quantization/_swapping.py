"""Replacing modules by their quantized or quantization-aware counterparts."""

import inspect
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from refquant._operation import warn
from refquant.errors import NotPreparedError, RefquantError
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.quantization._observing import observe_output, remove_hook
from refquant.quantization._reference import is_reference, reference_of
from refquant.quantization.observers.affine import noting_idle
from refquant.quantization.stubs import DeQuantStub

__all__ = ["Outcome", "Swaps", "is_replaced", "move_hooks", "replace", "swap_all", "to_swap"]


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


class Swaps(NamedTuple):
    """What replaces modules.

    Attributes
    ----------
    mapping : mapping of type to type
        Types with ``from_float``.
    custom : mapping of type to type
        Types with ``from_observed``, which win.
    precomputed : bool
        Whether linear layers keep the quantizer that their weights had last in training.
    """

    mapping: Mapping[type, type]
    custom: Mapping[type, type] = MappingProxyType({})
    precomputed: bool = False


def is_replaced(module: Module, swaps: Swaps) -> bool:
    """Return whether to replace a module: it has a QConfig and its type is to be swapped."""
    wanted = getattr(module, "qconfig", None) is not None or type(module) is DeQuantStub
    return wanted and (type(module) in swaps.mapping or type(module) in swaps.custom)


def replace(module: Module, swaps: Swaps) -> Module:
    """Return the replacement of a module, with the hooks of the user and the mode."""
    kind: Any
    if type(module) in swaps.custom:
        kind = swaps.custom[type(module)]
        replacement = kind.from_observed(module)
    elif is_reference(swaps.mapping[type(module)]):
        replacement = reference_of(module, swaps.mapping[type(module)])
    else:
        kind = swaps.mapping[type(module)]
        takes = inspect.signature(kind.from_float).parameters
        keywords = {"use_precomputed_fake_quant": True} if swaps.precomputed else {}
        replacement = kind.from_float(module, **{k: v for k, v in keywords.items() if k in takes})
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


def to_swap(model: Module, swaps: Swaps) -> list[tuple[str, Module]]:
    """List the modules below `model` to replace, with their paths, inner ones first."""
    listed: list[tuple[str, Module]] = []
    seen: set[int] = set()

    def visit(parent: Module, path: str) -> None:
        for name, child in parent._modules.items():
            if child is None or id(child) in seen:
                continue
            seen.add(id(child))
            below = f"{path}.{name}" if path else name
            replaced = is_replaced(child, swaps)
            # The members of a fused module are replaced with it, or not at all.
            if not isinstance(child, Fused) and not (replaced and type(child) in swaps.custom):
                visit(child, below)
            if replaced:
                listed.append((below, child))

    visit(model, "")
    return listed


def swap_all(model: Module, swaps: Swaps) -> Outcome:
    """Replace modules below `model`, each wherever it occurs, unless it lacks an observer."""
    outcome = Outcome([], [])
    chosen = to_swap(model, swaps)
    places: dict[int, list[tuple[Module, str]]] = {id(module): [] for _, module in chosen}
    for parent in model.modules():
        for name, child in parent._modules.items():
            if id(child) in places:
                places[id(child)].append((parent, name))
    for path, module in chosen:
        with noting_idle() as noted:
            try:
                replacement = _replace_at(path, module, swaps)
            except NotPreparedError:
                outcome.bare.append(path)
                continue
        of_weight = f"{path}.weight"
        outcome.idle.extend(dict.fromkeys(n if n == of_weight else path for n in noted))
        for parent, name in places[id(module)]:
            parent._modules[name] = replacement
        _warn_of_lost_hooks(path, module, replacement)
    return outcome


def _replace_at(path: str, module: Module, swaps: Swaps) -> Module:
    try:
        return replace(module, swaps)
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
            warn(
                f"hooks of {path}.{name} no longer run: {type(replacement).__name__} computes "
                f"{type(module).__name__} in one step. Register them on {path!r}.",
            )
