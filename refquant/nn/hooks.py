"""Calling a module: its ``forward``, with functions of the user before and after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from refquant.errors import RefquantError

__all__ = ["Hooked", "RemovableHandle"]


class RemovableHandle:
    """What registering a hook returns; `remove` takes the hook away."""

    _next = 0

    def __init__(self, hooks: OrderedDict):
        self.hooks = hooks
        self.id = RemovableHandle._next
        RemovableHandle._next += 1

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self.hooks.pop(self.id, None)


class Hooked:
    """What can be called and lets hooks look at, or replace, what goes in and comes out."""

    _forward_hooks: OrderedDict
    _forward_pre_hooks: OrderedDict
    forward: Callable[..., Any]

    def __call__(self, *inputs, **keywords):
        """Run `forward`, with the hooks before and after it."""
        try:
            for hook in tuple(self._forward_pre_hooks.values()):
                changed = hook(self, inputs)
                if changed is not None:
                    inputs = changed if isinstance(changed, tuple) else (changed,)
            result = self.forward(*inputs, **keywords)
            for hook in tuple(self._forward_hooks.values()):
                changed = hook(self, inputs, result)
                if changed is not None:
                    result = changed
        except RefquantError as error:
            error.leave(self)
            raise
        return result

    def register_forward_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, inputs, output)`` after `forward`.

        What the hook returns replaces the output, unless it is None.
        """
        handle = RemovableHandle(self._forward_hooks)
        self._forward_hooks[handle.id] = hook
        return handle

    def register_forward_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, inputs)`` before `forward`.

        What the hook returns replaces the inputs, unless it is None.
        """
        handle = RemovableHandle(self._forward_pre_hooks)
        self._forward_pre_hooks[handle.id] = hook
        return handle
