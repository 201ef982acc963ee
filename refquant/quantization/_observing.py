"""Attaching observers to modules, finding them and removing them."""

from typing import Any

from refquant.nn.containers import Identity
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.nn.quantized.functional_modules import FloatFunctional

__all__ = [
    "NAME",
    "attach",
    "detach",
    "observer_of",
    "remove_hook",
    "set_paths",
]

# Submodule that observes the output of the module it belongs to.
NAME = "activation_post_process"


def observe_output(module: Module, inputs, output):
    """Forward hook: pass the output to the observer and return what it returns."""
    return module.activation_post_process(output)


def attach(module: Module) -> None:
    """Attach the observer that the QConfig of a module gives for its output."""
    module.add_module(NAME, module.qconfig.activation())
    if type(module) is not FloatFunctional:  # which calls its observer itself
        module.register_forward_hook(observe_output)


def is_attached(module: Module) -> bool:
    """Return whether `attach` gave the module an observer."""
    if type(module) is FloatFunctional:
        return type(module._modules.get(NAME)) is not Identity
    return observe_output in module._forward_hooks.values()


def remove_hook(module: Module) -> None:
    """Remove the hook that `attach` registered; hooks of the user stay."""
    for key, hook in tuple(module._forward_hooks.items()):
        if hook is observe_output:
            del module._forward_hooks[key]


def detach(module: Module) -> None:
    """Remove the observer that `attach` gave, and nothing else."""
    if not is_attached(module):
        return
    if type(module) is FloatFunctional:
        module.activation_post_process = Identity()
        return
    remove_hook(module)
    module._modules.pop(NAME, None)


def observer_of(module: Module) -> Module | None:
    """Return the observer of a module's output: for a fused pair, that of its last member."""
    observer = module._modules.get(NAME)
    if observer is None and isinstance(module, Fused):
        observer = module[-1]._modules.get(NAME)
    return None if type(observer) is Identity else observer


def set_paths(model: Module) -> None:
    """Set the path of every observer in the model, so that its errors can name it."""
    for path, module in model.named_modules():
        for name, observed in ((NAME, path), ("weight_fake_quant", f"{path}.weight".lstrip("."))):
            observer: Any = module._modules.get(name)
            # An observer inside fake quantization gets its path from there.
            if hasattr(observer, "path") and not hasattr(module, "path"):
                observer.path = observed
