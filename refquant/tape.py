"""The gradient tape: which tensor came from which, and how gradients flow back.

A tensor made by a differentiable operation carries a `Node`: the operation's inputs and a function
that turns the gradient of its output into the gradients of its inputs. `backward` walks the nodes
from last to first, so that every gradient is complete before it is passed on.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ContextDecorator
from typing import Any

import numpy as np

from refquant.errors import GradientError

__all__ = ["Node", "backward", "enable_grad", "is_grad_enabled", "no_grad"]


class _Mode(threading.local):
    enabled = True


_mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations are recorded."""
    return _mode.enabled


class _GradMode(ContextDecorator):
    """Set the mode in a ``with`` block or a decorated function; nests and is re-entrant."""

    enabled: bool

    def __init__(self):
        self._before: list[bool] = []

    def __enter__(self):
        self._before.append(_mode.enabled)
        _mode.enabled = self.enabled
        return self

    def __exit__(self, *error):
        _mode.enabled = self._before.pop()
        return False


class no_grad(_GradMode):  # noqa: N801  the documented name
    """Record nothing: results do not require gradients.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([1.0], requires_grad=True)
    >>> with refquant.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    enabled = False


class enable_grad(_GradMode):  # noqa: N801  the documented name
    """Record again, inside `no_grad`."""

    enabled = True


class Node:
    """One recorded operation.

    Attributes
    ----------
    inputs : sequence of Tensor
        The operands.
    function : callable
        Takes the gradient of the output, an ndarray of its shape, and returns a gradient (an
        ndarray) or None for each input.
    """

    __slots__ = ("function", "inputs")

    def __init__(self, inputs: Sequence[Any], function: Callable[..., Sequence[Any]]):
        self.inputs, self.function = inputs, function


def _last_to_first(root) -> Iterator[Any]:
    """Tensors that lead to `root`, each after everything that was computed from it."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        tensor, done = stack.pop()
        if done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            if tensor.node is not None:
                stack.extend((t, False) for t in tensor.node.inputs if t.requires_grad)
    return reversed(order)


def backward(root, gradient=None) -> None:
    """Add to ``.grad`` of every leaf the gradient of `root` with respect to it.

    Parameters
    ----------
    root : Tensor
        What is differentiated.
    gradient : ndarray, optional
        Gradient of the final number with respect to `root`; 1 where `root` has one element.

    Raises
    ------
    GradientError
        If `root` requires no gradient, or has several elements and no `gradient` is given.
    """
    if not root.requires_grad:
        raise GradientError(
            "backward",
            argument="self",
            expected="a tensor that requires a gradient",
            got="one that does not",
            mend="set requires_grad=True on the tensors it is computed from, outside no_grad()",
        )
    if gradient is None:
        if root.array.size != 1:
            raise GradientError(
                "backward without a gradient",
                argument="self",
                expected="a tensor of one element",
                got=f"shape {root.array.shape}",
                mend="reduce it with .sum() or .mean(), or pass gradient=",
            )
        gradient = np.ones_like(root.array)
    pending = {id(root): gradient}
    for tensor in _last_to_first(root):
        grad = pending.pop(id(tensor), None)
        if grad is None:
            continue
        if tensor.node is None or tensor.retains_grad:
            tensor.accumulate_grad(grad)
        if tensor.node is None:
            continue
        for source, part in zip(tensor.node.inputs, tensor.node.function(grad), strict=True):
            if part is not None and source.requires_grad:
                key = id(source)
                pending[key] = part if key not in pending else pending[key] + part
