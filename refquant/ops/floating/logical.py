"""Logic: whether elements are nonzero, and the operators of bools and bits."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant._operation import named
from refquant.arguments import flag
from refquant.errors import DtypeError
from refquant.ops.floating.operands import compare, operand, pair
from refquant.ops.floating.reductions import reduced_axes
from refquant.ops.rows import in_place, row
from refquant.tensors import Tensor

_BITS = "bool or integer tensors"
_OF_BITS = "Of bools or integers."

# -- over dimensions ---------------------------------------------------------------------------


def _truth(input: Any, dim: Any, keepdim: bool, find) -> Tensor:
    x, keepdim = operand("input", input).array, flag("keepdim", keepdim)
    return Tensor(np.asarray(find(x, axis=reduced_axes(dim, x.ndim), keepdims=keepdim)))


@row(returns="bool, without the reduced dimensions, unless `keepdim`.")
def all(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Test whether all elements are nonzero.

    >>> refquant.all(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([ True, False])
    """
    return _truth(input, dim, keepdim, np.all)


@row(returns="bool, without the reduced dimensions, unless `keepdim`.")
def any(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Test whether any element is nonzero.

    >>> refquant.any(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([True, True])
    """
    return _truth(input, dim, keepdim, np.any)


@row(returns="Without the reduced dimensions, unless `keepdim`.")
def count_nonzero(input: Any, dim: Any = None) -> Tensor:
    """Count the nonzero elements.

    >>> refquant.count_nonzero(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([2, 1])
    """
    x = operand("input", input).array
    return Tensor(np.asarray(np.count_nonzero(x, axis=reduced_axes(dim, x.ndim))))


# -- element by element ------------------------------------------------------------------------


def _logical(on_bools: Callable, input: Any, other: Any) -> Tensor:
    a, b = operand("input", input), operand("other", other)
    return Tensor(compare(on_bools, a.array, b.array))


@row(returns="bool, of the common shape.")
def logical_and(input: Any, other: Any) -> Tensor:
    """Compute the logical AND of two tensors: where both elements are nonzero.

    >>> refquant.logical_and(refquant.tensor([0, 1, 2]), refquant.tensor([0, 0, 3]))
    tensor([False, False,  True])
    """
    return _logical(np.logical_and, input, other)


@row(returns="bool, of the common shape.")
def logical_or(input: Any, other: Any) -> Tensor:
    """Compute the logical OR of two tensors: where at least one element is nonzero.

    >>> refquant.logical_or(refquant.tensor([0, 1, 2]), refquant.tensor([0, 0, 3]))
    tensor([False,  True,  True])
    """
    return _logical(np.logical_or, input, other)


@row(returns="bool, of the common shape.")
def logical_xor(input: Any, other: Any) -> Tensor:
    """Compute the logical XOR of two tensors: where exactly one element is nonzero.

    >>> refquant.logical_xor(refquant.tensor([0, 1, 2]), refquant.tensor([0, 0, 3]))
    tensor([False,  True, False])
    """
    return _logical(np.logical_xor, input, other)


@row(returns="bool, of the shape of `input`.")
def logical_not(input: Any) -> Tensor:
    """Compute the logical NOT: where elements are 0.

    >>> refquant.logical_not(refquant.tensor([0, 2]))
    tensor([ True, False])
    """
    return Tensor(np.asarray(np.logical_not(operand("input", input).array)))


def _combined(formula: Callable, input: Any, other: Any, kinds: str = _BITS) -> Tensor:
    a, b, x, y = pair(input, other)
    if x.dtype.kind == "f" or (x.dtype.kind == "b" and "bool" not in kinds):
        first = a.array.dtype.kind == x.dtype.kind
        name, given = ("input", a) if first else ("other", b)
        raise DtypeError(argument=name, expected=kinds, got=given.dtype)
    return Tensor(compare(formula, x, y))


@row(returns="Of the common dtype and shape.", input=_OF_BITS)
def bitwise_and(input: Any, other: Any) -> Tensor:
    """Compute the AND of every bit; of bools, the logical one.

    >>> refquant.bitwise_and(refquant.tensor([6, 3]), 5)
    tensor([4, 1])
    """
    return _combined(np.bitwise_and, input, other)


@row(returns="Of the common dtype and shape.", input=_OF_BITS)
def bitwise_or(input: Any, other: Any) -> Tensor:
    """Compute the OR of every bit; of bools, the logical one.

    >>> refquant.bitwise_or(refquant.tensor([6, 3]), 5)
    tensor([7, 7])
    """
    return _combined(np.bitwise_or, input, other)


@row(returns="Of the common dtype and shape.", input=_OF_BITS)
def bitwise_xor(input: Any, other: Any) -> Tensor:
    """Compute the XOR of every bit; of bools, the logical one.

    >>> refquant.bitwise_xor(refquant.tensor([6, 3]), 5)
    tensor([3, 6])
    """
    return _combined(np.bitwise_xor, input, other)


@row(input=_OF_BITS)
def bitwise_not(input: Any) -> Tensor:
    """Invert every bit; true becomes false.

    >>> refquant.bitwise_not(refquant.tensor([0, -3]))
    tensor([-1,  2])
    """
    return invert(input)


bitwise_and_, bitwise_or_ = in_place(bitwise_and), in_place(bitwise_or)
bitwise_xor_, bitwise_not_ = in_place(bitwise_xor), in_place(bitwise_not)


def bitwise(name: str, formula: Callable, reflected: bool = False, kinds: str = _BITS) -> Callable:
    """Make the method of an operator that combines or moves bits."""

    @named(name)
    def method(self, other):
        return _combined(formula, *((other, self) if reflected else (self, other)), kinds)

    method.__doc__ = f"{'Combine' if 'bool' in kinds else 'Move'} bits, as Python's {name}."
    return method


def shifted_left(x: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Multiply by powers of two in the dtype; nothing is left of a move beyond its bits."""
    inside = (count >= 0) & (count < 8 * x.dtype.itemsize)
    return np.where(inside, np.left_shift(x, np.where(inside, count, 0)), 0).astype(x.dtype)


def shifted_right(x: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Divide by powers of two toward minus infinity; the sign is left of a move beyond the bits."""
    last = 8 * x.dtype.itemsize - (x.dtype.kind == "i")
    far = (count < 0) | (count >= last)
    return np.right_shift(x, np.where(far, last, count)).astype(x.dtype)


def invert(self) -> Tensor:
    """Invert every bit; true becomes false."""
    x = operand("input", self).array
    if x.dtype.kind == "f":
        raise DtypeError(argument="input", expected="a bool or integer tensor", got=x.dtype)
    return Tensor(np.asarray(np.invert(x)))
