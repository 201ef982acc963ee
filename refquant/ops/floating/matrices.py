"""Identity matrices, and the triangles of a matrix."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ShapeError
from refquant.ops.floating.creation import storage
from refquant.ops.floating.operands import operand
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


@row("refquant", returns="Shape (n, m).", n="Rows.", m="Columns; as many as rows if not given.")
def eye(
    n: int, m: int | None = None, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Make a matrix with ones on its diagonal and zeros elsewhere.

    >>> refquant.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows = arguments.integer("n", n, 0)
    columns = rows if m is None else arguments.integer("m", m, 0)
    shape = arguments.shape("n", (rows, columns))
    return Tensor(np.eye(*shape, dtype=storage(dtype, device)), requires_grad)


# -- triangles ---------------------------------------------------------------------------------


def _triangle(find: Callable, input: Any, diagonal: Any) -> Tensor:
    x = operand("input", input)
    if x.array.ndim < 2:
        raise ShapeError(
            argument="input",
            expected="a tensor of at least 2 dimensions",
            got=f"shape {x.array.shape}",
        )
    place = arguments.integer("diagonal", diagonal)
    most = max(x.array.shape[-2:])  # there is nothing beyond
    place = max(-most, min(place, most))

    def cut(array: np.ndarray) -> np.ndarray:
        # Not a product, which leaves NaN.
        kept = find(np.ones(array.shape[-2:], np.bool_), place)
        return np.where(kept, array, array.dtype.type(0))

    return differentiable(cut(x.array), (x,), lambda g: (cut(g),))


@row(input="At least two dimensions.")
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Keep the upper triangle of a matrix, on and above a diagonal, and set the rest to 0.

    >>> refquant.triu(refquant.ones(3, 3))
    tensor([[1., 1., 1.],
            [0., 1., 1.],
            [0., 0., 1.]])
    """
    return _triangle(np.triu, input, diagonal)


@row(input="At least two dimensions.")
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Keep the lower triangle of a matrix, on and below a diagonal, and set the rest to 0.

    >>> refquant.tril(refquant.ones(3, 3))
    tensor([[1., 0., 0.],
            [1., 1., 0.],
            [1., 1., 1.]])
    """
    return _triangle(np.tril, input, diagonal)
