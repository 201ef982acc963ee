"""Softmax and its logarithm."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.ops import checks
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import float_operand, operand
from refquant.ops.from_data import plain_dtype
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


def _prepared(input: Any, dim: int, dtype: Any) -> tuple[Tensor, int]:
    x = float_operand("input", input if dtype is None else _converted(input, dtype))
    return x, checks.dimension("dim", dim, x.array.ndim)


def _converted(input: Any, dtype: Any) -> Tensor:
    return operand("input", input).to(plain_dtype(dtype))


def _log_sums(x: np.ndarray, dim) -> np.ndarray:
    # The largest is taken out first, so that no exponential overflows.
    largest = np.max(x, axis=dim, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    return largest + np.log(np.sum(np.exp(x - largest), axis=dim, keepdims=True))


@row(
    domain=(-2, 2),
    options=({"dim": 1},),
    input="Plain.",
    dim="Along which the shares add up.",
    dtype="Converts the input first.",
)
@dispatched
def softmax(input: Any, dim: int, dtype: Any = None) -> Tensor:
    r"""Normalize exponentials to a sum of 1, :math:`e^{x_i} / \sum_j e^{x_j}`.

    >>> refquant.softmax(refquant.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x, dim = _prepared(input, dim, dtype)
    with np.errstate(all="ignore"):
        raised = np.exp(x.array - np.max(x.array, axis=dim, keepdims=True, initial=-np.inf))
        y = raised / raised.sum(axis=dim, keepdims=True)
    return differentiable(y, (x,), lambda g: (y * (g - (g * y).sum(axis=dim, keepdims=True)),))


@row(domain=(-2, 2), options=({"dim": 0},), dtype="Converts the input first.")
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Tensor:
    r"""Logarithm of `softmax`, :math:`x_i - \log \sum_j e^{x_j}`.

    >>> refquant.log_softmax(refquant.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    x, dim = _prepared(input, dim, dtype)
    with np.errstate(all="ignore"):
        y = x.array - _log_sums(x.array, dim)
    return differentiable(y, (x,), lambda g: (g - np.exp(y) * g.sum(axis=dim, keepdims=True),))


@row(domain=(-2, 2), options=({"dim": 1},))
def logsumexp(input: Any, dim: int, keepdim: bool = False) -> Tensor:
    r"""Logarithm of a sum of exponentials, :math:`\log \sum_j e^{x_j}`.

    >>> refquant.logsumexp(refquant.tensor([0.0, 0.0]), 0)
    tensor(0.6931)
    """
    keepdim = arguments.flag("keepdim", keepdim)
    x, dim = _prepared(input, dim, None)
    with np.errstate(all="ignore"):
        y = _log_sums(x.array, dim)

    def backward(g):
        return (np.exp(x.array - y) * (g if keepdim else np.expand_dims(g, dim)),)

    return differentiable(y if keepdim else y.squeeze(dim), (x,), backward)
