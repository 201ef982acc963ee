"""Exponentials, logarithms, roots and trigonometric functions, each with its derivative."""

from typing import Any

import numpy as np

from refquant.engines.rules.square_root import square_root
from refquant.ops.floating.unary import unary, unary_float
from refquant.ops.rows import row
from refquant.tensors import Tensor


@row(domain=(-2, 2))
def exp(input: Any) -> Tensor:
    """Exponential function.

    >>> refquant.exp(refquant.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return unary_float(input, np.exp, lambda x, y: y)


@row(domain=(0.1, 3))
def log(input: Any) -> Tensor:
    """Natural logarithm; -inf at 0 and NaN below.

    >>> refquant.log(refquant.tensor([1.0, 0.0]))
    tensor([0., -inf])
    """
    return unary_float(input, np.log, lambda x, y: 1 / x)


@row(domain=(0.1, 3))
def log2(input: Any) -> Tensor:
    """Logarithm to the base 2.

    >>> refquant.log2(refquant.tensor([8.0]))
    tensor([3.])
    """
    return unary_float(input, np.log2, lambda x, y: x.dtype.type(1 / np.log(2)) / x)


@row(domain=(0.1, 3))
def log10(input: Any) -> Tensor:
    """Logarithm to the base 10.

    >>> refquant.log10(refquant.tensor([50.0]))
    tensor([1.6990])
    """
    return unary_float(input, np.log10, lambda x, y: x.dtype.type(1 / np.log(10)) / x)


@row(domain=(-0.5, 3))
def log1p(input: Any) -> Tensor:
    r"""Compute :math:`\log(1 + x)`, exact for small x.

    >>> refquant.log1p(refquant.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    return unary_float(input, np.log1p, lambda x, y: 1 / (1 + x))


@row(domain=(0.1, 3))
def sqrt(input: Any) -> Tensor:
    """Square root, as PyTorch's library has it; NaN below 0.

    Results of float32 may be a unit in the last place too small; see
    `refquant.engines.rules.square_root`.

    >>> refquant.sqrt(refquant.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return unary_float(input, square_root, lambda x, y: 1 / (2 * y))


@row(domain=(0.1, 3))
def rsqrt(input: Any) -> Tensor:
    """Reciprocal of the square root.

    >>> refquant.rsqrt(refquant.tensor([4.0]))
    tensor([0.5000])
    """
    return unary_float(input, lambda x: 1 / np.sqrt(x), lambda x, y: -y * y * y / 2)


@row(domain=(0.2, 3))
def reciprocal(input: Any) -> Tensor:
    """Compute 1 / x.

    >>> refquant.reciprocal(refquant.tensor([2.0, 4.0]))
    tensor([0.5000, 0.2500])
    """
    return unary_float(input, lambda x: 1 / x, lambda x, y: -y * y)


@row(domain=(-2, 2))
def square(input: Any) -> Tensor:
    """Multiply by itself.

    >>> refquant.square(refquant.tensor([3.0, -2.0]))
    tensor([9., 4.])
    """
    return unary(
        input,
        lambda x: np.square(x, dtype=np.int64 if x.dtype == np.bool_ else x.dtype),
        lambda x: 2 * x,
    )


@row(domain=(-2, 2))
def sin(input: Any) -> Tensor:
    """Sine.

    >>> refquant.sin(refquant.tensor([0.0]))
    tensor([0.])
    """
    return unary_float(input, np.sin, lambda x, y: np.cos(x))


@row(domain=(-2, 2))
def cos(input: Any) -> Tensor:
    """Cosine.

    >>> refquant.cos(refquant.tensor([0.0]))
    tensor([1.])
    """
    return unary_float(input, np.cos, lambda x, y: -np.sin(x))
