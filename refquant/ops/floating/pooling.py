"""Pooling: the largest or the mean of every window."""

from typing import Any

import numpy as np

from refquant.arguments import flag, switch
from refquant.errors import ShapeError
from refquant.ops import layout
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import cast, float_operand
from refquant.ops.floating.windows import (
    adaptive_sizes,
    adaptive_spans,
    divisor,
    padded,
    per_dimension,
    pooled_sizes,
    positions,
    spans,
    spatial_input,
    strides,
    unpadded,
)
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


def _geometry(kernel_size, stride, padding, dilation):
    kernel = per_dimension("kernel_size", kernel_size, 2, 1)
    return (
        kernel,
        strides(stride, kernel),
        per_dimension("padding", padding, 2, 0),
        per_dimension("dilation", dilation, 2, 1),
    )


def _behind(sizes, kernel, stride, padding, dilation, counts) -> tuple[int, ...]:
    """Return the padding that the last window needs behind the input."""
    return tuple(
        (c - 1) * s + d * (k - 1) + 1 - n - p
        for n, k, s, p, d, c in zip(sizes, kernel, stride, padding, dilation, counts, strict=True)
    )


def _finish(result: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a result in the memory format of the input, without a batch if the input had none."""
    if like.ndim == 3:
        return result[0]
    return layout.to_format(result, layout.format_of(like))


def max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Find the largest element of every window, and where it is in its channel of the image."""
    t = float_operand("input", input)
    xs = spatial_input(t.array, 2)
    kernel, stride, padding, dilation = _geometry(kernel_size, stride, padding, dilation)
    counts = pooled_sizes(xs.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    behind = _behind(xs.shape[2:], kernel, stride, padding, dilation, counts)
    framed = padded(xs, padding, behind, -np.inf)

    best = np.full((*xs.shape[:2], *counts), -np.inf, xs.dtype)
    tap = np.full(best.shape, -1, np.int32)
    taps = list(positions(kernel, stride, dilation, counts))
    bordered = any(padding) or any(b > 0 for b in behind)
    careful = bordered or bool(xs.size and np.isnan(xs.max()))
    for number, (_, index) in enumerate(taps):
        seen = framed[(..., *index)]
        if number == 0 and not bordered:
            best[...], tap[...] = seen, 0
            continue
        wins = seen > best
        if careful:
            # NaN counts as largest; a window that is -inf all over has its first tap inside.
            wins |= ((seen != seen) & (best == best)) | ((tap < 0) & (seen == best))
            wins &= _inside(index, xs.shape[2:], padding)
        np.copyto(best, seen, where=wins)
        np.copyto(tap, number, where=wins)

    def backward(g):
        g = g.reshape(best.shape)
        gradient = np.zeros(framed.shape, g.dtype)
        for number, (_, index) in enumerate(taps):
            gradient[(..., *index)] += np.where(tap == number, g, g.dtype.type(0))
        return (gradient[unpadded(xs.shape, padding)].reshape(t.array.shape),)

    values = differentiable(_finish(best, t.array), (t,), backward)
    where = np.array([(i * dilation[0], j * dilation[1]) for (i, j), _ in taps])
    rows = np.arange(counts[0])[:, None] * stride[0] - padding[0] + where[tap, 0]
    columns = np.arange(counts[1]) * stride[1] - padding[1] + where[tap, 1]
    return values, Tensor(_finish(rows * xs.shape[3] + columns, t.array))


def _inside(index, sizes, padding) -> np.ndarray:
    """Return which of the elements at a tap lie in the image and not in its padding."""
    rows, columns = (
        np.arange(i.start, i.stop, i.step) - p for i, p in zip(index, padding, strict=True)
    )
    return ((rows >= 0) & (rows < sizes[0]))[:, None] & (columns >= 0) & (columns < sizes[1])


@row("nn.functional")
@dispatched
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
):
    """Find the largest element of every window.

    Parameters
    ----------
    input : Tensor, shape (batch, channels, height, width)
        Plain or quantized; the batch may be left out.
    padding : int or pair of int
        Border that never wins, at most half of a window.
    dilation : int or pair of int
        Pixels from tap to tap of a window.
    return_indices : bool
        Whether to tell where the largest elements are, too.

    Returns
    -------
    Tensor, or pair of Tensor
        In the memory format of `input`. Indices count in row-major order in each channel.

    >>> F.max_pool2d(refquant.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return_indices = switch("return_indices", return_indices)
    values_and_indices = max_pool2d_with_indices(
        input, kernel_size, stride, padding, dilation, ceil_mode
    )
    return values_and_indices if return_indices else values_and_indices[0]


@row("nn.functional", returns="In the memory format of `input`.")
@dispatched
def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average every window.

    Parameters
    ----------
    input : Tensor, shape (batch, channels, height, width)
        Plain or quantized; the batch may be left out.
    padding : int or pair of int
        Border of zeros, at most half of a window.
    count_include_pad : bool
        Whether the zeros of the border count.
    divisor_override : int, optional
        What sums are divided by, instead of the count.

    >>> F.avg_pool2d(refquant.arange(4).float().reshape(1, 1, 2, 2), 2).item()
    1.5
    """
    t = float_operand("input", input)
    xs = spatial_input(t.array, 2)
    kernel, stride, padding, one = _geometry(kernel_size, stride, padding, 1)
    count_include_pad = flag("count_include_pad", count_include_pad)
    divisor_override = divisor(divisor_override)
    counts = pooled_sizes(xs.shape[2:], kernel, stride, padding, one, ceil_mode)
    behind = _behind(xs.shape[2:], kernel, stride, padding, one, counts)
    framed = padded(xs, padding, behind)
    counted = divisors(
        xs.shape[2:], kernel, stride, padding, counts, count_include_pad, divisor_override
    )
    counted = cast(counted, xs.dtype)

    total = np.zeros((*xs.shape[:2], *counts), xs.dtype)
    taps = [index for _, index in positions(kernel, stride, one, counts)]
    with np.errstate(all="ignore"):
        for index in taps:
            total += framed[(..., *index)]
        result = total / counted

    def backward(g):
        share = g.reshape(total.shape) / counted
        gradient = np.zeros(framed.shape, g.dtype)
        for index in taps:
            gradient[(..., *index)] += share
        return (gradient[unpadded(xs.shape, padding)].reshape(t.array.shape),)

    return differentiable(_finish(result, t.array), (t,), backward)


def divisors(sizes, kernel, stride, padding, counts, include_pad, override) -> np.ndarray:
    """Return the divisor of each window, in the shape of one channel of the output.

    With `include_pad` the border counts, but not what lies behind it (only `ceil_mode` makes
    windows reach there).
    """
    if override is not None:
        return np.full(counts, float(override))
    extents = []
    for along in zip(sizes, kernel, stride, padding, counts, strict=True):
        windows_with_padding, inside = spans(*along)
        extents.append(windows_with_padding if include_pad else inside[:, 1] - inside[:, 0])
    return extents[0][:, None] * extents[1]


@row("nn.functional", returns="In the memory format of `input`.")
@dispatched
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    r"""Average windows that are chosen so that the output has a given size.

    Window i of n along an extent of m covers
    :math:`\lfloor i m / n \rfloor \dots \lceil (i + 1) m / n \rceil`.

    Parameters
    ----------
    input : Tensor, shape (batch, channels, height, width)
        Plain or quantized; the batch may be left out.
    output_size : int or pair of int or None
        Size of the output; None keeps that of the input.

    >>> F.adaptive_avg_pool2d(refquant.ones(1, 2, 4, 4), 1).shape
    refquant.Size([1, 2, 1, 1])
    """
    t = float_operand("input", input)
    xs = spatial_input(t.array, 2)
    if 0 in xs.shape[2:]:
        raise ShapeError(
            argument="input",
            expected="an image of at least one pixel",
            got=f"shape {t.array.shape}",
        )
    counts = adaptive_sizes(output_size, xs.shape[2:])
    rows, columns = (
        [slice(first, last) for first, last in adaptive_spans(n, c).tolist()]
        for n, c in zip(xs.shape[2:], counts, strict=True)
    )
    result = np.empty((*xs.shape[:2], *counts), xs.dtype)
    with np.errstate(all="ignore"):
        for i, r in enumerate(rows):
            for j, c in enumerate(columns):
                result[:, :, i, j] = xs[:, :, r, c].mean(axis=(2, 3))

    def backward(g):
        g = g.reshape(result.shape)
        gradient = np.zeros(xs.shape, g.dtype)
        for i, r in enumerate(rows):
            for j, c in enumerate(columns):
                count = (r.stop - r.start) * (c.stop - c.start)
                gradient[:, :, r, c] += g[:, :, i, j, None, None] / g.dtype.type(count)
        return (gradient.reshape(t.array.shape),)

    return differentiable(_finish(result, t.array), (t,), backward)
