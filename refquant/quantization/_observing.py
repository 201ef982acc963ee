"""Attaching observers to modules, finding them and removing them."""

from collections.abc import Callable
from typing import Any

from refquant import engines
from refquant.nn.containers import Identity
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.nn.quantized.functional_modules import FloatFunctional

__all__ = [
    "NAME",
    "attach",
    "detach",
    "is_attached",
    "observer_of",
    "observes_wholes",
    "remove_hook",
    "set_paths",
]

# Submodule that observes the output of the module it belongs to.
NAME = "activation_post_process"


def observes_wholes() -> bool:
    """Return whether preparation is that of PyTorch 2.13, by the engine that is chosen now.

    It observes fused pairs as wholes, and of the other modules those that convert can replace.
    """
    return engines.current().workflow.observes_pairs == "whole"


def observe_output(module: Module, inputs, output):
    """Forward hook: pass the output to the observer and return what it returns."""
    return module.activation_post_process(output)


def observe_input(module: Module, inputs):
    """Forward pre-hook: pass the input to the observer and return what it returns."""
    return module.activation_post_process(inputs[0])


def attach(module: Module, make: Callable[[], Module] | None = None, first: bool = False) -> None:
    """Attach the observer that the QConfig of a module gives for its output.

    Parameters
    ----------
    module : Module
        With a QConfig.
    make : callable, optional
        Makes another observer.
    first : bool
        Whether to observe before other hooks run; otherwise after those that are there.
    """
    observer: Any = (make or module.qconfig.activation)()
    if type(module) is FloatFunctional:  # which calls its observer itself
        module.activation_post_process = observer
        return
    module.add_module(NAME, observer)
    inner = observer._modules.get(NAME, observer)
    if first and getattr(inner, "averaging_constant", None) == 1:
        # It keeps nothing from batch to batch: a dynamic layer, whose input is quantized.
        handle = module.register_forward_pre_hook(observe_input)
    else:
        handle = module.register_forward_hook(observe_output)
    if first:
        handle.hooks.move_to_end(handle.id, last=False)


def is_attached(module: Module) -> bool:
    """Return whether `attach` gave the module an observer."""
    if type(module) is FloatFunctional:
        return type(module._modules.get(NAME)) is not Identity
    hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    return observe_output in hooks or observe_input in hooks


def remove_hook(module: Module) -> None:
    """Remove the hook that `attach` registered; hooks of the user stay."""
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        for key, hook in tuple(hooks.items()):
            if hook in (observe_output, observe_input):
                del hooks[key]


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
    """Return the observer of a module's output: a fused pair has it itself, or its last member."""
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
