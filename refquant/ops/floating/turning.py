"""The reverse order along dimensions, and turns by right angles; for quantized tensors, too."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import OperationError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.moved import movable, moved
from refquant.ops.permutation import transpose
from refquant.ops.rows import row
from refquant.tensors import Tensor


def _reversed(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Copy a tensor in reverse order, in its memory format."""
    turned = layout.dense_copy(np.flip(x.array, axes))
    if turned.ndim > 3:  # of views that run backwards no format can be told
        turned = layout.to_format(turned, layout.format_of(x.array))
    return moved(x, turned, lambda g: np.flip(g, axes))


@row(input="Plain, or quantized per tensor.")
def flip(input: Any, *dims) -> Tensor:
    """Reverse the order along dimensions; a copy.

    >>> refquant.flip(refquant.tensor([1, 2, 3]), 0)
    tensor([3, 2, 1])
    """
    x = movable("input", input)
    named = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
    axes = checks.dimensions("dims", tuple(named), x.array.ndim)
    return _reversed(x, axes if x.array.ndim else ())


def _along(input: Any, axis: int) -> Tensor:
    x = movable("input", input)
    if x.array.ndim <= axis:
        raise ShapeError(
            argument="input",
            expected=f"of at least {axis + 1} dimensions",
            got=f"shape {x.array.shape}",
        )
    return _reversed(x, (axis,))


@row(input="Plain, or quantized per tensor; at least 2 dimensions.")
def fliplr(input: Any) -> Tensor:
    """Reverse the order of the columns; see `flip`.

    >>> refquant.fliplr(refquant.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    return _along(input, 1)


@row(input="Plain, or quantized per tensor; at least 1 dimension.")
def flipud(input: Any) -> Tensor:
    """Reverse the order of the rows; see `flip`.

    >>> refquant.flipud(refquant.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    return _along(input, 0)


@row(
    input="Plain, or quantized per tensor.",
    k="How many right angles, from the first of `dims` towards the second.",
    dims="Two dimensions, which are the plane.",
    returns="A copy.",
)
def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Turn a plane by right angles.

    >>> refquant.rot90(refquant.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    x = movable("input", input)
    k = arguments.integer("k", k) % 4
    plane = checks.dimensions("dims", dims, x.array.ndim)
    if len(plane) != 2 or x.array.ndim < 2:
        raise OperationError(
            argument="dims", expected="two dimensions", got=arguments.describe(dims)
        )
    if k == 0:
        return x.clone()
    if k == 2:
        return _reversed(x, plane)
    # Turned by the strides of a copy in reverse order, as PyTorch does.
    return transpose(_reversed(x, (plane[1 if k == 1 else 0],)), *plane)
