"""Operations with a backward pass of their own: `autograd.Function`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentTypeError, GradientError, NotSupportedError, ShapeError
from refquant.tensors import autograd
from refquant.tensors.plain import Tensor

__all__ = ["Function", "FunctionCtx"]


class FunctionCtx:
    """What the forward pass of a `Function` hands to its backward pass.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        Which arguments of the forward pass require a gradient.

    Examples
    --------
    >>> import refquant
    >>> from refquant.autograd.function import FunctionCtx
    >>> ctx = FunctionCtx()
    >>> ctx.factor = 3
    >>> ctx.save_for_backward(refquant.ones(1))
    >>> ctx.saved_tensors
    (tensor([1.]),)
    >>> ctx.mark_dirty(refquant.ones(1))
    >>> ctx.mark_non_differentiable(refquant.ones(1))
    >>> ctx.set_materialize_grads(False)
    """

    def __init__(self) -> None:
        self.needs_input_grad: tuple[bool, ...] = ()
        self._saved: tuple[Any, ...] = ()
        self._fixed: tuple[int, ...] = ()
        self._changed: tuple[int, ...] = ()
        self._materialized = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for the backward pass."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors that were kept."""
        return self._saved

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which results require no gradient."""
        self._fixed = tuple(map(id, args))

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which arguments were changed in place."""
        self._changed = tuple(map(id, args))

    def set_materialize_grads(self, value: bool) -> None:
        """Set whether results that were not used get gradients of zeros, or None."""
        self._materialized = arguments.flag("value", value)


class _Parts(dict):
    """Gradients of the results of one call, by number; those of a result add up."""

    def __add__(self, other: dict) -> "_Parts":
        total = _Parts(self)
        for number, part in other.items():
            total[number] = total[number] + part if number in total else part
        return total


class Function:
    """Base class of operations whose backward pass is written by hand.

    A class defines `forward` and `backward` as static methods, and is called by ``apply``.

    Examples
    --------
    A straight-through estimator: rounding, with the gradient of the identity.

    >>> import refquant
    >>> class Round(refquant.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x.round()
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         return grad_output
    >>> x = refquant.tensor([0.3, 1.6], requires_grad=True)
    >>> Round.apply(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """Compute the results; without `ctx` where `setup_context` is defined."""
        raise NotSupportedError("the Function has no forward pass", hint="define forward(ctx, ...)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what the backward pass needs."""
        raise NotSupportedError("the Function has no setup_context")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradient of each argument of `forward`, or None."""
        raise NotSupportedError(
            "the Function has no backward pass", hint="define backward(ctx, grad_output)"
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Compute the results, and record them if an argument requires a gradient."""
        ctx = FunctionCtx()
        tensors = [arg for arg in args if isinstance(arg, Tensor)]
        recorded = autograd.is_grad_enabled() and any(t.requires_grad for t in tensors)
        ctx.needs_input_grad = tuple(
            recorded and isinstance(arg, Tensor) and arg.requires_grad for arg in args
        )
        with autograd.no_grad():
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args)
            else:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
        if not recorded:
            return output
        several = isinstance(output, tuple)
        outputs = output if several else (output,)
        node = autograd.Node(
            [arg if isinstance(arg, Tensor) else _CONSTANT for arg in args],
            _backward_of(cls, ctx, args, outputs),
        )
        given = {id(t) for t in tensors}
        results = [_recorded(o, n, node, ctx, given) for n, o in enumerate(outputs)]
        return tuple(results) if several else results[0]


_CONSTANT = Tensor(np.zeros(()))


def _recorded(result: Any, number: int, node: Any, ctx: FunctionCtx, given: set[int]) -> Any:
    """Give a result its place in the graph."""
    if not isinstance(result, Tensor) or not result.dtype.is_floating_point:
        return result
    if id(result) in ctx._fixed:
        return result
    if id(result) in given and id(result) not in ctx._changed:
        result = Tensor(result.array)  # the argument itself keeps its own history
    if id(result) in ctx._changed and result.requires_grad and result.node is None:
        raise GradientError(
            "a Function changes a leaf that requires a gradient",
            argument="args",
            expected="a tensor that was computed",
            got="a leaf",
        )
    part = autograd.Node([], lambda gradient: (_Parts({number: gradient}),))
    part.sources = (node,)
    result.node, result.requires_grad = part, True
    return result


def _backward_of(cls: type[Function], ctx: FunctionCtx, args: Sequence[Any], outputs: Any) -> Any:
    shapes = [o.array.shape if isinstance(o, Tensor) else None for o in outputs]
    kinds = [o.array.dtype if isinstance(o, Tensor) else None for o in outputs]

    def backward(parts: _Parts) -> list[Any]:
        incoming: list[Tensor | None] = []
        for number, (shape, kind) in enumerate(zip(shapes, kinds, strict=True)):
            if number in parts:
                incoming.append(Tensor(np.asarray(parts[number])))
            elif shape is not None and ctx._materialized:
                incoming.append(Tensor(np.zeros(shape, kind)))
            else:
                incoming.append(None)
        with autograd.no_grad():
            found = cls.backward(ctx, *incoming)
        found = list(found) if isinstance(found, tuple | list) else [found]
        extra = found[len(args) :]
        if len(found) < len(args) or any(part is not None for part in extra):
            raise GradientError(
                f"{cls.__name__}.backward",
                argument="backward",
                expected=f"{len(args)} gradients, one for each argument of forward",
                got=f"{len(found)}",
            )
        return [_checked(cls, arg, part) for arg, part in zip(args, found, strict=False)]

    return backward


def _checked(cls: type[Function], arg: Any, part: Any) -> np.ndarray | None:
    if part is None or not isinstance(arg, Tensor):
        return None
    if not isinstance(part, Tensor):
        raise ArgumentTypeError(
            f"{cls.__name__}.backward",
            argument="backward",
            expected="tensors, or None",
            got=arguments.describe(part),
        )
    array = part.array
    if array.shape != arg.array.shape:
        # What was broadcast in the forward pass is summed.
        lead = max(array.ndim - arg.array.ndim, 0)
        array = array.sum(axis=tuple(range(lead)))
        pairs = enumerate(zip(array.shape, arg.array.shape, strict=False))
        array = array.sum(axis=tuple(d for d, (a, b) in pairs if b == 1 < a), keepdims=True)
        if array.shape != arg.array.shape:
            raise ShapeError(
                f"{cls.__name__}.backward",
                argument="backward",
                expected=f"a gradient of shape {arg.array.shape}",
                got=f"shape {part.array.shape}",
            )
    return array
