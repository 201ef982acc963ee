"""The gradient tape: recorded operations, and backpropagation through them.

A tensor made by a differentiable operation carries a `Node`: the operation's inputs and a function
that turns the gradient of its output into the gradients of its inputs. `backward` walks the nodes
from last to first, so that every gradient is complete before it is passed on.
"""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ContextDecorator
from types import FunctionType
from typing import Any, Literal, Self

import numpy as np

from refquant import arguments
from refquant.errors import GradientError

__all__ = [
    "Node",
    "backward",
    "enable_grad",
    "gradients",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]


class _Mode(threading.local):
    enabled = True
    inference = 0


_mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations are recorded.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> with refquant.no_grad():
    ...     refquant.is_grad_enabled()
    False
    """
    return _mode.enabled


class _GradMode(ContextDecorator):
    """Set the mode in a ``with`` block or a decorated function; nests and is re-entrant."""

    enabled: bool

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> Self:
        self._before.append(_mode.enabled)
        _mode.enabled = self.enabled
        return self

    def __exit__(self, *error: Any) -> Literal[False]:
        _mode.enabled = self._before.pop()
        return False


class no_grad(_GradMode):
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


class inference_mode(_GradMode):
    """Record nothing, as `no_grad`; as a decorator, too.

    Parameters
    ----------
    mode : bool, default True
        Whether to do so at all.

    Examples
    --------
    >>> import refquant
    >>> @refquant.inference_mode()
    ... def double(x):
    ...     return x * 2
    >>> double(refquant.tensor([1.0], requires_grad=True)).requires_grad
    False
    """

    def __new__(cls, mode: Any = True) -> Any:
        """Decorate a function that stands in the place of `mode`."""
        self = super().__new__(cls)
        if isinstance(mode, FunctionType):
            self.__init__()  # type: ignore[misc]
            return self(mode)
        return self

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = arguments.flag("mode", mode)

    def __enter__(self) -> Self:
        self.enabled = _mode.enabled and not self.mode
        _mode.inference += self.mode
        return super().__enter__()

    def __exit__(self, *error: Any) -> Literal[False]:
        _mode.inference -= self.mode
        return super().__exit__(*error)


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> with refquant.inference_mode():
    ...     refquant.is_inference_mode_enabled()
    True
    """
    return _mode.inference > 0


class enable_grad(_GradMode):
    """Record again, inside `no_grad`.

    Examples
    --------
    >>> import refquant
    >>> with refquant.no_grad(), refquant.enable_grad():
    ...     refquant.is_grad_enabled()
    True
    """

    enabled = True


class set_grad_enabled(_GradMode):
    """Record or not, as `mode` says, from now on or inside a ``with`` block.

    Parameters
    ----------
    mode : bool
        Whether operations are recorded.

    Examples
    --------
    >>> import refquant
    >>> with refquant.set_grad_enabled(False):
    ...     refquant.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.enabled = arguments.flag("mode", mode)
        self._first = _mode.enabled
        _mode.enabled = self.enabled

    def __enter__(self) -> Self:
        _mode.enabled = self._first
        return super().__enter__()


class Node:
    """One recorded operation.

    Attributes
    ----------
    sources : tuple
        Where each operand came from: its `Node`, the tensor itself if it is a leaf, or None if
        it requires no gradient. Not the operands: an operation in place gives a tensor another
        node, and what was computed before belongs to the old one.
    function : callable
        Takes the gradient of the output, an ndarray of its shape, and returns a gradient (an
        ndarray) or None for each operand.
        None after `backward` has freed the arrays that the operation kept for it.
    retained : Tensor or None
        The output, if its gradient is to be kept.
    hooks : dict or None
        Functions of the gradient of the output, which may return another.
    """

    __slots__ = ("function", "hooks", "retained", "sources")
    function: Any

    def __init__(self, inputs: Sequence[Any], function: Callable[..., Sequence[Any]]):
        self.sources = tuple((t.node or t) if t.requires_grad else None for t in inputs)
        self.function = function
        self.retained: Any = None
        self.hooks: dict[int, Callable[[np.ndarray], np.ndarray]] | None = None

    def free(self) -> None:
        """Release the arrays that the operation kept; one that kept none can run again."""
        if _holds_arrays(self.function):
            self.function, self.sources, self.retained = None, (), None


def _holds_arrays(function: Any) -> bool:
    """Whether a function that turns gradients has arrays of its own, as closures or bound."""
    seen, stack = set(), [function]
    while stack:
        held = stack.pop()
        if isinstance(held, np.ndarray) or hasattr(held, "array"):
            return True
        if id(held) in seen:
            continue
        seen.add(id(held))
        if isinstance(held, tuple | list):
            stack.extend(held)
        elif isinstance(held, functools.partial):
            stack.extend((held.func, *held.args, *held.keywords.values()))
        elif isinstance(held, FunctionType):
            stack.extend(cell.cell_contents for cell in held.__closure__ or ())
            stack.extend(held.__defaults__ or ())
    return False


def _last_to_first(root) -> Iterator[Any]:
    """Sort the nodes and leaves that lead to `root` topologically, results first."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        source, done = stack.pop()
        if done:
            order.append(source)
        elif id(source) not in seen:
            seen.add(id(source))
            stack.append((source, True))
            if isinstance(source, Node):
                stack.extend((s, False) for s in source.sources if s is not None)
    return reversed(order)


def backward(root, gradient=None, retain_graph: bool = False) -> None:
    """Add to ``.grad`` of every leaf the gradient of `root` with respect to it.

    Parameters
    ----------
    root : Tensor
        What is differentiated.
    gradient : ndarray, optional
        Gradient of the final number with respect to `root`; 1 where `root` has one element.
    retain_graph : bool, default False
        Whether what was recorded is kept for another call. Otherwise the arrays that operations
        kept are freed.

    Raises
    ------
    GradientError
        If `root` requires no gradient, or has several elements and no `gradient` is given, or
        an operation below it was freed by an earlier call.
    """
    if not root.requires_grad:
        raise GradientError(
            argument="self",
            expected="a tensor that requires a gradient",
            got="one that does not",
            hint="set requires_grad=True on the tensors it is computed from, outside no_grad()",
        )
    if gradient is None:
        if root.array.size != 1:
            raise GradientError(
                "backward without a gradient",
                argument="self",
                expected="a tensor of one element",
                got=f"shape {root.array.shape}",
                hint="reduce it with .sum() or .mean(), or pass gradient=",
            )
        gradient = np.ones_like(root.array)
    # What is infinite or undefined becomes inf or NaN in a gradient, as in the operations.
    with np.errstate(all="ignore"):
        order = list(_last_to_first(root.node or root))
        _check_kept(order)
        _walk(order, {id(order[0]): gradient})
        if not retain_graph:
            _free(order)


def gradients(roots, incoming, inputs, retain_graph: bool = False) -> list[Any]:
    """Compute the gradients of `roots` with respect to `inputs`; nothing is added to ``.grad``.

    Parameters
    ----------
    roots : sequence of Tensor
        What is differentiated, all requiring a gradient.
    incoming : sequence of ndarray
        Gradients with respect to `roots`.
    inputs : sequence of Tensor
        Leaves or not.
    retain_graph : bool, default False
        As of `backward`.

    Returns
    -------
    list of ndarray or None
        None where a tensor was not used.
    """
    with np.errstate(all="ignore"):
        above = Node(roots, lambda gradient: gradient)
        order = list(_last_to_first(above))
        _check_kept(order)
        found: dict[int, Any] = {id(t.node or t): None for t in inputs}
        _walk(order, {id(above): list(incoming)}, found)
        if not retain_graph:
            _free(order)
    return [found[id(t.node or t)] for t in inputs]


def _free(order: list[Any]) -> None:
    for source in order:
        if isinstance(source, Node):
            source.free()


def _check_kept(order: list[Any]) -> None:
    """Raise before anything is added to a gradient if a part of the graph is gone."""
    if any(isinstance(source, Node) and source.function is None for source in order):
        raise GradientError(
            "backward through the same operations a second time",
            argument="self",
            expected="a tensor whose operations were not freed by an earlier backward()",
            hint="compute the tensor again, or pass retain_graph=True to the first call",
        )


def _walk(order: list[Any], pending: dict[int, Any], found: dict[int, Any] | None = None) -> None:
    """Propagate gradients back, to every leaf or into what is to be found."""
    for source in order:
        grad = pending.pop(id(source), None)
        if grad is None:
            continue
        for hook in tuple((source.hooks or {}).values()):
            grad = hook(grad)
        if found is not None and id(source) in found:
            found[id(source)] = grad
        if not isinstance(source, Node):
            if found is None:
                source.accumulate_grad(grad)
            continue
        if source.retained is not None and found is None:
            source.retained.accumulate_grad(grad)
        for below, part in zip(source.sources, source.function(grad), strict=True):
            if part is not None and below is not None:
                key = id(below)
                pending[key] = part if key not in pending else pending[key] + part
