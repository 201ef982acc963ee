r"""The order in which float32 products of PyTorch are added, by shape.

PyTorch hands a float convolution to oneDNN or to the matrix product of MKL, and a linear layer to
the latter. The order is that of one thread of an x86 processor with AVX-512. It was found with
operands that show which terms are added before others (large numbers of opposite signs among ones,
Xie et al. 2025, *FPRev*), and holds for bits of random operands.
"""

import math
from typing import NamedTuple

import numpy as np

__all__ = ["ConvolutionOrder", "adds_in_lanes", "convolution_order", "ends_of_runs"]

DEPTH = 384  # terms of a block of MKL
CHANNELS = 16  # of a block of oneDNN
LANE_ROWS = 15  # rows that are few enough for lanes
LANE_DEPTH = 24  # terms for each of these rows
SMALL = 20480  # numbers of an image that oneDNN is not worth


class ConvolutionOrder(NamedTuple):
    """How the terms of a convolution are added.

    Attributes
    ----------
    block : int
        Channels that are added tap by tap before the next ones; 0 for channel by channel.
    by_columns : bool
        Whether taps go column by column instead of line by line.
    ends : ndarray of int64
        Where runs end.
    bias : str
        ``"start"`` if the first run begins with the bias, ``"first"`` if it is added to the sum of
        the first run, ``"last"`` if it is added to the sum of all.
    """

    block: int
    by_columns: bool
    ends: np.ndarray
    bias: str


def ends_of_runs(depth: int) -> np.ndarray:
    """Cut a matrix product into runs of 384 terms; what is left in the end, into halves.

    Examples
    --------
    >>> from refquant.engines.rules.product_order import ends_of_runs
    >>> ends_of_runs(384).tolist(), ends_of_runs(401).tolist(), ends_of_runs(1024).tolist()
    ([384], [201, 401], [384, 704, 1024])
    """
    whole = max(depth // DEPTH - 1, 0) * DEPTH
    rest = depth - whole
    if rest == 2 * DEPTH:
        halves = [DEPTH]
    else:
        halves = [(rest + 1) // 2] if rest > DEPTH else []
    ends = [*range(DEPTH, whole + 1, DEPTH), *(whole + h for h in halves), depth]
    return np.array(ends, np.intp)


def adds_in_lanes(rows: int, depth: int) -> bool:
    """Whether terms of a linear layer are added in lanes: for few long rows."""
    return rows <= LANE_ROWS and depth >= LANE_DEPTH * rows


def _uses_onednn(shape, kernel, stride, dilation, groups) -> bool:
    """Whether oneDNN convolves; source: ATen ``ConvParams::use_mkldnn``, PyTorch 2.13."""
    pair = kernel if len(kernel) > 1 else (1, *kernel)
    batch = shape[0]
    unusual = max(stride) > 1 or max(dilation) > 1 or batch >= 16 or max(pair[-2:]) > 1
    heavy = groups > 1 or min(pair[-2:]) > 3 or batch > 1 or math.prod(shape[:4]) > SMALL
    return unusual and heavy


def _border_behind(size, extent, step, border) -> int:
    """How far the last filter reaches beyond the image; a stride can leave borders out."""
    outputs = (size + 2 * border - extent) // step + 1
    return max((outputs - 1) * step + extent - size - border, 0)


def _sees_border_alone(shape, kernel, stride, padding, dilation) -> bool:
    """Whether a filter can lie on the border alone, where oneDNN multiplies matrices instead."""
    for size, k, step, border, gap in zip(
        shape[2:], kernel, stride, padding, dilation, strict=True
    ):
        extent = (k - 1) * gap + 1
        if extent <= max(border, _border_behind(size, extent, step, border)):
            return True
    return False


def _tiles(shape, stride, padding) -> bool:
    """Whether strides of single taps divide the image, which oneDNN then packs first."""
    return not any(padding) and all(n % s == 0 for n, s in zip(shape[2:], stride, strict=True))


def _unrolls(shape, kernel, stride, padding) -> bool:
    """Whether oneDNN unrolls an image of one channel, whose taps then go column by column."""
    if len(kernel) != 2 or min(kernel) == 1:
        return False
    (size, k, step, border) = (shape[-1], kernel[-1], stride[-1], padding[-1])
    outputs = (size + 2 * border - k) // step + 1
    whole = step > 1 and k % step == 0 and size % step == 0
    return outputs > 4 and not whole and not _widens(shape, kernel, stride, padding)


def _widens(shape, kernel, stride, padding) -> bool:
    """Whether the borders are as wide as the filter, whose columns are runs of oneDNN then."""
    if len(kernel) != 2:
        return False
    size, k, step, border = shape[-1], kernel[-1], stride[-1], padding[-1]
    return border + _border_behind(size, k, step, border) >= k


def _block_of_channels(channels, outputs, groups) -> int:
    """Channels of a block of oneDNN, 0 where the channels of a group fill no blocks."""
    if groups == 1:
        return CHANNELS
    fitting = (n for n in (CHANNELS, 8, 4) if channels % n == 0 and outputs % n == 0)
    return next(fitting, 0)


def convolution_order(
    shape, weight_shape, stride, padding, dilation, groups, channels_last
) -> ConvolutionOrder:
    """Return in which order a convolution adds.

    Parameters
    ----------
    shape : tuple of int
        Of the input, with the batch.
    weight_shape : tuple of int
        Outputs, channels of a group, extents of the filter.
    stride, padding, dilation : tuple of int
        For each dimension.
    groups : int
        How many.
    channels_last : bool
        Whether the channels of the input or of the weight are innermost in memory.

    Returns
    -------
    ConvolutionOrder
        Blocks of channels, ends of runs, and when the bias is added.

    Examples
    --------
    >>> from refquant.engines.rules.product_order import convolution_order
    >>> one = (1, 1)
    >>> order = convolution_order((2, 20, 8, 8), (4, 20, 3, 3), one, (0, 0), one, 1, False)
    >>> order.block, order.ends.tolist(), order.bias
    (16, [144, 180], 'first')
    """
    outputs, channels, *kernel = weight_shape
    outputs //= groups
    taps = math.prod(kernel)
    depth = channels * taps
    whole = np.array([depth], np.intp)
    native = not _uses_onednn(shape, kernel, stride, dilation, groups)
    if channels_last:
        by_columns = (
            channels == groups == 1 and not native and _unrolls(shape, kernel, stride, padding)
        )
        if groups == 1 < channels and not native and _widens(shape, kernel, stride, padding):
            ends = np.arange(1, kernel[1] + 1, dtype=np.intp) * (channels * kernel[0])
            return ConvolutionOrder(channels, True, ends, "last")
        narrow = groups > 1 and channels < CHANNELS and outputs % CHANNELS and not native
        block = (_block_of_channels(channels, outputs, groups) if narrow else 0) or channels
        ends = ends_of_runs(depth) if native else whole
        bias = "start" if native and depth == 1 else "first"
        return ConvolutionOrder(block, by_columns, ends, bias)
    if native:
        return ConvolutionOrder(0, False, ends_of_runs(depth), "start" if depth == 1 else "first")
    in_order = ConvolutionOrder(0, False, ends_of_runs(depth), "last")
    if _sees_border_alone(shape, kernel, stride, padding, dilation):
        return in_order
    block = _block_of_channels(channels, outputs, groups)
    if taps == 1 and block == CHANNELS and _tiles(shape, stride, padding):
        # Channels are filled up with zeros: a run without terms, which makes -0 to 0.
        filled = np.array([depth, depth], np.intp) if channels % CHANNELS else whole
        return ConvolutionOrder(0, False, filled, "start")
    if channels == outputs == 1 < groups:
        return ConvolutionOrder(0, False, whole, "start")
    if not block:
        flat = channels == 1 and outputs % 8 == 0 and groups < 8
        return ConvolutionOrder(0, False, whole, "start") if flat else in_order
    if channels == 1:  # taps follow each other in either order
        return ConvolutionOrder(0, False, whole, "first")
    blocks = [min(c + block, channels) * taps for c in range(0, channels, block)]
    return ConvolutionOrder(block, False, np.array(blocks, np.intp), "first")
