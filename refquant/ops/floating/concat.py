"""Concatenation and stacking."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentTypeError, OperationError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.dispatch import quantized_form
from refquant.ops.floating.operands import operand, result_dtype
from refquant.ops.rows import row
from refquant.tensors import QuantizedTensor, Tensor, differentiable


def _operands(tensors: Any) -> tuple[Tensor, ...]:
    if not isinstance(tensors, tuple | list):
        raise ArgumentTypeError(
            argument="tensors",
            expected="a list or tuple of tensors",
            got=arguments.describe(tensors),
        )
    if not tensors:
        raise OperationError(argument="tensors", expected="at least one tensor", got="none")
    return tuple(operand(f"tensors[{i}]", t) for i, t in enumerate(tensors))


@row("refquant")
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Concatenate tensors along a dimension.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of equal shape but for `dim`; all plain, or all quantized per tensor with one dtype.
    dim : int
        Along which to join.

    Returns
    -------
    Tensor
        Channels-last if all parts are, else row-major. Quantized tensors are joined by
        ``ops.quantized.cat`` with the scale and zero point of the first.

    Raises
    ------
    ShapeError
        If the shapes do not match.
    QuantizerError
        If plain and quantized tensors are mixed.

    >>> refquant.cat([refquant.tensor([1]), refquant.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    if isinstance(tensors, list | tuple) and tensors and type(tensors[0]) is QuantizedTensor:
        # Unlike ops.quantized.cat, this name lets a negative dimension go the way of its positive.
        join = quantized_form("cat", "tensors", tensors[0])
        return join(tensors, checks.dimension("dim", dim, tensors[0].array.ndim))
    parts = _operands(tensors)
    arrays = [p.array for p in parts]
    # An empty vector joins anything, as PyTorch has it.
    shaped = [a for a in arrays if a.shape != (0,)] or arrays
    dim = checks.dimension("dim", dim, shaped[0].ndim)
    dtype = arrays[0]
    for array in arrays[1:]:
        dtype = np.empty((1,), result_dtype(dtype, array))
    try:
        joined = np.concatenate([a.astype(dtype.dtype, copy=False) for a in shaped], axis=dim)
    except ValueError:
        raise ShapeError(
            argument="tensors",
            expected=f"tensors of equal shape but for dimension {dim}",
            got=", ".join(str(a.shape) for a in arrays),
        ) from None
    formats = {layout.format_of(a) for a in shaped}
    if len(formats) == 1:
        joined = layout.to_format(joined, formats.pop())
    ends = np.cumsum(
        [0 if a.shape == (0,) and a.ndim != joined.ndim else a.shape[dim] for a in arrays]
    )[:-1]

    shapes, cuts = [a.shape for a in arrays], ends.tolist()

    def backward(g):
        return [p.reshape(s) for p, s in zip(np.split(g, cuts, axis=dim), shapes, strict=True)]

    return differentiable(joined, parts, backward)


@row("refquant", returns="One dimension more.")
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Stack tensors of equal shape along a new dimension.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of equal shape and dtype; all plain, or all quantized per tensor: the result then has the
        scale and the zero point of the first.
    dim : int, default 0
        Where the new dimension will be.

    >>> refquant.stack([refquant.tensor([1, 2]), refquant.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    quantized = isinstance(tensors, list | tuple) and all(
        type(t) is QuantizedTensor for t in tensors
    )
    parts = tensors if quantized and tensors else _operands(tensors)
    if len({p.array.shape for p in parts}) > 1:
        raise ShapeError(
            argument="tensors",
            expected="tensors of equal shape",
            got=", ".join(str(p.array.shape) for p in parts),
        )
    dim = checks.dimension("dim", dim, parts[0].array.ndim + 1)
    return cat([p.unsqueeze(dim) for p in parts], dim)
