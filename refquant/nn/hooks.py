"""Calling a module: its ``forward``, with the hooks before and after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from refquant import arguments
from refquant._environment import in_usual_environment
from refquant.errors import ArgumentTypeError, RefquantError
from refquant.tensors.hooks import RemovableHandle

__all__ = ["Hooked"]


P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class _HasForward(Protocol[P, R_co]):
    """Anything with a ``forward``: a call takes and returns what that does."""

    @property
    def forward(self) -> Callable[P, R_co]: ...


class Hooked:
    """Mixin: calls ``forward`` with hooks that see, and may replace, its inputs and output."""

    _forward_hooks: OrderedDict
    _forward_pre_hooks: OrderedDict
    forward: Callable[..., Any]
    # Methods that compute numbers when they are called themselves.
    _computing: tuple[str, ...] = ("calculate_qparams", "from_float", "from_reference")

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in cls._computing:
            member = vars(cls).get(name)
            if isinstance(member, classmethod):
                function = in_usual_environment(member.__func__)
                setattr(cls, name, classmethod(function))
            elif isinstance(member, FunctionType):
                setattr(cls, name, in_usual_environment(member))

    if TYPE_CHECKING:

        def __call__(self: _HasForward[P, R_co], *inputs: P.args, **keywords: P.kwargs) -> R_co:
            """Take and return what `forward` does."""
            ...

    else:

        @in_usual_environment
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
            except TypeError:
                # Looked at only after it failed, as a call must cost nothing more.
                if arguments.fits(self.forward, *inputs, **keywords):
                    raise
                raise self._unfit(inputs, keywords) from None
            return result

    def _unfit(self, inputs: tuple, keywords: dict) -> ArgumentTypeError:
        """Describe arguments that `forward` does not accept."""
        given = [*map(arguments.describe, inputs)]
        given += [f"{name}={arguments.describe(value)}" for name, value in keywords.items()]
        error = ArgumentTypeError(
            argument="inputs",
            expected=f"the arguments of forward{arguments.parameters_of(self.forward)}",
            got=f"({', '.join(given)})",
        )
        error.leave(self)
        return error

    def register_forward_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, inputs, output)`` after `forward`.

        What the hook returns replaces the output, unless it is None.
        """
        arguments.function("hook", hook, given=3)
        handle = RemovableHandle(self._forward_hooks)
        self._forward_hooks[handle.id] = hook
        return handle

    def register_forward_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, inputs)`` before `forward`.

        What the hook returns replaces the inputs, unless it is None.
        """
        arguments.function("hook", hook, given=2)
        handle = RemovableHandle(self._forward_pre_hooks)
        self._forward_pre_hooks[handle.id] = hook
        return handle
