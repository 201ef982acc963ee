"""Sums, products, means, variances and norms over dimensions."""

from typing import Any

import numpy as np

from refquant.arguments import flag, real
from refquant.errors import OperationError
from refquant.ops import checks
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import cast, float_operand, operand
from refquant.ops.from_data import plain_dtype
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


def reduced_axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the dimensions to reduce, or raise; None and an empty sequence stand for all."""
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    axes = checks.dimensions("dim", dim, ndim)
    return axes if ndim else ()


def _operand_as(input: Any, dtype: Any) -> Tensor:
    """Return a plain tensor, in another dtype if one is given, or raise."""
    t = operand("input", input)
    return t if dtype is None else t.to(plain_dtype(dtype))


def _expand_gradient(
    gradient: np.ndarray, axes: tuple[int, ...], keepdim: bool, shape
) -> np.ndarray:
    """Broadcast a gradient over the dimensions that were reduced."""
    if not keepdim and axes:
        gradient = np.expand_dims(gradient, axes)
    return np.broadcast_to(gradient, shape)


def _total(x: np.ndarray, axes: tuple[int, ...], keepdim: bool) -> np.ndarray:
    """Add up: float16 in float32, integers and bools in int64."""
    kind = {"e": np.float32, "f": np.float32, "d": np.float64}.get(x.dtype.char, np.int64)
    with np.errstate(all="ignore"):
        return np.asarray(x.sum(axis=axes, keepdims=keepdim, dtype=kind))


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    count = 1
    for axis in axes:
        count *= shape[axis]
    return count


def no_elements(x: np.ndarray) -> OperationError:
    """Describe a tensor without elements that came to an operation that needs one."""
    return OperationError(
        argument="input", expected="a tensor with elements", got=f"shape {x.shape}"
    )


@row(
    domain=(-2, 2),
    options=({}, {"dim": 1, "keepdim": True}),
    input="Plain; integers and bools add up to int64.",
    keepdim="Whether they stay, with extent 1.",
    dtype="Converts the input first.",
)
def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Add up, over all dimensions or some.

    >>> refquant.tensor([[1, 2], [3, 4]]).sum(dim=0)
    tensor([4, 6])
    """
    t, keepdim = _operand_as(input, dtype), flag("keepdim", keepdim)
    x, axes = t.array, reduced_axes(dim, t.array.ndim)
    kind = x.dtype if x.dtype.kind == "f" else np.int64
    result = cast(_total(x, axes, keepdim), kind)
    shape = x.shape
    return differentiable(result, (t,), lambda g: (_expand_gradient(g, axes, keepdim, shape),))


@row(domain=(-2, 2), options=({}, {"dim": 1, "keepdim": True}))
@dispatched
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Average, over all dimensions or some; parameters as of `sum`, for floating point.

    Of a quantized tensor the mean has the parameters of the input.

    >>> refquant.tensor([1.0, 2.0]).mean()
    tensor(1.5000)
    """
    t = float_operand("input", _operand_as(input, dtype))
    keepdim = flag("keepdim", keepdim)
    x, axes = t.array, reduced_axes(dim, t.array.ndim)
    count = _count(x.shape, axes)
    with np.errstate(all="ignore"):
        result = (_total(x, axes, keepdim) / count).astype(x.dtype, copy=False)
    shape, divisor = x.shape, x.dtype.type(count)
    return differentiable(
        result, (t,), lambda g: (_expand_gradient(g / divisor, axes, keepdim, shape),)
    )


@row(domain=(-2, 2), options=({}, {"dim": 1, "keepdim": True}))
def prod(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Multiply, over all dimensions or one; integers give int64.

    Parameters
    ----------
    dim : int, optional
        The dimension to reduce; all if not given.

    >>> refquant.prod(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([2., 0.])
    """
    t, keepdim = operand("input", input), flag("keepdim", keepdim)
    x, axes = t.array, reduced_axes(dim, t.array.ndim)
    kind = x.dtype if x.dtype.kind == "f" else np.int64
    with np.errstate(all="ignore"):
        result = np.asarray(x.prod(axis=axes, keepdims=keepdim, dtype=kind))

    def backward(g):
        # The product of the others: also right where one factor is 0.
        zeros = (x == 0).sum(axis=axes, keepdims=True)
        others = np.where(x == 0, 1, x).prod(axis=axes, keepdims=True)
        with np.errstate(all="ignore"):
            slope = np.where(zeros == 0, others / x, np.where((zeros == 1) & (x == 0), others, 0))
        return (_expand_gradient(g, axes, keepdim, x.shape) * slope.astype(x.dtype),)

    return differentiable(result, (t,), backward)


@row(
    domain=(-2, 2),
    options=({}, {"dim": 1, "unbiased": False}, {"dim": 0, "correction": 0}),
    correction="What to take from the count instead of the 1 of `unbiased`.",
)
def var(
    input: Any,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Compute the variance; `unbiased` divides by one less than the count.

    >>> refquant.var(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([0.5000, 4.5000])
    """
    t = float_operand("input", input)
    if isinstance(dim, bool):  # the form without dimensions
        dim, unbiased = None, dim
    less = flag("unbiased", unbiased) if correction is None else real("correction", correction)
    keepdim = flag("keepdim", keepdim)
    x, axes = t.array, reduced_axes(dim, t.array.ndim)
    divisor = x.dtype.type(max(_count(x.shape, axes) - less, 0))
    with np.errstate(all="ignore"):
        # Not x.mean(), which warns where there is nothing to average.
        mean = _total(x, axes, True) / _count(x.shape, axes)
        distance = x - mean.astype(x.dtype, copy=False)
        result = np.divide(
            np.square(distance).sum(axis=axes, keepdims=keepdim), divisor, dtype=x.dtype
        )

    def backward(g):
        with np.errstate(all="ignore"):  # one element has no variance
            return (_expand_gradient(g, axes, keepdim, x.shape) * distance * (2 / divisor),)

    return differentiable(result, (t,), backward)


@row(
    domain=(-2, 2),
    options=({}, {"dim": 1, "keepdim": True}),
    input="Plain, or quantized per tensor: the result keeps its parameters.",
    correction="What to take from the count instead of the 1 of `unbiased`.",
)
@dispatched
def std(
    input: Any,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Compute the standard deviation, the square root of `var`.

    >>> refquant.std(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([0.7071, 2.1213])
    """
    return var(input, dim, unbiased, keepdim, correction=correction).sqrt()


@row(domain=(-2, 2), options=({}, {"p": 3, "dim": 1}, {"p": np.inf, "dim": 0, "keepdim": True}))
def norm(input: Any, p: float = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    r"""Norm of the vector of all elements, :math:`(\sum_i |x_i|^p)^{1/p}`; `p` may be inf.

    Parameters
    ----------
    p : float, default 2
        The exponent; may be inf.

    >>> refquant.norm(refquant.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
    tensor([2.2361, 3.0000])
    """
    t = float_operand("input", input)
    p, keepdim = real("p", p), flag("keepdim", keepdim)
    x, axes = t.array, reduced_axes(dim, t.array.ndim)
    if np.isinf(p) and _count(x.shape, axes) == 0:
        raise no_elements(x)
    size = np.abs(x)
    with np.errstate(all="ignore"):
        if p == np.inf:
            kept = size.max(axis=axes, keepdims=True)
        elif p == -np.inf:
            kept = size.min(axis=axes, keepdims=True)
        elif p == 0:  # the number of those that are not 0
            kept = np.count_nonzero(size, axis=axes, keepdims=True)
        else:
            kept = (size**p).sum(axis=axes, keepdims=True) ** (1 / p)
        kept = kept.astype(x.dtype)

    def backward(g):
        with np.errstate(all="ignore"):
            if p == 0:
                return (np.zeros(x.shape, x.dtype),)
            if np.isinf(p):
                slope = np.sign(x) * (size == kept) / (size == kept).sum(axis=axes, keepdims=True)
            else:
                slope = np.sign(x) * (size / kept) ** (p - 1)
        slope = np.where(kept == 0, 0, slope).astype(x.dtype)
        return (_expand_gradient(g, axes, keepdim, x.shape) * slope,)

    return differentiable(kept if keepdim else kept.squeeze(axes), (t,), backward)


@row(domain=(-2, 2), options=({"dim": 1},))
def cumsum(input: Any, dim: int) -> Tensor:
    """Compute the cumulative sum along a dimension.

    >>> refquant.cumsum(refquant.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    t = operand("input", input)
    dim = checks.dimension("dim", dim, t.array.ndim)
    kind = t.array.dtype if t.array.dtype.kind == "f" else np.int64
    with np.errstate(all="ignore"):
        result = np.cumsum(t.array, axis=dim, dtype=kind)
    return differentiable(
        result.reshape(t.array.shape),  # NumPy gives one without dimensions one
        (t,),
        lambda g: (np.flip(np.cumsum(np.flip(g, dim), axis=dim), dim),),
    )
