"""Products of float arrays, as linear layers and convolutions form them.

Those of float32 are added in PyTorch's order, all others in that of NumPy.
"""

import math

import numpy as np

from refquant import kernels
from refquant.engines.rules import product_order

_LEAST_ROWS, _LEAST_COLUMNS = 2, 4


def linear_product(rows, weight, bias, bias_first):
    """Multiply rows by rows of the weight and add a bias.

    The order of single rows, and of fewer than four outputs, depends on where they lie in memory.

    Parameters
    ----------
    rows : ndarray of floats, shape (m, depth)
        Input.
    weight : ndarray of the same dtype, shape (n, depth)
        Weight.
    bias : ndarray of the same dtype, shape (n,), or None
        Added.
    bias_first : bool
        Whether the bias joins the first run of terms, and not the sum of all.

    Returns
    -------
    ndarray of the same dtype, shape (m, n)
    """
    m, depth = rows.shape
    n = len(weight)
    if rows.dtype != np.float32 or m < _LEAST_ROWS or n < _LEAST_COLUMNS or depth == 0:
        product = rows @ weight.T
    elif product_order.adds_in_lanes(m, depth):
        rows, weight = np.ascontiguousarray(rows), np.ascontiguousarray(weight)
        product = kernels.products_in_lanes(rows, weight)
    else:
        # A single term is not added to 0: it keeps the sign of its zero.
        start = np.full((1, 1, m, n), -0.0 if depth == 1 else 0.0, np.float32)
        if bias is not None and bias_first:
            start[...] = bias
            bias = None
        columns = np.ascontiguousarray(weight.T)[None, None]
        left = np.ascontiguousarray(rows)[None]
        ends = product_order.ends_of_runs(depth)
        product = kernels.chained_products(left, columns, start, ends, depth == 1)[0, 0]
    if bias is not None:
        product += bias
    return product


def in_blocks(x, ndim, order):
    """Put the terms of filters or windows into an order.

    Parameters
    ----------
    x : ndarray, shape (a, b, channels, *kernel, ...)
        Windows or filters; `a` and `b` stay in front.
    ndim : int
        Dimensions of the kernel.
    order : ConvolutionOrder
        The order.

    Returns
    -------
    ndarray, shape (a, b, channels * taps, ...)
        Contiguous if anything has moved.
    """
    if order.by_columns:
        x = x.swapaxes(3, 4)
    a, b, channels, *rest = x.shape
    taps, others = math.prod(rest[:ndim]), rest[ndim:]
    if order.block == 0 or channels == 1:
        return x.reshape(a, b, channels * taps, *others)
    out = np.empty((a, b, channels * taps, *others), x.dtype)
    for c in range(0, channels, order.block):
        part = x[:, :, c : c + order.block]
        place = out[:, :, c * taps : c * taps + part.shape[2] * taps]
        place = place.reshape(a, b, *rest[:ndim], part.shape[2], *others)
        place[...] = np.moveaxis(part, 2, 2 + ndim)
    return out


def out_of_blocks(x, channels, kernel, order):
    """Undo `in_blocks` for filters, shape (groups, rows, channels * taps)."""
    terms = np.arange(x.shape[2]).reshape(1, 1, channels, *kernel)
    out = np.empty_like(x)
    out[:, :, in_blocks(terms, len(kernel), order).ravel()] = x
    return out


def convolution_product(matrix, columns, bias, order):
    """Multiply the filters of all groups by windows and add a bias.

    Parameters
    ----------
    matrix : ndarray of floats, shape (groups, rows, depth)
        Filters, terms in the stated order.
    columns : ndarray of the same dtype, shape (batch, groups, depth, pixels)
        Windows, terms in the same order.
    bias : ndarray of the same dtype, shape (groups * rows,), or None
        Added.
    order : ConvolutionOrder
        Where runs end and where the bias is added.

    Returns
    -------
    ndarray of the same dtype, shape (batch, groups, rows, pixels)
    """
    groups, rows, _ = matrix.shape
    if bias is not None:
        bias = bias.reshape(groups, rows, 1)
    if matrix.dtype != np.float32:
        product = np.matmul(matrix, columns)
        if bias is not None:
            product += bias
        return product
    alone = order.bias == "start" and matrix.shape[2] == 1
    shape = columns.shape[0], groups, rows, columns.shape[3]
    start = np.full(shape, -0.0 if alone else 0.0, np.float32)
    if bias is not None and order.bias != "last":
        start[...] = bias
    matrix, columns = np.ascontiguousarray(matrix), np.ascontiguousarray(columns)
    from_start = order.bias == "start"
    product = kernels.chained_products(matrix, columns, start, order.ends, from_start)
    if bias is not None and order.bias == "last":
        product += bias
    return product
