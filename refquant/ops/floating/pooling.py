"""The largest of every window."""

from typing import Any

import numpy as np

from refquant.arguments import switch
from refquant.ops import layout
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import float_operand
from refquant.ops.floating.windows import (
    IMAGE,
    SEQUENCE,
    VOLUME,
    padded,
    per_dimension,
    pooled_sizes,
    positions,
    spatial_input,
    strides,
    unpadded,
)
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


def geometry(spatial: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any):
    """Return kernel, stride, padding and dilation along each spatial dimension, or raise."""
    kernel = per_dimension("kernel_size", kernel_size, spatial, 1)
    return (
        kernel,
        strides(stride, kernel),
        per_dimension("padding", padding, spatial, 0),
        per_dimension("dilation", dilation, spatial, 1),
    )


def behind(sizes, kernel, stride, padding, dilation, counts) -> tuple[int, ...]:
    """Return the padding that the last window needs behind the input."""
    return tuple(
        (c - 1) * s + d * (k - 1) + 1 - n - p
        for n, k, s, p, d, c in zip(sizes, kernel, stride, padding, dilation, counts, strict=True)
    )


def finish(result: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a result in the memory format of the input, without a batch if the input had none."""
    if like.ndim < result.ndim:
        return result[0]
    return layout.to_format(result, layout.format_of(like))


def with_indices(
    spatial: int,
    input: Any,
    window: tuple[Any, Any, Any, Any],
    ceil_mode: bool,
) -> tuple[Tensor, Tensor]:
    """Find the largest element of every window, and where it is in its channel of the image."""
    t = float_operand("input", input)
    xs = spatial_input(t.array, spatial)
    kernel, stride, padding, dilation = geometry(spatial, *window)
    sizes = xs.shape[2:]
    counts = pooled_sizes(sizes, kernel, stride, padding, dilation, ceil_mode)
    rest = behind(sizes, kernel, stride, padding, dilation, counts)
    framed = padded(xs, padding, rest, -np.inf)

    best = np.full((*xs.shape[:2], *counts), -np.inf, xs.dtype)
    tap = np.full(best.shape, -1, np.int32)
    taps = list(positions(kernel, stride, dilation, counts))
    bordered = any(padding) or any(b > 0 for b in rest)
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
            wins &= _inside(index, sizes, padding)
        np.copyto(best, seen, where=wins)
        np.copyto(tap, number, where=wins)

    def backward(g):
        g = g.reshape(best.shape)
        gradient = np.zeros(framed.shape, g.dtype)
        for number, (_, index) in enumerate(taps):
            gradient[(..., *index)] += np.where(tap == number, g, g.dtype.type(0))
        return (gradient[unpadded(xs.shape, padding)].reshape(t.array.shape),)

    values = differentiable(finish(best, t.array), (t,), backward)
    place = np.zeros(best.shape, np.int64)
    for axis, size in enumerate(sizes):
        steps = np.array([where[axis] * dilation[axis] for where, _ in taps])
        first = np.arange(counts[axis]) * stride[axis] - padding[axis]
        shape = [-1 if a == axis else 1 for a in range(spatial)]
        place = place * size + first.reshape(shape) + steps[tap]
    return values, Tensor(finish(place, t.array))


def _inside(index, sizes, padding) -> np.ndarray:
    """Return which of the elements at a tap lie in the image and not in its padding."""
    inside = np.ones((), np.bool_)
    for i, size, p in zip(index, sizes, padding, strict=True):
        along = np.arange(i.start, i.stop, i.step) - p
        inside = inside[..., None] & ((along >= 0) & (along < size))
    return inside


def _pooled(spatial, input, window, ceil_mode, return_indices):
    return_indices = switch("return_indices", return_indices)
    found = with_indices(spatial, input, window, ceil_mode)
    return found if return_indices else found[0]


_DESCRIBED: dict[str, Any] = {
    "dilation": "Elements from tap to tap of a window.",
    "return_indices": "Whether to tell where the largest elements are, too.",
    "returns": "In the memory format of `input`; with indices a pair, which count in row-major "
    "order in each channel.",
}


@row("refquant nn.functional", input=SEQUENCE, **_DESCRIBED)
@dispatched
def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
):
    """Find the largest element of every window of a sequence.

    Parameters
    ----------
    padding : int
        Border that never wins, at most half of a window.

    >>> F.max_pool1d(refquant.arange(4.0).reshape(1, 4), 2)
    tensor([[1., 3.]])
    """
    window = kernel_size, stride, padding, dilation
    return _pooled(1, input, window, ceil_mode, return_indices)


@row("refquant nn.functional", input=IMAGE, **_DESCRIBED)
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
    padding : int or pair of int
        Border that never wins, at most half of a window.

    >>> F.max_pool2d(refquant.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    window = kernel_size, stride, padding, dilation
    return _pooled(2, input, window, ceil_mode, return_indices)


@row("refquant nn.functional", input=VOLUME, **_DESCRIBED)
@dispatched
def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
):
    """Find the largest element of every window of a volume.

    Parameters
    ----------
    padding : int or triple of int
        Border that never wins, at most half of a window.

    >>> F.max_pool3d(refquant.arange(8.0).reshape(1, 1, 2, 2, 2), 2).item()
    7.0
    """
    window = kernel_size, stride, padding, dilation
    return _pooled(3, input, window, ceil_mode, return_indices)
