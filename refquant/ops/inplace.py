"""In-place assignment: how a tensor takes over new elements."""

import numpy as np

from refquant import arguments
from refquant._operation import operation_name
from refquant.errors import ArgumentTypeError, DtypeError, GradientError, OperationError, ShapeError
from refquant.tensors import Tensor, autograd

__all__ = ["assign", "check_writable", "takes"]


def takes(place: np.dtype, elements: np.dtype) -> bool:
    """Tell whether elements may be written into a tensor that exists, converted to its dtype.

    Floats do not become integers, and numbers do not become bools; an integer that the dtype does
    not hold wraps around.
    """
    integers = place.kind in "iu" and elements.kind in "iu"
    return integers or np.can_cast(elements, place, "same_kind")


def check_writable(array: np.ndarray, argument: str = "self") -> None:
    """Raise if the elements belong to a read-only NumPy array."""
    if not array.flags.writeable:
        raise OperationError(
            argument=argument,
            expected="a tensor whose elements may change",
            got="one of a read-only array",
            hint="call .clone() first",
        )


def assign(target: Tensor, result: Tensor) -> Tensor:
    """Assign the result of an operation to a tensor, in place.

    Where nothing is recorded, the elements are overwritten, and everything that shares them sees
    it. While a gradient is recorded, the tensor takes over the new elements and their history
    instead: what earlier operations keep for their gradients stays as it was, and tensors that
    shared the old elements keep them.

    Parameters
    ----------
    target : Tensor
        The tensor that changes.
    result : Tensor
        Its new elements, of the same shape.

    Returns
    -------
    Tensor
        `target`.

    Raises
    ------
    GradientError
        If the target is a leaf that requires a gradient.
    ShapeError, DtypeError
        If the result does not fit into the target.
    """
    if not isinstance(target, Tensor):
        raise ArgumentTypeError(
            argument="self", expected="a tensor", got=arguments.describe(target)
        )
    array = result.array
    if array.shape != target.array.shape:
        raise ShapeError(
            argument="self",
            expected=f"of the shape {array.shape} of the result",
            got=f"shape {target.array.shape}",
            hint="use the operation that is not in place",
        )
    if not takes(target.array.dtype, array.dtype):
        raise DtypeError(
            argument="self",
            expected=f"of a type that holds {result.dtype}",
            got=target.dtype,
            hint="use the operation that is not in place",
        )
    if not (autograd.is_grad_enabled() and (target.requires_grad or result.requires_grad)):
        check_writable(target.array)
        with np.errstate(all="ignore"):
            np.copyto(target.array, array, casting="unsafe")
        return target
    if target.requires_grad and target.node is None:
        raise GradientError(
            f"{operation_name()} changes a leaf that requires a gradient",
            argument="self",
            expected="a tensor that was computed, or one that requires no gradient",
            got="a leaf",
            hint="do it inside no_grad(), or on .data",
        )
    with np.errstate(all="ignore"):
        target.array = array.astype(target.array.dtype, copy=not array.flags.writeable)
    target.requires_grad, target.node = result.requires_grad, result.node
    return target
