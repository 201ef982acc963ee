"""Random numbers: the generator, tensors drawn from it, dropout.

The numbers are NumPy's (PCG64), not PyTorch's: the same seed gives the same numbers again, but
other numbers than there.
"""

import math
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError
from refquant.ops.floating.creation import storage
from refquant.ops.floating.generator import default_generator, numpy_generator
from refquant.ops.floating.operands import cast, float_operand, operand, scalar
from refquant.ops.inplace import assign
from refquant.ops.rows import row
from refquant.ops.views import sizes
from refquant.tensors import Tensor, differentiable

# -- new tensors -------------------------------------------------------------------------------


@row("refquant", dtype="float32 if not given.")
def randn(*size, generator=None, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Draw from the normal distribution with mean 0 and standard deviation 1.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.randn(2, 3).shape
    refquant.Size([2, 3])
    """
    kind = storage(dtype, device)
    drawn = numpy_generator(generator).standard_normal(sizes("size", size))
    return Tensor(np.asarray(drawn).astype(kind), requires_grad)


@row("refquant")
def rand(*size, generator=None, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Draw from the uniform distribution on [0, 1); see `randn`.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.rand(2, 3).shape
    refquant.Size([2, 3])
    """
    kind = storage(dtype, device)
    shape = sizes("size", size)
    # Not float64 made float32, which could round up to 1.
    drawn = numpy_generator(generator).random(
        shape, np.float64 if kind == np.float64 else np.float32
    )
    return Tensor(np.asarray(drawn).astype(kind), requires_grad)


@row("refquant", returns="int64, of the given shape.")
def randint(
    low: int, high: Any = None, size: Any = None, *, generator=None, dtype=None, device=None
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

    >>> refquant.randint(0, 10, (2, 3)).shape
    refquant.Size([2, 3])
    """
    if size is None:
        low, high, size = 0, low, high
    low = arguments.integer("low", low)
    high = arguments.integer("high", high)
    for name, value in (("low", low), ("high", high)):
        if not -(2**63) <= value < 2**63:
            raise ArgumentError(argument=name, expected="in the range of int64", got=value)
    if not low < high:
        raise ArgumentError(argument="high", expected=f"greater than {low}", got=high)
    kind = storage(dtype, device, dtypes.int64)
    drawn = numpy_generator(generator).integers(low, high, arguments.shape("size", size))
    return Tensor(np.asarray(drawn).astype(kind))


@row("refquant", returns="int64, shape (n,).", n="How many.")
def randperm(n: int, *, generator=None, dtype=None) -> Tensor:
    """Draw a random permutation of the numbers from 0 to n - 1.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.randperm(4).sort().values
    tensor([0, 1, 2, 3])
    """
    kind = storage(dtype, default=dtypes.int64)
    (count,) = arguments.shape("n", arguments.integer("n", n))
    return Tensor(numpy_generator(generator).permutation(count).astype(kind))


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
def randn_like(input: Tensor, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Draw as `randn`, of the shape and dtype of another tensor.

    >>> refquant.randn_like(refquant.tensor([1.0, 2.0])).shape
    refquant.Size([2])
    """
    x = operand("input", input)
    kind = x.dtype if dtype is None else dtype
    return randn(x.array.shape, dtype=kind, requires_grad=requires_grad)


@row("refquant", input="Gives shape, memory format and dtype.", dtype="Another element type.")
def rand_like(input: Tensor, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Draw as `rand`, of the shape and dtype of another tensor.

    >>> refquant.rand_like(refquant.tensor([1.0, 2.0])).shape
    refquant.Size([2])
    """
    x = operand("input", input)
    kind = x.dtype if dtype is None else dtype
    return rand(x.array.shape, dtype=kind, requires_grad=requires_grad)


@row("refquant", returns="Of the given shape.")
def normal(mean: float = 0.0, std: float = 1.0, size: Any = (), *, generator=None) -> Tensor:
    """Draw from the normal distribution, float32.

    Parameters
    ----------
    size : sequence of int
        The shape.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.normal(5.0, 0.1, (3,)).shape
    refquant.Size([3])
    """
    mean, std = scalar("mean", mean), scalar("std", std)
    return randn(*arguments.shape("size", size), generator=generator) * std + mean


@row("refquant", input="Probabilities, from 0 to 1.")
def bernoulli(input: Any, *, generator=None) -> Tensor:
    """Draw 1 with the probability that each element gives, else 0.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.bernoulli(refquant.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    x = float_operand("input", input).array
    return Tensor((numpy_generator(generator).random(x.shape) < x).astype(x.dtype))


# -- in place ----------------------------------------------------------------------------------


@row("Tensor")
def normal_(input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator=None) -> Tensor:
    """Overwrite with draws from the normal distribution."""
    x = float_operand("input", input)
    mean, std = (arguments.real(n, v) for n, v in (("mean", mean), ("std", std)))
    with np.errstate(all="ignore"):
        drawn = np.asarray(numpy_generator(generator).standard_normal(x.array.shape) * std + mean)
    return assign(input, Tensor(cast(drawn, x.array.dtype)))


@row("Tensor", a="Not above `b`.", b="The upper end.")
def uniform_(input: Tensor, a: float = 0.0, b: float = 1.0, *, generator=None) -> Tensor:
    """Overwrite with draws from the uniform distribution from `a` to `b`."""
    x = float_operand("input", input)
    a = arguments.real("a", a, finite=True)
    b = arguments.real("b", b, a, finite=True)
    if not math.isfinite(b - a):
        raise ArgumentError(argument="b", expected="a finite distance from a", got=b)
    drawn = np.asarray(numpy_generator(generator).uniform(a, b, x.array.shape))
    return assign(input, Tensor(cast(drawn, x.array.dtype)))


# -- dropout -----------------------------------------------------------------------------------


@row(
    "nn.functional",
    returns="Of the expected value of the input.",
    input="Plain.",
    p="Probability, in 0..1.",
    training="Whether to do so at all; else `input` is returned.",
)
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set elements to 0 with probability p, and multiply the others by :math:`1 / (1 - p)`.

    Notes
    -----
    Source: Srivastava et al., "Dropout", 2014.

    >>> F.dropout(refquant.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    inplace = arguments.switch("inplace", inplace)
    p = arguments.real("p", p, 0, 1)
    if not arguments.flag("training", training) or p == 0:
        return input
    x = float_operand("input", input)
    kept = default_generator.numpy.random(x.array.shape, np.float32) >= p
    factor = kept * x.array.dtype.type(0 if p == 1 else 1 / (1 - p))
    with np.errstate(all="ignore"):
        result = differentiable(x.array * factor, (x,), lambda g: (g * factor,))
    return assign(input, result) if inplace else result
