"""Broadcasting: repeating dimensions without copying, and summing gradients over them."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ShapeError
from refquant.ops import checks
from refquant.ops.views import integers
from refquant.tensors import QuantizedTensor, Tensor, differentiable

__all__ = ["expand", "expand_as", "unbroadcast"]


def unbroadcast(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over the dimensions in which a tensor of `shape` was broadcast."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    repeated = tuple(
        d
        for d in range(gradient.ndim)
        if d < extra or (shape[d - extra] == 1 and gradient.shape[d] != 1)
    )
    return gradient.sum(axis=repeated).reshape(shape)


@documented()
def expand(input: Any, *sizes: Any) -> Tensor:
    """Repeat dimensions of extent 1, and put new ones in front, without copying.

    %(plain_or_quantized)s
    *sizes : int
        Sizes, one by one or as one sequence; -1 keeps the size of a dimension.

    %(shares_storage)s

    Raises
    ------
    ShapeError
        If a dimension whose extent is not 1 would change.

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    x = checks.any_tensor("input", input)
    array, wanted = x.array, integers("sizes", sizes)
    new = len(wanted) - array.ndim
    old: tuple[Any, ...] = (None,) * new + array.shape
    shape: tuple[Any, ...] = tuple(o if w == -1 else w for w, o in zip(wanted, old, strict=False))
    if (
        new < 0
        or None in shape
        or min(shape, default=0) < 0
        or any(o not in (None, 1, s) for s, o in zip(shape, old, strict=True))
    ):
        raise ShapeError(
            argument="sizes",
            expected="new dimensions in front, and other sizes only "
            f"where the extent is 1, of an input of shape {array.shape}",
            got=wanted,
        )
    arguments.shape("sizes", shape)
    strides = [0] * new + [
        step if extent == was else 0
        for step, extent, was in zip(array.strides, shape[new:], array.shape, strict=True)
    ]
    # Not broadcast_to: that makes views read-only, which kernels and in-place operations reject.
    expanded = np.lib.stride_tricks.as_strided(array, shape, strides)
    if isinstance(x, QuantizedTensor):
        if x.axis is None:
            return x.like(expanded)
        channels = shape[x.axis + new]
        scale, zero_point = x.scale, x.zero_point
        if scale.size != channels:
            scale, zero_point = np.repeat(scale, channels), np.repeat(zero_point, channels)
        return QuantizedTensor._unchecked(expanded, x.dtype, scale, zero_point, x.axis + new)
    before = array.shape
    return differentiable(expanded, (x,), lambda g: (unbroadcast(g, before),))


def expand_as(input: Any, other: Tensor) -> Tensor:
    """Repeat to the shape of another tensor; see `expand`."""
    return expand(input, checks.any_tensor("other", other).array.shape)
