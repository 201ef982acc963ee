"""Inputs and outputs of the modules of a model, recorded while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from refquant.nn.module import Module
from refquant.nn.quantized import FloatFunctional, QFunctional
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Call", "dequantized", "first_tensor", "recorded"]

# Modules that are not called, but whose methods are.
_METHODS = ("add", "add_scalar", "mul", "mul_scalar", "cat", "add_relu")


class Call:
    """One call of one module.

    Attributes
    ----------
    inputs : tuple
        Its inputs, dequantized and copied before it ran; empty if they are not recorded.
    output : Tensor
        A copy of its output; the first tensor if there are several.
    method : str
        ``'forward'``, or the method of a functional module.
    """

    __slots__ = ("inputs", "method", "output")

    def __init__(self, inputs: tuple, output: Tensor, method: str = "forward"):
        self.inputs, self.output, self.method = inputs, output, method


def first_tensor(value: Any) -> Tensor | None:
    """Return the first tensor in the output of a module: a tensor, or nested tuples of tensors."""
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(parts, str) or not hasattr(parts, "__iter__"):
        return None
    return next((found for part in parts if (found := first_tensor(part)) is not None), None)


def dequantized(value: Any) -> Any:
    """Copy arguments, dequantizing quantized tensors."""
    if isinstance(value, QuantizedTensor):
        return value.dequantize()
    if isinstance(value, Tensor):
        return value.clone()
    if type(value) in (tuple, list):
        return type(value)(map(dequantized, value))
    return value


@contextmanager
def recorded(model: Module, *, inputs: bool) -> Iterator[dict[str, list[Call]]]:
    """Record the calls of the modules of a model while the block runs, in the order they return.

    Parameters
    ----------
    model : Module
        Observed by hooks, which are removed at the end.
    inputs : bool
        Whether to keep inputs, and to leave out modules that return their input, such as an
        Identity.

    Yields
    ------
    dict of str to list of Call
        By the dotted names of the modules.
    """
    calls: dict[str, list[Call]] = {}
    handles: list[Any] = []
    functional: list[tuple[Module, str]] = []

    def watch(name: str, module: Module) -> None:
        waiting: list[tuple] = []

        def before(module: Module, given: tuple) -> None:
            waiting.append(dequantized(given))

        def after(module: Module, given: tuple, output: Any) -> None:
            kept = waiting.pop() if inputs else ()
            tensor = first_tensor(output)
            returns_input = inputs and any(output is value for value in given)
            if tensor is not None and not returns_input:
                # A copy, because the next module may work in place.
                calls.setdefault(name, []).append(Call(kept, tensor.clone()))

        if inputs:
            handles.append(module.register_forward_pre_hook(before))
        handles.append(module.register_forward_hook(after))

    def wrap(name: str, module: Module, method: str) -> None:
        original: Callable = getattr(module, method)

        def called(*given: Any) -> Any:
            kept = dequantized(given) if inputs else ()
            output = original(*given)
            calls.setdefault(name, []).append(Call(kept, output.clone(), method))
            return output

        # An attribute of the instance takes precedence over the method of the class.
        module.__dict__[method] = called
        functional.append((module, method))

    try:
        for name, module in model.named_modules():
            if isinstance(module, FloatFunctional | QFunctional):
                for method in _METHODS:
                    wrap(name, module, method)
            else:
                watch(name, module)
        yield calls
    finally:
        for handle in handles:
            handle.remove()
        for module, method in functional:
            del module.__dict__[method]
