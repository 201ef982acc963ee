"""Functions of the user that see gradients, and the handles by which hooks are taken away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from refquant import arguments
from refquant.errors import GradientError, ShapeError

if TYPE_CHECKING:
    from refquant.tensors.plain import Tensor

__all__ = ["RemovableHandle", "Watched"]


class RemovableHandle:
    """Handle of a registered hook; `remove` unregisters it."""

    _next = 0

    def __init__(self, hooks: OrderedDict):
        arguments.instance("hooks", hooks, OrderedDict, "an OrderedDict")
        self.hooks = hooks
        self.id = RemovableHandle._next
        RemovableHandle._next += 1

    def remove(self) -> None:
        """Unregister the hook; a second time does nothing."""
        self.hooks.pop(self.id, None)


class Watched:
    """Mixin of tensors whose gradients the user's functions see."""

    __slots__ = ()

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call a function with each gradient of the tensor, before it is used or added up.

        Parameters
        ----------
        hook : callable
            Takes the gradient; what it returns stands in its place, unless that is None.

        Returns
        -------
        RemovableHandle
            Its `remove` takes the hook away.

        Raises
        ------
        GradientError
            If the tensor requires no gradient.
        ShapeError
            In `backward`, if a hook returns a tensor of another shape.

        Examples
        --------
        >>> import refquant
        >>> x = refquant.tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: gradient * 10)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
        >>> handle.remove()
        """
        return _of_gradients(self, hook)


def _of_gradients(tensor: Any, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Register a hook where `refquant.tensors.autograd` finds it."""
    arguments.function("hook", hook)
    if not tensor.requires_grad:
        raise GradientError(
            argument="self",
            expected="a tensor that requires a gradient",
            got="one that does not",
            hint="set requires_grad=True before",
        )

    plain = type(tensor.detach())  # also of a parameter

    def call(gradient: np.ndarray) -> np.ndarray:
        given = plain(gradient)
        result = hook(given)
        if result is None:
            return gradient
        arguments.instance("hook", result, plain, "a function that returns a tensor or None")
        if result.array.shape != gradient.shape:
            raise ShapeError(
                argument="hook",
                expected=f"a gradient of the shape {gradient.shape} of the tensor",
                got=f"shape {result.array.shape}",
            )
        return result.array

    owner: Any = tensor.node or tensor
    owner.hooks = OrderedDict() if owner.hooks is None else owner.hooks
    handle = RemovableHandle(owner.hooks)
    owner.hooks[handle.id] = call
    return handle
