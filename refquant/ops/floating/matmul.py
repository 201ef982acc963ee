"""Matrix multiplication, and the linear map of a layer."""

import math
from typing import Any

import numpy as np

from refquant.errors import OperationError, ShapeError
from refquant.ops.broadcasting import unbroadcast
from refquant.ops.floating.given_out import written
from refquant.ops.floating.operands import float_operand, operand, reject_quantized, scalar
from refquant.ops.floating.products import linear_product
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


@row(returns="The dimensions in front, then rows and columns as far as they are given.")
def matmul(input: Any, other: Any, *, out: Any = None) -> Tensor:
    """Multiply matrices; dimensions in front broadcast, vectors count as a row or a column.

    Parameters
    ----------
    input, other : Tensor
        Plain, of one dtype and at least one dimension each.

    Raises
    ------
    ShapeError
        If the inner extents differ or the dimensions in front do not broadcast.

    >>> refquant.tensor([[1.0, 2.0]]) @ refquant.tensor([[3.0], [4.0]])
    tensor([[11.]])
    """
    reject_quantized(input, other)
    a, b = operand("input", input), operand("other", other)
    x, y = a.array, b.array
    if x.dtype != y.dtype:
        raise OperationError(
            argument="other",
            expected=f"of the dtype {a.dtype} of `input`",
            got=b.dtype,
            hint="convert one of them with .to()",
        )
    try:
        with np.errstate(all="ignore"):
            product = np.matmul(x, y)
    except ValueError:
        raise ShapeError(
            argument="other",
            expected=f"of a shape that matches {x.shape}",
            got=f"shape {y.shape}",
        ) from None

    def backward(g):
        # Vectors become matrices of one row or column, as in the product itself.
        left = x[None] if x.ndim == 1 else x
        right = y[:, None] if y.ndim == 1 else y
        if x.ndim == 1:
            g = np.expand_dims(g, -1 if y.ndim == 1 else -2)
        if y.ndim == 1:
            g = np.expand_dims(g, -1)
        dx = dy = None
        if a.requires_grad:
            dx = unbroadcast(np.matmul(g, right.swapaxes(-1, -2)), left.shape).reshape(x.shape)
        if b.requires_grad:
            dy = unbroadcast(np.matmul(left.swapaxes(-1, -2), g), right.shape).reshape(y.shape)
        return dx, dy

    result = differentiable(product, (a, b), backward)
    return result if out is None else written(out, result, converts=False)


def _matrix_product(input: Any, other: Any, ndims: tuple[int, int]) -> Tensor:
    _of_dimensions("input", input, ndims[0], "use matmul(), which broadcasts")
    _of_dimensions("other", other, ndims[1], "use matmul(), which broadcasts")
    return matmul(input, other)


def _of_dimensions(argument: str, value: Any, ndim: int, hint: str | None = None):
    shape = operand(argument, value).array.shape
    if len(shape) != ndim:
        raise ShapeError(
            argument=argument,
            expected=f"a tensor of {ndim} dimension{'s' * (ndim > 1)}",
            got=f"shape {shape}",
            hint=hint,
        )


@row(returns="Shape (n, m).")
def mm(input: Any, mat2: Any) -> Tensor:
    """Multiply two matrices; see `matmul`.

    Parameters
    ----------
    input : Tensor, shape (n, k)
        The left matrix.
    mat2 : Tensor, shape (k, m)
        The right matrix.

    >>> x = refquant.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> refquant.mm(x, x)
    tensor([[ 7., 10.],
            [15., 22.]])
    """
    return _matrix_product(input, mat2, (2, 2))


@row(returns="Shape (b, n, m).")
def bmm(input: Any, mat2: Any) -> Tensor:
    """Multiply two batches of matrices; see `matmul`.

    Parameters
    ----------
    input : Tensor, shape (b, n, k)
        The left matrices.
    mat2 : Tensor, shape (b, k, m)
        The right matrices.

    >>> refquant.bmm(refquant.ones(2, 1, 3), refquant.ones(2, 3, 1)).shape
    refquant.Size([2, 1, 1])
    """
    return _matrix_product(input, mat2, (3, 3))


@row(returns="Shape (n,).")
def mv(input: Any, vec: Any) -> Tensor:
    """Multiply a matrix and a vector; see `matmul`.

    Parameters
    ----------
    input : Tensor, shape (n, k)
        The left matrix.
    vec : Tensor, shape (k,)
        The vector.

    >>> refquant.mv(refquant.tensor([[1.0, 2.0], [3.0, 4.0]]), refquant.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    return _matrix_product(input, vec, (2, 1))


@row(returns="One number.")
def dot(input: Any, tensor: Any) -> Tensor:
    """Compute the dot product of two vectors; see `matmul`.

    Parameters
    ----------
    input : Tensor, shape (n,)
        A vector.
    tensor : Tensor, shape (n,)
        Another one.

    >>> refquant.dot(refquant.tensor([1.0, 10.0]), refquant.tensor([1.0, 10.0]))
    tensor(101.)
    """
    return _matrix_product(input, tensor, (1, 1))


@row(returns="Shape (n, m).")
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Compute the outer product of two vectors.

    Parameters
    ----------
    input : Tensor, shape (n,)
        A vector.
    vec2 : Tensor, shape (m,)
        Another one.

    >>> refquant.outer(refquant.tensor([1.0, 10.0]), refquant.tensor([1.0, 10.0]))
    tensor([[  1.,  10.],
            [ 10., 100.]])
    """
    for name, value in (("input", input), ("vec2", vec2)):
        _of_dimensions(name, value, 1)
    left, right = operand("input", input), operand("vec2", vec2)
    return left.unsqueeze(1) * right.unsqueeze(0)


@row(returns="Shape (n, m).")
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    r"""Compute :math:`\beta\,\mathrm{input} + \alpha\,\mathrm{mat1}\,\mathrm{mat2}`.

    Parameters
    ----------
    input : Tensor
        Added; broadcasts to (n, m).
    mat1 : Tensor, shape (n, k)
        The left matrix.
    mat2 : Tensor, shape (k, m)
        The right matrix.
    beta : float, default 1
        Factor of `input`.
    alpha : float, default 1
        Factor of the product.

    >>> x = refquant.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> refquant.addmm(refquant.tensor([1.0, 10.0]), x, x)
    tensor([[ 8., 20.],
            [16., 32.]])
    """
    alpha, beta = scalar("alpha", alpha), scalar("beta", beta)
    return mm(mat1, mat2) * alpha + operand("input", input) * beta


@row("nn.functional", returns="Shape (..., out_features).")
def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """Apply a linear map and add a bias, :math:`y = x W^T + b`.

    Parameters
    ----------
    input : Tensor of floats, shape (..., in_features)
        Rows to map.
    weight : Tensor of the same dtype, shape (out_features, in_features)
        The map.
    bias : Tensor of the same dtype, shape (out_features,), optional
        Added to every row.

    Raises
    ------
    ShapeError
        If the numbers of features differ.
    QuantizerError
        If an operand is quantized.

    >>> refquant.nn.functional.linear(refquant.tensor([1.0, 2.0]), refquant.tensor([[3.0, 4.0]]))
    tensor([11.])
    """
    x, w = float_operand("input", input), float_operand("weight", weight)
    xs, ws = x.array, w.array
    if xs.ndim == 0 or ws.ndim != 2 or xs.shape[-1] != ws.shape[1]:
        raise ShapeError(
            argument="input",
            got=f"shape {xs.shape}",
            expected=f"of a last dimension that fits a weight of shape {ws.shape}",
        )
    if xs.dtype != ws.dtype:
        raise OperationError(
            argument="input",
            expected=f"of the dtype {w.dtype} of the weight",
            got=x.dtype,
            hint="convert it with .to()",
        )
    rows = xs.reshape(math.prod(xs.shape[:-1]), xs.shape[-1])
    inputs: tuple = (x, w)
    b = None
    if bias is not None:
        b = float_operand("bias", bias)
        if b.array.shape != (ws.shape[0],):
            raise ShapeError(
                argument="bias",
                expected=f"of shape ({ws.shape[0]},)",
                got=f"shape {b.array.shape}",
            )
        inputs = (x, w, b)
    with np.errstate(all="ignore"):
        bias_first = xs.ndim == 2 or (xs.ndim == 3 and xs.flags.c_contiguous)
        product = linear_product(rows, ws, None if b is None else b.array, bias_first)

    def backward(g):
        g = g.reshape(len(rows), ws.shape[0])
        dx = (g @ ws).reshape(xs.shape) if x.requires_grad else None
        dw = g.T @ rows if w.requires_grad else None
        return (dx, dw, g.sum(axis=0))[: len(inputs)]

    return differentiable(product.reshape(*xs.shape[:-1], ws.shape[0]), inputs, backward)
