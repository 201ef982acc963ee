"""Views with the dimensions in another order."""

from typing import Any

from refquant._documentation import document
from refquant.errors import OperationError, ShapeError
from refquant.ops import checks
from refquant.ops.views import integers, with_axis
from refquant.tensors import QuantizedTensor, Tensor, differentiable

__all__ = ["moveaxis", "movedim", "permute", "swapaxes", "swapdims", "t", "transpose"]


def permute(input: Any, *dims: Any) -> Tensor:
    """Reorder the dimensions.

    %(plain_or_quantized)s
    *dims : int
        Dimensions of `input` in the order of the result, one by one or as one sequence.

    %(shares_storage)s

    Raises
    ------
    OperationError
        If not every dimension is named once.

    %(example)s
    >>> refquant.tensor([[1, 2, 3]]).permute(1, 0).shape
    refquant.Size([3, 1])
    """
    x = checks.any_tensor("input", input)
    ndim = x.array.ndim
    named = integers("dims", dims)
    order = tuple(checks.dimension("dims", d, ndim) for d in named)
    if sorted(order) != list(range(ndim)):
        raise OperationError(argument="dims", expected=f"every dimension of {ndim} once", got=named)
    array = x.array.transpose(order)
    if isinstance(x, QuantizedTensor):
        return x.like(array) if x.axis is None else with_axis(x, array, order.index(x.axis))
    inverse = tuple(order.index(d) for d in range(ndim))
    return differentiable(array, (x,), lambda g: (g.transpose(inverse),))


def transpose(input: Any, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions; the result shares storage with `input`.

    %(any_shape)s
    dim0 : int
        A dimension.
    dim1 : int
        Another one.

    %(shares_storage)s

    %(example)s
    >>> refquant.transpose(refquant.ones(2, 3), 0, 1).shape
    refquant.Size([3, 2])
    """
    x = checks.any_tensor("input", input)
    order = list(range(x.array.ndim))
    a = checks.dimension("dim0", dim0, x.array.ndim)
    b = checks.dimension("dim1", dim1, x.array.ndim)
    if order:
        order[a], order[b] = b, a
    return permute(x, order)


def t(input: Any) -> Tensor:
    """Transpose a matrix; a tensor of fewer dimensions stays as it is.

    %(any_shape)s

    %(shares_storage)s

    %(example)s
    >>> refquant.t(refquant.tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
    """
    x = checks.any_tensor("input", input)
    if x.array.ndim > 2:
        raise ShapeError(
            argument="input",
            expected="a tensor of at most 2 dimensions",
            got=f"shape {x.array.shape}",
            hint="use transpose() or permute()",
        )
    return permute(x, tuple(reversed(range(x.array.ndim))))


def movedim(input: Any, source: int, destination: int) -> Tensor:
    """Move one dimension to another place; the others keep their order.

    %(any_shape)s
    source : int
        Where the dimension is.
    destination : int
        Where it goes.

    %(shares_storage)s

    %(example)s
    >>> refquant.movedim(refquant.ones(2, 3, 4), 0, 2).shape
    refquant.Size([3, 4, 2])
    """
    x = checks.any_tensor("input", input)
    ndim = x.array.ndim
    order = list(range(ndim))
    first = checks.dimension("source", source, ndim)
    last = checks.dimension("destination", destination, ndim)
    if order:
        order.insert(last, order.pop(first))
    return permute(x, order)


def swapaxes(input: Any, axis0: int, axis1: int) -> Tensor:
    """Exchange two dimensions; another name of `transpose`.

    %(any_shape)s
    axis0, axis1 : int
        The dimensions.

    %(shares_storage)s

    %(example)s
    >>> refquant.swapaxes(refquant.ones(2, 3), 0, 1).shape
    refquant.Size([3, 2])
    """
    return transpose(input, axis0, axis1)


def swapdims(input: Any, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions; another name of `transpose`.

    %(any_shape)s
    dim0, dim1 : int
        The dimensions.

    %(shares_storage)s

    %(example)s
    >>> refquant.swapdims(refquant.ones(2, 3), 0, 1).shape
    refquant.Size([3, 2])
    """
    return transpose(input, dim0, dim1)


def moveaxis(input: Any, source: int, destination: int) -> Tensor:
    """Move one dimension to another place; another name of `movedim`.

    %(any_shape)s
    source : int
        Where the dimension is.
    destination : int
        Where it goes.

    %(shares_storage)s

    %(example)s
    >>> refquant.moveaxis(refquant.ones(2, 3, 4), 0, 2).shape
    refquant.Size([3, 4, 2])
    """
    return movedim(input, source, destination)


document(__name__)
