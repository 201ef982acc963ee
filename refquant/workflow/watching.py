"""How an observer is attached to a module, found again and taken away."""

from typing import Any

from refquant.nn.containers import Identity
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.nn.quantized.functional_modules import FloatFunctional

__all__ = [
    "NAME",
    "observer_of",
    "remove_hook",
    "tell_paths",
    "unwatch",
    "watch",
]

# Submodule that observes the output of the module it belongs to.
NAME = "activation_post_process"


def observe_output(module: Module, inputs, output):
    """Forward hook: hand the output to the observer, whose answer takes its place."""
    return module.activation_post_process(output)


def watch(module: Module) -> None:
    """Give a module an observer of its output, as its QConfig says."""
    module.add_module(NAME, module.qconfig.activation())
    if type(module) is not FloatFunctional:  # which hands its results on by itself
        module.register_forward_hook(observe_output)


def is_watched(module: Module) -> bool:
    """Whether `watch` gave the module an observer."""
    if type(module) is FloatFunctional:
        return type(module._modules.get(NAME)) is not Identity
    return observe_output in module._forward_hooks.values()


def remove_hook(module: Module) -> None:
    """Take away the hook that `watch` gave; those of the user stay."""
    for key, hook in tuple(module._forward_hooks.items()):
        if hook is observe_output:
            del module._forward_hooks[key]


def unwatch(module: Module) -> None:
    """Take away the observer that `watch` gave, and nothing else."""
    if not is_watched(module):
        return
    if type(module) is FloatFunctional:
        module.activation_post_process = Identity()
        return
    remove_hook(module)
    module._modules.pop(NAME, None)


def observer_of(module: Module) -> Module | None:
    """Find the observer of what a module returns: for a fused pair, that of its last member."""
    own = module._modules.get(NAME)
    if own is None and isinstance(module, Fused):
        own = module[-1]._modules.get(NAME)
    return None if type(own) is Identity else own


def tell_paths(model: Module) -> None:
    """Tell every observer which part of the model it watches, so that its errors can say so."""
    for path, module in model.named_modules():
        for name, called in ((NAME, path), ("weight_fake_quant", f"{path}.weight".lstrip("."))):
            observer: Any = module._modules.get(name)
            # What fake quantization holds learns its path from it.
            if hasattr(observer, "path") and not hasattr(module, "path"):
                observer.path = called
