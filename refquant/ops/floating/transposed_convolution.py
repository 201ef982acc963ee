"""Transposed convolution: the map whose matrix is the transpose of that of a convolution.

Each element of the input adds the filter, times itself, to the output; where filters overlap, they
are added up. Backward, the gradient of the input is the convolution of the output's gradient.
"""

import math
from typing import Any

import numpy as np

from refquant.arguments import shape
from refquant.errors import ArgumentError
from refquant.ops.floating.convolution import checked_operands
from refquant.ops.floating.windows import (
    padded,
    per_dimension,
    positions,
    unpadded,
    windows,
)
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable

_PARTS: dict[str, Any] = {
    "input": "Shape (batch, in_channels, ...); the batch may be left out.",
    "weight": "The filters, shape (in_channels, out_channels / groups, ...).",
    "stride": "Step from filter to filter.",
    "padding": "Elements that are cut off at each border.",
    "output_padding": "Elements that are added behind: fewer than `stride` or `dilation`.",
    "dilation": "Distance of the elements of a filter.",
}


def _transpose(
    ndim, input, weight, bias, stride, padding, output_padding, groups, dilation
) -> Tensor:
    x, w, xs, ws, b, groups = checked_operands(ndim, input, weight, bias, groups, transposed=True)
    stride = per_dimension("stride", stride, ndim, 1)
    padding = per_dimension("padding", padding, ndim, 0)
    behind = per_dimension("output_padding", output_padding, ndim, 0)
    dilation = per_dimension("dilation", dilation, ndim, 1)
    if any(o >= max(s, d) for o, s, d in zip(behind, stride, dilation, strict=True)):
        raise ArgumentError(
            argument="output_padding",
            expected=f"smaller than stride {stride} or dilation {dilation}",
            got=behind,
        )
    batch, channels, sizes, kernel = xs.shape[0], ws.shape[1] * groups, xs.shape[2:], ws.shape[2:]
    frame = tuple(
        (n - 1) * s + d * (k - 1) + 1 + o
        for n, s, d, k, o in zip(sizes, stride, dilation, kernel, behind, strict=True)
    )
    result = tuple(f - 2 * p for f, p in zip(frame, padding, strict=True))
    if min(result) < 1:
        raise ArgumentError(
            argument="padding", expected=f"less than half of the extents {frame}", got=padding
        )
    pixels, fan = math.prod(sizes), math.prod(ws.shape[1:])
    matrix = ws.reshape(groups, -1, fan)
    flat = xs.reshape(batch, groups, -1, pixels)
    with np.errstate(all="ignore"):
        parts = np.matmul(matrix.swapaxes(-1, -2), flat)
        parts = parts.reshape(batch, channels, *kernel, *sizes)
        total = np.zeros(shape("the extents of the result", (batch, channels, *frame)), xs.dtype)
        for place, index in positions(kernel, stride, dilation, sizes):
            total[(..., *index)] += parts[(slice(None), slice(None), *place)]
        y = total[unpadded((batch, channels, *result), padding)].copy()
        if b is not None:
            y += b.array.reshape(-1, *(1,) * ndim)

    def backward(g):
        g = g.reshape(batch, channels, *result)
        columns = windows(padded(g, padding, padding), kernel, stride, dilation, sizes)
        columns = columns.reshape(batch, groups, fan, pixels)
        dx = dw = db = None
        if x.requires_grad:
            dx = np.matmul(matrix, columns).reshape(x.array.shape)
        if w.requires_grad:
            dw = np.matmul(flat, columns.swapaxes(-1, -2)).sum(axis=0).reshape(ws.shape)
        if b is not None and b.requires_grad:
            db = g.sum(axis=(0, *range(2, ndim + 2)))
        return (dx, dw) if b is None else (dx, dw, db)

    if x.array.ndim == ndim + 1:
        y = y[0]
    return differentiable(y, (x, w) if b is None else (x, w, b), backward)


@row("nn.functional", returns="Shape (batch, out_channels, ...).", **_PARTS)
def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Convolve sequences by the transposed map; see `conv_transpose2d`.

    >>> F.conv_transpose1d(refquant.ones(1, 1, 3), refquant.ones(1, 1, 2)).ravel()
    tensor([1., 2., 2., 1.])
    """
    return _transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@row("nn.functional", returns="Shape (batch, out_channels, ...).", **_PARTS)
def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    r"""Convolve images by the transposed map: the filter is added at each pixel, times the pixel.

    .. math:: y_{n, o, i s + k d - p, j s + l d - p} = b_o + \sum x_{n c i j} w_{c o k l}

    over all i, j, k, l that lead to the same place.

    >>> F.conv_transpose2d(refquant.ones(1, 1, 2, 2), refquant.ones(1, 1, 2, 2), stride=2).shape
    refquant.Size([1, 1, 4, 4])
    """
    return _transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@row("nn.functional", returns="Shape (batch, out_channels, ...).", **_PARTS)
def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Convolve volumes by the transposed map; see `conv_transpose2d`.

    >>> F.conv_transpose3d(refquant.ones(1, 1, 1, 1, 2), refquant.ones(1, 1, 1, 1, 2)).ravel()
    tensor([1., 2., 1.])
    """
    return _transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
