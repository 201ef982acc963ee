"""Random numbers: tensors drawn from a generator.

They are those of PyTorch 2.13 on x86-64 with AVX2, to the last bit, whatever the engine is.
"""

import math
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, DtypeError, OperationError, ShapeError
from refquant.ops import layout
from refquant.ops.floating import distributions
from refquant.ops.floating.creation import empty_like, storage
from refquant.ops.floating.generator import default_generator, source
from refquant.ops.floating.operands import broadcast, cast, float_operand, operand, scalar
from refquant.ops.inplace import assign
from refquant.ops.rows import row
from refquant.ops.views import sizes
from refquant.tensors import Tensor


def _real_storage(dtype: Any, device: Any = None) -> np.dtype:
    """Return the NumPy dtype of a new tensor of real numbers, or raise."""
    kind = storage(dtype, device)
    if kind.kind != "f":
        raise DtypeError(argument="dtype", expected="a floating-point dtype", got=dtype)
    return kind


def placed(flat: np.ndarray, array: np.ndarray) -> Tensor:
    """Give a run of numbers the shape of an array, in the order in which it lies in memory."""
    stored = layout.as_stored(array)
    order = sorted(range(array.ndim), key=lambda d: -array.strides[d])
    return Tensor(flat.reshape(stored.shape).transpose(np.argsort(order)))


# -- new tensors -------------------------------------------------------------------------------


@row("refquant", dtype="float32 if not given.")
def randn(*size, generator=None, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Draw from the normal distribution with mean 0 and standard deviation 1.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    kind, shape = _real_storage(dtype, device), sizes("size", size)
    drawn = distributions.normal(source(generator), math.prod(shape), kind)
    return Tensor(drawn.reshape(shape), requires_grad)


@row("refquant")
def rand(*size, generator=None, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Draw from the uniform distribution on [0, 1); see `randn`.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    kind, shape = _real_storage(dtype, device), sizes("size", size)
    drawn = distributions.uniform(source(generator), math.prod(shape), kind)
    return Tensor(drawn.reshape(shape), requires_grad)


def _bounds(low: Any, high: Any, kind: np.dtype) -> tuple[int, int]:
    """Check the ends of a range of integers, the second not included."""
    low, high = arguments.integer("low", low), arguments.integer("high", high)
    limits = np.iinfo(np.int64 if kind.kind == "f" else np.uint8 if kind.kind == "b" else kind)
    least, most = (0, 1) if kind.kind == "b" else (int(limits.min), int(limits.max))
    for name, value, last in (("low", low, most), ("high", high, most + 1)):
        if not least <= value <= min(last, 2**63 - 1):
            raise OperationError(argument=name, expected=f"in the range of {kind}", got=value)
    if not low < high:
        raise OperationError(argument="high", expected=f"greater than {low}", got=high)
    return low, high


@row("refquant", returns="int64 if not given otherwise, of the given shape.")
def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator=None,
    dtype=None,
    device=None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw integers uniformly from `low` (0 if not given) up to, not including, `high`.

    Parameters
    ----------
    low : int
        The smallest number, or with one argument `high`.
    high : int, optional
        Not included.
    size : sequence of int, optional
        The shape.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.randint(0, 10, (4,))
    tensor([4, 9, 3, 0])
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    kind = storage(dtype, device, dtypes.int64)
    low, high = _bounds(low, high, kind)
    shape = arguments.shape("size", size)
    drawn = distributions.integers(source(generator), math.prod(shape), low, high - low)
    return Tensor(drawn.reshape(shape).astype(kind), requires_grad)


@row("refquant", input="Gives shape and dtype.")
def randint_like(input: Tensor, low: int, high: Any = None, *, dtype=None) -> Tensor:
    """Draw as `randint`, of the shape and dtype of another tensor.

    Parameters
    ----------
    low : int
        The smallest number, or with one argument `high`.
    high : int, optional
        Not included.

    >>> refquant.randint_like(refquant.tensor([1.0, 2.0]), 5).shape
    refquant.Size([2])
    """
    x = operand("input", input)
    low, high = (0, low) if high is None else (low, high)
    kind = storage(dtype, default=x.dtype)
    low, high = _bounds(low, high, kind)
    drawn = distributions.integers(default_generator, x.array.size, low, high - low)
    return placed(drawn.astype(kind), empty_like(x).array)


@row("refquant", returns="int64 if not given otherwise, shape (n,).", n="How many.")
def randperm(n: int, *, generator=None, dtype=None, device=None) -> Tensor:
    """Draw a random permutation of the numbers from 0 to n - 1.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.randperm(4)
    tensor([0, 1, 3, 2])
    """
    kind = storage(dtype, device, dtypes.int64)
    (count,) = arguments.shape("n", arguments.integer("n", n))
    return Tensor(distributions.permutation(source(generator), count).astype(kind))


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
def randn_like(input: Tensor, *, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Draw as `randn`, of the shape, memory format and dtype of another tensor.

    >>> refquant.randn_like(refquant.tensor([1.0, 2.0])).shape
    refquant.Size([2])
    """
    x = operand("input", input)
    kind, like = _real_storage(x.dtype if dtype is None else dtype, device), empty_like(x).array
    drawn = distributions.normal(
        default_generator, like.size, kind, row_major=layout.is_contiguous(like)
    )
    return Tensor(placed(drawn, like).array, requires_grad)


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
def rand_like(input: Tensor, *, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Draw as `rand`, of the shape, memory format and dtype of another tensor.

    >>> refquant.rand_like(refquant.tensor([1.0, 2.0])).shape
    refquant.Size([2])
    """
    x = operand("input", input)
    kind, like = _real_storage(x.dtype if dtype is None else dtype, device), empty_like(x).array
    drawn = distributions.uniform(default_generator, like.size, kind)
    return Tensor(placed(drawn, like).array, requires_grad)


@row("refquant", returns="Of the given shape, or that of `mean` and `std` together.")
def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator=None) -> Tensor:
    """Draw from the normal distribution, float32.

    Parameters
    ----------
    mean : float or Tensor
        Where the middle is, of each element if a tensor.
    std : float or Tensor
        The standard deviation.
    size : sequence of int, optional
        The shape, if both are numbers.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.normal(5.0, 0.1, (3,))
    tensor([5.1541, 4.9707, 4.7821])
    """
    given = [v for v in (mean, std) if isinstance(v, Tensor) and (size is None or v.dim())]
    if not given:
        result = Tensor(np.empty(() if size is None else arguments.shape("size", size), np.float32))
        return normal_(result, scalar("mean", mean), scalar("std", std), generator=generator)
    if size is not None:
        raise ShapeError(argument="size", expected="no size beside tensors", got=size)
    if not isinstance(mean, Tensor):
        mean = scalar("mean", mean)
    arrays = [float_operand("mean or std", v).array for v in given]
    shape = arrays[0].shape if len(arrays) == 1 else broadcast(np.add, *arrays).shape
    drawn = Tensor(np.empty(shape, arrays[0].dtype))
    if not isinstance(std, Tensor):
        return normal_(drawn, 0.0, std, generator=generator) + mean
    if (std.array < 0).any():
        raise ArgumentError(argument="std", expected="at least 0", got="numbers below it")
    return normal_(drawn, generator=generator) * std + mean


# -- in place ----------------------------------------------------------------------------------


@row("Tensor")
def normal_(input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator=None) -> Tensor:
    """Overwrite with draws from the normal distribution."""
    x = float_operand("input", input).array
    mean, std = arguments.real("mean", mean), arguments.real("std", std, 0)
    row_major = layout.is_contiguous(x)
    drawn = distributions.normal(source(generator), x.size, x.dtype, mean, std, row_major)
    return assign(input, placed(drawn, x))


@row("Tensor", a="Not above `b`.", b="The upper end.")
def uniform_(input: Tensor, a: float = 0.0, b: float = 1.0, *, generator=None) -> Tensor:
    """Overwrite with draws from the uniform distribution from `a` to `b`."""
    x = float_operand("input", input).array
    a = arguments.real("a", a, finite=True)
    b = arguments.real("b", b, a, finite=True)
    with np.errstate(all="ignore"):
        if not np.isfinite(np.subtract(x.dtype.type(b), x.dtype.type(a))):
            raise ArgumentError(argument="b", expected="a finite distance from a", got=b)
    return assign(input, placed(distributions.uniform(source(generator), x.size, x.dtype, a, b), x))


@row("Tensor", low="The smallest number, or with one argument `high`.", high="Not included.")
def random_(input: Tensor, low: Any = None, high: Any = None, *, generator=None) -> Tensor:
    """Overwrite with integers, by default with all from 0 on that the dtype has."""
    x = operand("input", input).array
    if low is None and high is None:
        return assign(
            input, placed(distributions.whole_numbers(source(generator), x.size, x.dtype), x)
        )
    low, high = (0, low) if high is None else (0 if low is None else low, high)
    low, high = _bounds(low, high, x.dtype)
    drawn = distributions.integers(source(generator), x.size, low, high - low)
    return assign(input, placed(drawn.astype(x.dtype), x))


@row("Tensor", lambd="The rate, 1 through the mean.")
def exponential_(input: Tensor, lambd: float = 1.0, *, generator=None) -> Tensor:
    """Overwrite with draws from the exponential distribution."""
    x = float_operand("input", input).array
    lambd = arguments.real("lambd", lambd, finite=True)
    if not lambd > 0:
        raise ArgumentError(argument="lambd", expected="above 0", got=lambd)
    drawn = distributions.exponential(source(generator), x.size, lambd)
    return assign(input, placed(cast(drawn, x.dtype), x))
