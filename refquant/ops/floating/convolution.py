"""Convolution as matrix multiplication.

All windows of an image become the columns of a matrix; a row of the weight times a column is one
output. Backward, the gradient of the columns is added up where windows overlap.
"""

import math
from typing import Any

import numpy as np

from refquant import dtypes
from refquant.arguments import describe
from refquant.engines.rules.product_order import convolution_order
from refquant.errors import ArgumentError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.floating.operands import float_operand
from refquant.ops.floating.padding import pad
from refquant.ops.floating.products import convolution_product, in_blocks, out_of_blocks
from refquant.ops.floating.windows import (
    border,
    output_sizes,
    padded,
    per_dimension,
    positions,
    spatial_input,
    unpadded,
    windows,
)
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable

_PADDING = "Zeros around the input; 'same' keeps the extents, where `stride` is 1, 'valid' is 0."


def checked_operands(
    ndim: int, input: Any, weight: Any, bias: Any, groups: Any, transposed: bool = False
) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray, Tensor | None, int]:
    """Return operands, the arrays of input and weight, bias and groups of a convolution, or raise.

    The first dimension of a weight counts outputs, that of a `transposed` convolution inputs; the
    second those of the other side in a group.
    """
    x, w = float_operand("input", input), float_operand("weight", weight)
    groups = checks.whole_number("groups", groups)
    xs, ws = spatial_input(x.array, ndim), w.array
    if ws.ndim != ndim + 2 or groups < 1 or ws.shape[0] % groups:
        raise ShapeError(
            argument="weight",
            got=f"shape {ws.shape} for groups={describe(groups)}",
            expected=f"of {ndim + 2} dimensions, the first a multiple of `groups`",
        )
    first, second = ws.shape[0], ws.shape[1] * groups
    channels, outputs = (first, second) if transposed else (second, first)
    if xs.shape[1] != channels:
        raise ShapeError(
            argument="input",
            got=f"shape {tuple(x.shape)}",
            expected=f"of {channels} channels for a weight of shape {ws.shape}"
            + ("" if transposed else f" and groups={groups}"),
        )
    if xs.dtype != ws.dtype:
        raise ArgumentError(
            argument="input",
            expected=f"of the dtype {w.dtype} of the weight",
            got=x.dtype,
            hint="convert it with .to()",
        )
    if bias is None:
        return x, w, xs, ws, None, groups
    b = float_operand("bias", bias)
    if b.array.shape != (outputs,):
        raise ShapeError(
            argument="bias",
            expected=f"of shape ({outputs},)",
            got=f"shape {b.array.shape}",
        )
    return x, w, xs, ws, b, groups


def _convolve(ndim, input, weight, bias, stride, padding, dilation, groups) -> Tensor:
    x, w, xs, ws, b, groups = checked_operands(ndim, input, weight, bias, groups)
    stride = per_dimension("stride", stride, ndim, 1)
    dilation = per_dimension("dilation", dilation, ndim, 1)
    padding, behind = border(padding, ws.shape[2:], stride, dilation)
    if behind != padding:  # the sums below run over a border of one width
        more = [e - p for p, e in zip(padding, behind, strict=True)]
        framed_input = pad(x, [n for extra in reversed(more) for n in (0, extra)])
        return _convolve(ndim, framed_input, w, b, stride, padding, dilation, groups)
    kernel, batch, channels = ws.shape[2:], xs.shape[0], ws.shape[0]
    sizes = output_sizes(xs.shape[2:], kernel, stride, padding, dilation)
    pixels, fan = math.prod(sizes), math.prod(ws.shape[1:])

    framed = padded(xs, padding, padding)
    memory_format = layout.format_of(xs)
    if memory_format is dtypes.contiguous_format:
        memory_format = layout.format_of(ws)
    channels_last = memory_format is not dtypes.contiguous_format
    order = convolution_order(xs.shape, ws.shape, stride, padding, dilation, groups, channels_last)
    view = windows(framed, kernel, stride, dilation, sizes)
    columns = in_blocks(view.reshape(batch, groups, ws.shape[1], *view.shape[2:]), ndim, order)
    columns = columns.reshape(batch, groups, fan, pixels)
    rows = ws.reshape(groups, channels // groups, ws.shape[1], *kernel)
    matrix = in_blocks(rows, ndim, order).reshape(groups, channels // groups, fan)
    with np.errstate(all="ignore"):
        product = convolution_product(matrix, columns, None if b is None else b.array, order)
    product = product.reshape(batch, channels, *sizes)
    product = layout.to_format(product, memory_format)

    def backward(g):
        g = g.reshape(batch, groups, channels // groups, pixels)
        dx = dw = db = None
        if w.requires_grad:
            dw = np.matmul(g, columns.swapaxes(-1, -2)).sum(axis=0)
            dw = out_of_blocks(dw, ws.shape[1], kernel, order).reshape(ws.shape)
        if b is not None and b.requires_grad:
            db = g.sum(axis=(0, 3)).reshape(-1)
        if x.requires_grad:
            filters = ws.reshape(groups, channels // groups, fan)
            parts = np.matmul(filters.swapaxes(-1, -2), g)
            parts = parts.reshape(*xs.shape[:2], *kernel, *sizes)
            gradient = np.zeros(framed.shape, g.dtype)
            for place, index in positions(kernel, stride, dilation, sizes):
                gradient[(..., *index)] += parts[(slice(None), slice(None), *place)]
            dx = gradient[unpadded(xs.shape, padding)].reshape(x.array.shape)
        return (dx, dw) if b is None else (dx, dw, db)

    if x.array.ndim == ndim + 1:
        product = product[0]
    return differentiable(product, (x, w) if b is None else (x, w, b), backward)


@row("nn.functional", padding=_PADDING)
def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve sequences, shape (batch, channels, length); see `conv2d`.

    Parameters
    ----------
    input : Tensor, shape (n, in_channels, ...)
        Sequences or volumes.
    weight : Tensor, shape (out_channels, in_channels / groups, ...)
        The filters.
    bias : Tensor, shape (out_channels,), optional
        Added to every output.

    Returns
    -------
    Tensor
        Shape (n, out_channels, ...), the extents of the output after them.

    >>> F.conv1d(refquant.ones(1, 1, 3), refquant.ones(1, 1, 2)).ravel()
    tensor([2., 2.])
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


@row("nn.functional")
def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    r"""Convolve images with filters.

    .. math:: y_{n o i j} = b_o + \sum_{c k l} w_{o c k l}\,
        x_{n, c, i s + k d - p, j s + l d - p}

    where x is 0 outside the image.

    Parameters
    ----------
    input : Tensor of floats, shape (batch, in_channels, height, width)
        Plain; the batch may be left out.
    weight : Tensor of the same dtype, shape (out_channels, in_channels / groups, kh, kw)
        The filters.
    bias : Tensor of the same dtype, shape (out_channels,), optional
        Added to every pixel.
    stride, dilation : int or pair of int
        Pixels from window to window, and from tap to tap.
    padding : int, pair of int, 'same' or 'valid'
        Border of zeros; 'same' keeps height and width, where `stride` is 1, 'valid' is 0.
    groups : int
        Channels are cut into as many groups that do not see each other.

    Returns
    -------
    Tensor
        Shape (batch, out_channels, height', width'), channels-last if `input` or `weight` is.

    Raises
    ------
    ShapeError
        If shapes do not match.
    OperationError
        If no window fits.
    QuantizerError
        If an operand is quantized.

    >>> F.conv2d(refquant.ones(1, 1, 3, 3), refquant.ones(1, 1, 2, 2), stride=2, padding=1)
    tensor([[[[1., 2.],
              [2., 4.]]]])
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


@row("nn.functional", padding=_PADDING)
def conv3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve volumes, shape (batch, channels, depth, height, width); see `conv2d`.

    Parameters
    ----------
    input : Tensor, shape (n, in_channels, ...)
        Sequences or volumes.
    weight : Tensor, shape (out_channels, in_channels / groups, ...)
        The filters.
    bias : Tensor, shape (out_channels,), optional
        Added to every output.

    Returns
    -------
    Tensor
        Shape (n, out_channels, ...), the extents of the output after them.

    >>> F.conv3d(refquant.ones(1, 1, 3, 3, 3), refquant.ones(1, 1, 2, 2, 2)).ravel()
    tensor([8., 8., 8., 8., 8., 8., 8., 8.])
    """
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)
