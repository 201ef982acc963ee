"""Gradients as values, and backpropagation from several tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, GradientError, NotSupportedError, ShapeError
from refquant.tensors import Tensor, autograd

__all__ = ["Variable", "backward", "grad"]


def _tensors(argument: str, value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    found = arguments.sequence(argument, value, "a tensor or a sequence of tensors")
    for tensor in found:
        arguments.instance(argument, tensor, Tensor, "tensors")
    return found


def _incoming(argument: str, roots: list[Tensor], given: Any) -> list[np.ndarray]:
    """Check the gradients of the results; 1 where a result has one element."""
    parts = [None] * len(roots) if given is None else given
    if isinstance(parts, Tensor):
        parts = [parts]
    parts = arguments.sequence(argument, parts, "a tensor or a sequence of tensors")
    if len(parts) != len(roots):
        raise ArgumentError(
            argument=argument, expected=f"{len(roots)} gradients", got=f"{len(parts)}"
        )
    arrays = []
    for root, part in zip(roots, parts, strict=True):
        if not root.requires_grad:
            raise GradientError(
                argument="outputs",
                expected="tensors that require a gradient",
                got="one that does not",
            )
        if part is None and root.array.size != 1:
            raise GradientError(
                argument="outputs",
                expected="tensors of one element, or gradients of them",
                got=f"shape {root.array.shape}",
                hint=f"pass {argument}=",
            )
        array = np.ones_like(root.array) if part is None else arguments.numbers(argument, part)
        if array.shape != root.array.shape:
            raise ShapeError(
                argument=argument, expected=f"shape {root.array.shape}", got=f"shape {array.shape}"
            )
        arrays.append(array)
    return arrays


def _flags(retain_graph: Any, create_graph: Any) -> bool:
    if arguments.flag("create_graph", create_graph):
        raise NotSupportedError(argument="create_graph", expected="False", got=create_graph)
    return retain_graph is not None and arguments.flag("retain_graph", retain_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
) -> tuple[Tensor | None, ...]:
    """Compute gradients as values; ``.grad`` of tensors stays as it is.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        What is differentiated.
    inputs : Tensor or sequence of Tensor
        With respect to what.
    grad_outputs : Tensor or sequence of Tensor, optional
        Gradients with respect to `outputs`; 1 where they have one element.
    retain_graph : bool, optional
        Whether what was recorded is kept for another call.
    create_graph : bool, default False
        Gradients of gradients are not there, so only False.
    allow_unused : bool, optional
        Whether `inputs` that `outputs` do not depend on give None, not an error.

    Returns
    -------
    tuple of Tensor or None

    Raises
    ------
    GradientError
        If a tensor requires no gradient, or was not used.
    ShapeError
        If a gradient has another shape than its output.
    NotSupportedError
        If `create_graph` is true.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([3.0], requires_grad=True)
    >>> refquant.autograd.grad([(x * x).sum()], x)
    (tensor([6.]),)
    >>> y = refquant.tensor([1.0], requires_grad=True)
    >>> refquant.autograd.grad([(x * x).sum()], [x, y], allow_unused=True)
    (tensor([6.]), None)
    """
    roots, wanted = _tensors("outputs", outputs), _tensors("inputs", inputs)
    kept = _flags(retain_graph, create_graph)
    unused = allow_unused is not None and arguments.flag("allow_unused", allow_unused)
    incoming = _incoming("grad_outputs", roots, grad_outputs)
    for tensor in wanted:
        if not tensor.requires_grad:
            raise GradientError(
                argument="inputs",
                expected="tensors that require a gradient",
                got="one that does not",
            )
    found = autograd.gradients(roots, incoming, wanted, kept)
    if not unused and any(part is None for part in found):
        raise GradientError(
            argument="inputs",
            expected="tensors that outputs depend on",
            got="one that was not used",
            hint="pass allow_unused=True to get None for it",
        )
    return tuple(None if part is None else Tensor(np.array(part)) for part in found)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add to ``.grad`` of every leaf the gradient of the sum of tensors.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        What is differentiated.
    grad_tensors : Tensor or sequence of Tensor, optional
        Gradients with respect to them; 1 where they have one element.
    retain_graph : bool, optional
        Whether what was recorded is kept for another call.
    create_graph : bool, default False
        Gradients of gradients are not there, so only False.

    Raises
    ------
    GradientError
        If a tensor requires no gradient.
    ShapeError
        If a gradient has another shape than its tensor.
    NotSupportedError
        If `create_graph` is true.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([3.0], requires_grad=True)
    >>> refquant.autograd.backward([(x * x).sum(), x.sum()])
    >>> x.grad
    tensor([7.])
    """
    roots = _tensors("tensors", tensors)
    kept = _flags(retain_graph, create_graph)
    incoming = _incoming("grad_tensors", roots, grad_tensors)
    for number, (root, part) in enumerate(zip(roots, incoming, strict=True)):
        autograd.backward(root, part, kept or number < len(roots) - 1)


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """Return a tensor that requires a gradient or none, as programs of the first releases do.

    Parameters
    ----------
    data : Tensor
        Whose elements are shared.
    requires_grad : bool, default False
        Whether operations on the result are recorded.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.autograd.Variable(refquant.ones(1), requires_grad=True)
    tensor([1.], requires_grad=True)
    """
    arguments.instance("data", data, Tensor, "a tensor")
    requires_grad = arguments.flag("requires_grad", requires_grad)
    return data.detach().requires_grad_(requires_grad)
