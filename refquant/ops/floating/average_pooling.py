"""The mean of every window."""

from typing import Any

import numpy as np

from refquant.arguments import flag
from refquant.errors import ShapeError
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import cast, float_operand
from refquant.ops.floating.pooling import behind, finish, geometry
from refquant.ops.floating.windows import (
    IMAGE,
    SEQUENCE,
    VOLUME,
    adaptive_sizes,
    adaptive_spans,
    divisor,
    padded,
    pooled_sizes,
    positions,
    spans,
    spatial_input,
    unpadded,
)
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


def _averaged(
    spatial: int, input: Any, window: tuple[Any, Any, Any], ceil_mode: bool, options
) -> Tensor:
    """Average windows of one size; `options` are the last two arguments of `avg_pool2d`."""
    t = float_operand("input", input)
    xs = spatial_input(t.array, spatial)
    kernel, stride, padding, one = geometry(spatial, *window, 1)
    include, override = flag("count_include_pad", options[0]), divisor(options[1])
    sizes = xs.shape[2:]
    counts = pooled_sizes(sizes, kernel, stride, padding, one, ceil_mode)
    framed = padded(xs, padding, behind(sizes, kernel, stride, padding, one, counts))
    counted = cast(divisors(sizes, kernel, stride, padding, counts, include, override), xs.dtype)

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

    return differentiable(finish(result, t.array), (t,), backward)


def divisors(sizes, kernel, stride, padding, counts, include_pad, override) -> np.ndarray:
    """Return the divisor of each window, in the shape of one channel of the output.

    With `include_pad` the border counts, but not what lies behind it (only `ceil_mode` makes
    windows reach there).
    """
    if override is not None:
        return np.full(counts, float(override))
    result = np.ones((), np.int64)
    for along in zip(sizes, kernel, stride, padding, counts, strict=True):
        windows_with_padding, inside = spans(*along)
        extents = windows_with_padding if include_pad else inside[:, 1] - inside[:, 0]
        result = result[..., None] * extents
    return result


@row(
    "refquant nn.functional",
    input=SEQUENCE,
    count_include_pad="Whether the zeros of the border count.",
    returns="In the memory format of `input`.",
)
@dispatched
def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Average every window of a sequence.

    Parameters
    ----------
    padding : int
        Border of zeros, at most half of a window.

    >>> F.avg_pool1d(refquant.arange(4.0).reshape(1, 4), 2)
    tensor([[0.5000, 2.5000]])
    """
    window, options = (kernel_size, stride, padding), (count_include_pad, None)
    return _averaged(1, input, window, ceil_mode, options)


@row(
    "nn.functional",
    input=IMAGE,
    count_include_pad="Whether the zeros of the border count.",
    divisor_override="What sums are divided by, instead of the count.",
    returns="In the memory format of `input`.",
)
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
    padding : int or pair of int
        Border of zeros, at most half of a window.

    >>> F.avg_pool2d(refquant.arange(4).float().reshape(1, 1, 2, 2), 2).item()
    1.5
    """
    window, options = (kernel_size, stride, padding), (count_include_pad, divisor_override)
    return _averaged(2, input, window, ceil_mode, options)


@row(
    "nn.functional",
    input=VOLUME,
    count_include_pad="Whether the zeros of the border count.",
    divisor_override="What sums are divided by, instead of the count.",
    returns="In the memory format of `input`; channels-last if quantized.",
)
@dispatched
def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average every window of a volume.

    Parameters
    ----------
    padding : int or triple of int
        Border of zeros, at most half of a window.

    >>> F.avg_pool3d(refquant.arange(8.0).reshape(1, 1, 2, 2, 2), 2).item()
    3.5
    """
    window, options = (kernel_size, stride, padding), (count_include_pad, divisor_override)
    return _averaged(3, input, window, ceil_mode, options)


def _to_size(spatial: int, input: Any, output_size: Any) -> Tensor:
    """Average windows that cover the input."""
    t = float_operand("input", input)
    xs = spatial_input(t.array, spatial)
    if 0 in xs.shape[2:]:
        raise ShapeError(
            argument="input",
            expected="an image of at least one pixel",
            got=f"shape {t.array.shape}",
        )
    counts = adaptive_sizes(output_size, xs.shape[2:])
    spans_along = [adaptive_spans(n, c) for n, c in zip(xs.shape[2:], counts, strict=True)]
    windows: list[tuple[Any, Any]] = [
        (
            place,
            tuple(slice(*along[i].tolist()) for along, i in zip(spans_along, place, strict=True)),
        )
        for place in np.ndindex(counts)
    ]
    result = np.empty((*xs.shape[:2], *counts), xs.dtype)
    axes = tuple(range(2, 2 + spatial))
    with np.errstate(all="ignore"):
        for place, window in windows:
            result[(..., *place)] = xs[(..., *window)].mean(axis=axes)

    def backward(g):
        g = g.reshape(result.shape)
        gradient = np.zeros(xs.shape, g.dtype)
        for place, window in windows:
            count = g.dtype.type(np.prod([s.stop - s.start for s in window]))
            gradient[(..., *window)] += (g[(..., *place)] / count).reshape(
                *g.shape[:2], *[1] * spatial
            )
        return (gradient.reshape(t.array.shape),)

    return differentiable(finish(result, t.array), (t,), backward)


@row(
    "refquant nn.functional",
    input=SEQUENCE,
    output_size="Length of the output; None keeps that of the input.",
)
@dispatched
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """Average windows of a sequence so that it gets a given length; see `adaptive_avg_pool2d`.

    >>> F.adaptive_avg_pool1d(refquant.arange(4.0).reshape(1, 4), 2)
    tensor([[0.5000, 2.5000]])
    """
    return _to_size(1, input, output_size)


@row("nn.functional", input=IMAGE, output_size="Size of the output; None keeps that of the input.")
@dispatched
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    r"""Average windows that are chosen so that the output has a given size.

    Window i of n along an extent of m covers
    :math:`\lfloor i m / n \rfloor \dots \lceil (i + 1) m / n \rceil`.

    >>> F.adaptive_avg_pool2d(refquant.ones(1, 2, 4, 4), 1).shape
    refquant.Size([1, 2, 1, 1])
    """
    return _to_size(2, input, output_size)


@row("nn.functional", input=VOLUME, output_size="Size of the output; None keeps that of the input.")
@dispatched
def adaptive_avg_pool3d(input: Any, output_size: Any) -> Tensor:
    """Average windows of a volume so that it gets a given size; see `adaptive_avg_pool2d`.

    >>> F.adaptive_avg_pool3d(refquant.ones(1, 2, 4, 4, 4), 1).shape
    refquant.Size([1, 2, 1, 1, 1])
    """
    return _to_size(3, input, output_size)
