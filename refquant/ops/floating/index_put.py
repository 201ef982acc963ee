"""Taking and overwriting elements by tensors of indices; for quantized tensors, too."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._operation import named
from refquant.errors import ArgumentTypeError, ShapeError
from refquant.ops import layout
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.dispatch import QUANTIZED_FORMS
from refquant.ops.floating.operands import operand
from refquant.ops.indexing import FULL_SLICE, getitem, index_items, placed
from refquant.ops.inplace import assign
from refquant.ops.moved import movable
from refquant.ops.rows import row
from refquant.tensors import QuantizedTensor, Tensor, differentiable

_INDICES = "Integer or bool tensors, one for each leading dimension."


def places(x: Tensor, indices: Any) -> tuple:
    """Return NumPy's form of tensors of indices, or raise; None stands for all of a dimension."""
    if not isinstance(indices, tuple | list):
        raise ArgumentTypeError(
            argument="indices", expected="a sequence of tensors", got=arguments.describe(indices)
        )
    named_parts = [FULL_SLICE if i is None else i for i in indices]
    for part in named_parts:
        if part is not FULL_SLICE and not isinstance(part, Tensor | np.ndarray):
            raise ArgumentTypeError(
                argument="indices", expected="tensors or None", got=arguments.describe(part)
            )
    return tuple(index_items(x.array, tuple(named_parts)))


@row("Tensor", indices=f"{_INDICES} None stands for all of a dimension.", returns="A copy.")
def index(input: Tensor, indices: Any) -> Tensor:
    """Take elements, as ``input[indices]`` does."""
    x = movable("input", input)
    return getitem(x, places(x, indices))


@row(
    input="Plain, or quantized per tensor.",
    indices=_INDICES,
    values="The new elements; they broadcast to what the indices take.",
    accumulate="Whether to add instead of overwriting; plain tensors alone.",
)
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Overwrite elements by tensors of indices, in a copy.

    >>> x = refquant.zeros(3)
    >>> refquant.index_put(x, (refquant.tensor([0, 2]),), refquant.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    if type(input) is QuantizedTensor:
        return QUANTIZED_FORMS["index_put_"](
            input.like(layout.dense_copy(input.array)), indices, values, accumulate
        )
    x, new = operand("input", input), operand("values", values)
    where, add = places(x, indices), arguments.flag("accumulate", accumulate)
    target = placed(x.array, where)
    if new.array.dtype != x.array.dtype:
        raise ArgumentTypeError(
            argument="values", expected=f"a {x.dtype} tensor", got=arguments.describe(values)
        )
    spread = spread_to(new.array, target.shape)
    changed = x.array.copy(order="K")
    if add:
        np.add.at(changed, where, spread)
    else:
        changed[where] = spread
    before = new.array.shape

    def backward(g):
        kept = g
        if not add:
            kept = g.copy()
            kept[where] = 0
        return kept, unbroadcast(g[where], before)

    return differentiable(changed, (x, new), backward)


def spread_to(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Broadcast new elements to what they replace, or raise."""
    try:
        return np.broadcast_to(values, shape)
    except ValueError:
        raise ShapeError(
            argument="values",
            expected=f"of a shape that broadcasts to {shape}",
            got=f"shape {values.shape}",
        ) from None


@row(
    input="Plain, or quantized per tensor.",
    indices=_INDICES,
    values="The new elements; they broadcast to what the indices take.",
    accumulate="Whether to add instead of overwriting; plain tensors alone.",
    returns="`input` itself.",
)
def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Overwrite elements by tensors of indices, in place.

    >>> x = refquant.zeros(3)
    >>> refquant.index_put_(x, (refquant.tensor([1]),), refquant.tensor(5.0))
    tensor([0., 5., 0.])
    """
    if type(input) is QuantizedTensor:
        return QUANTIZED_FORMS["index_put_"](input, indices, values, accumulate)
    return assign(input, index_put(input, indices, values, accumulate))


@named("_index_put_impl_")
def index_put_impl_(
    input: Tensor, indices: Any, values: Tensor, accumulate: bool = False, unsafe: bool = False
) -> Tensor:
    """Overwrite elements by tensors of indices, in place; see `index_put_`.

    `unsafe` is accepted: indices are checked.
    """
    arguments.flag("unsafe", unsafe)
    return index_put_(input, indices, values, accumulate)
