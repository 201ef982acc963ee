"""Averages over windows; the parameters of the result are those of the input."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.arguments import flag
from refquant.engines import Operands
from refquant.errors import ShapeError
from refquant.ops import checks, layout
from refquant.ops.floating.windows import (
    adaptive_sizes,
    adaptive_spans,
    divisor,
    per_dimension,
    pooled_sizes,
    spans,
    strides,
)
from refquant.ops.quantized.pooling import as_image, as_sequence
from refquant.ops.quantized.reductions import check_average, mean
from refquant.ops.registered import operation
from refquant.reference.operands import Windows
from refquant.tensors import QuantizedTensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
]

_ONE_PLANE = np.array([[0, 1]], np.int64)
# Up to so many windows are found once: a layer meets the same ones again.
_USUAL = 4096

_Found = tuple[list[np.ndarray], np.ndarray]


def _windows(find: Callable[..., _Found], counts: tuple[int, ...], *how: Any) -> _Found:
    """Find windows inside the input along each dimension, and their divisors; not to be changed."""
    return (_kept if math.prod(counts) <= _USUAL else _find)(find, counts, *how)


def _find(find: Callable[..., _Found], counts: tuple[int, ...], *how: Any) -> _Found:
    inside, divisors = find(counts, *how)
    divisors.flags.writeable = False
    return inside, divisors


_kept = lru_cache(maxsize=64)(_find)


def _sliding(counts, sizes, kernel, stride, padding, include: bool) -> _Found:
    """Find windows of one size, whose divisor counts the border if `include` says so."""
    found = [spans(*along) for along in zip(sizes, kernel, stride, padding, counts, strict=True)]
    inside = [span for _, span in found]
    return inside, _products([extent for extent, _ in found] if include else _lengths(inside))


def _covering(counts, sizes) -> _Found:
    """Find as many windows as are wanted, which cover the input."""
    inside = [adaptive_spans(n, c) for n, c in zip(sizes, counts, strict=True)]
    return inside, _products(_lengths(inside))


def _lengths(inside: list[np.ndarray]) -> list[np.ndarray]:
    return [along[:, 1] - along[:, 0] for along in inside]


def _products(extents: list[np.ndarray]) -> np.ndarray:
    """Multiply numbers along each dimension to those of all windows; an image gets a depth."""
    result = np.ones((1,) * (3 - len(extents)), np.int64)
    for along in extents:
        result = result[..., None] * along
    return np.ascontiguousarray(result)


def _average(
    q: QuantizedTensor, laid_out, inside: list[np.ndarray], divisors: np.ndarray, split
) -> QuantizedTensor:
    """Average the windows of an image or a volume by the rules of a step; see `layout.image`."""
    check_average(q, divisors, split.vector)
    spatial = len(inside)
    image, restore = laid_out
    windows = Windows(*[_ONE_PLANE] * (3 - spatial), *inside)
    output = q.scale, q.zero_point, q.dtype.quant_min, q.dtype.quant_max
    vector_length = layout.vector_length(image.shape[-1], split.block)
    volume = image if spatial == 3 else image[:, None]
    averages = kernels.average_pool(volume, windows, divisors, output, vector_length, split)
    return q.like(restore(averages if spatial == 3 else averages[:, 0]))


def _of_windows(
    q: QuantizedTensor, spatial: int, window: tuple[Any, Any, Any], ceil_mode: bool, options
) -> QuantizedTensor:
    """Average windows of one size; `options` are the last two arguments of `avg_pool2d`."""
    kernel = per_dimension("kernel_size", window[0], spatial, 1)
    stride = strides(window[1], kernel)
    padding = per_dimension("padding", window[2], spatial, 0)
    include, override = options
    override = divisor(override)
    ceil_mode = flag("ceil_mode", ceil_mode)
    include = flag("count_include_pad", include)
    array = q.array
    if spatial == 3:  # a volume is averaged in this format alone
        array = layout.to_format(array, dtypes.channels_last_3d)
    laid_out = layout.image(array, spatial)
    sizes = laid_out[0].shape[1:-1]
    counts = pooled_sizes(sizes, kernel, stride, padding, (1,) * spatial, ceil_mode)
    inside, divisors = _windows(_sliding, counts, sizes, kernel, stride, padding, include)
    if override is not None:
        divisors = np.full(divisors.shape, override, np.int64)
    operands = Operands(
        q.dtype,
        channels_last=spatial == 3 or layout.is_channels_last(array),
        rounded_up=ceil_mode,
        volume=spatial == 3,
    )
    split = engines.current().rule("average_pool", operands)
    return _average(q, laid_out, inside, divisors, split)


@operation()
def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> QuantizedTensor:
    """Average the windows of a quantized sequence; see `avg_pool2d`.

    %(sequence_per_tensor)s
    kernel_size : int
        Length of the window.
    stride : int, optional
        Step of the window; its length if left out.
    padding : int
        Width of the border, at most half of the window.
    %(counting)s

    %(like_input)s

    %(unless_it_fits)s

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 4), 0.5, 0, refquant.quint8)
    >>> refquant.nn.functional.avg_pool1d(x, 2).int_repr()
    tensor([[2, 2]], dtype=refquant.uint8)
    """
    q = as_image(input)
    kernel = per_dimension("kernel_size", kernel_size, 1, 1)
    step = strides(stride, kernel)
    border = per_dimension("padding", padding, 1, 0)
    window = (1, *kernel), (1, *step), (0, *border)
    return as_sequence(_of_windows(q, 2, window, ceil_mode, (count_include_pad, None)))


@operation("windows", "average_pool")
def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> QuantizedTensor:
    r"""Average the windows of a quantized image.

    .. math:: y = z + \mathrm{round}\Big(\frac{1}{n} \sum_{u, v} (q_{uv} - z)\Big)

    The border counts as real zero. The engine's record says when the zero point is added (step
    ``average_pool``); memory formats and channels beyond whole vectors differ.

    %(image_per_tensor)s
    kernel_size : int or pair of int
        Size of the window.
    stride : int or pair of int, optional
        Step of the window; its size if left out.
    padding : int or pair of int
        Width of the border, at most half of the window.
    %(counting)s
    %(overriding)s

    %(like_input)s

    %(unless_it_fits)s

    Notes
    -----
    Source: ATen ``quantized_avg_pool2d`` and QNNPACK ``q8avgpool``; see
    `refquant.engines.rules.average`. QNNPACK ignores ``count_include_pad=False`` and
    `divisor_override`; that is not reproduced.

    %(pixels_0_to_15)s
    >>> F.avg_pool2d(q, 2).int_repr()
    tensor([[[[ 2,  4],
              [10, 12]]]], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("input", input)
    options = count_include_pad, divisor_override
    return _of_windows(q, 2, (kernel_size, stride, padding), ceil_mode, options)


@operation()
def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> QuantizedTensor:
    """Average the windows of a volume, as those of channels-last images; see `avg_pool2d`.

    %(volume_per_tensor)s
    kernel_size : int or triple of int
        Size of the window.
    stride : int or triple of int, optional
        Step of the window; its size if left out.
    padding : int or triple of int
        Width of the border, at most half of the window.
    %(counting)s
    %(overriding)s

    Returns
    -------
    QuantizedTensor
        With the parameters of `input`, in the memory format channels_last_3d.

    %(unless_it_fits)s

    Notes
    -----
    Source: ATen ``quantized_avg_pool3d``, on all engines.

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 2, 2, 2), 0.5, 0, refquant.quint8)
    >>> F.avg_pool3d(x, 2).int_repr().item()
    2
    """
    q = checks.quantized_per_tensor("input", input)
    window, options = (kernel_size, stride, padding), (count_include_pad, divisor_override)
    if q.array.ndim == 4:
        return q.like(_of_windows(q.like(q.array[None]), 3, window, ceil_mode, options).array[0])
    return _of_windows(q, 3, window, ceil_mode, options)


def _to_size(q: QuantizedTensor, spatial: int, output_size: Any) -> QuantizedTensor:
    """Average windows that cover an image or a volume."""
    laid_out = layout.image(q.array, spatial)
    return _to_counts(q, laid_out, adaptive_sizes(output_size, laid_out[0].shape[1:-1]))


def _to_counts(q: QuantizedTensor, laid_out, counts: tuple[int, ...]) -> QuantizedTensor:
    """Average as many windows along each dimension."""
    sizes, spatial = laid_out[0].shape[1:-1], len(counts)
    if min(sizes) == 0 and min(counts) > 0:
        raise ShapeError(
            argument="input", expected="with pixels to average", got=f"shape {q.array.shape}"
        )
    inside, divisors = _windows(_covering, counts, sizes)
    pairs = zip(sizes, counts, strict=True)
    operands = Operands(
        q.dtype,
        channels_last=q.array.ndim == spatial + 2 and layout.is_channels_last(q.array),
        divides=spatial == 2 and all(c > 0 and n % c == 0 for n, c in pairs),
        volume=spatial == 3,
    )
    split = engines.current().rule("adaptive_average_pool", operands)
    return _average(q, laid_out, inside, divisors, split)


@operation()
def adaptive_avg_pool1d(input: Any, output_size: Any) -> QuantizedTensor:
    """Average windows of a sequence so that it gets a given length; see `adaptive_avg_pool2d`.

    %(sequence_per_tensor)s
    output_size : int or None
        Length of the output; None keeps that of the input.

    %(like_input)s

    %(unless_pixels)s

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 4), 0.5, 0, refquant.quint8)
    >>> refquant.nn.functional.adaptive_avg_pool1d(x, 2).int_repr()
    tensor([[2, 2]], dtype=refquant.uint8)
    """
    q = as_image(input)
    return as_sequence(_to_size(q, 2, (1, *adaptive_sizes(output_size, q.array.shape[-1:]))))


@operation("sizes", "adaptive_average_pool")
def adaptive_avg_pool2d(input: Any, output_size: Any) -> QuantizedTensor:
    r"""Average windows that are chosen so that the output has a given size.

    Window i of n along an extent of m covers
    :math:`\lfloor i m / n \rfloor \dots \lceil (i + 1) m / n \rceil`. The engine's record says how
    an average is rounded (step ``adaptive_average_pool``).

    %(image_per_tensor)s
    output_size : int or pair of int or None
        Size of the output; None keeps that of the input.

    %(like_input)s

    %(unless_pixels)s

    Notes
    -----
    Source: ATen ``adaptive_avg_pool2d_quantized_cpu``; see `refquant.engines.rules.average`.

    %(pixels_0_to_15)s
    >>> F.adaptive_avg_pool2d(q, 1).int_repr()
    tensor([[[[8]]]], dtype=refquant.uint8)
    """
    return _to_size(checks.quantized_per_tensor("input", input), 2, output_size)


@operation()
def adaptive_avg_pool3d(input: Any, output_size: Any) -> QuantizedTensor:
    """Average windows of a volume so that it gets a given size; see `adaptive_avg_pool2d`.

    Under PyTorch 2.13 the average to a single element is `refquant.mean`.

    %(volume_per_tensor)s
    output_size : int or triple of int or None
        Size of the output; None keeps that of the input.

    %(like_input)s

    %(unless_pixels)s

    Notes
    -----
    Source: ATen ``adaptive_avg_pool3d_quantized_cpu``, on all engines.

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 2, 2, 2), 0.5, 0, refquant.quint8)
    >>> F.adaptive_avg_pool3d(x, 1).int_repr().item()
    2
    """
    q = checks.quantized_per_tensor("input", input)
    laid_out = layout.image(q.array, 3)
    counts = adaptive_sizes(output_size, q.array.shape[-3:])
    by_mean = counts == (1, 1, 1) and min(q.array.shape[-3:]) > 0
    if by_mean and "mean_dimensions" not in engines.current().unsupported:
        return mean(q, (-3, -2, -1), keepdim=True)
    return _to_counts(q, laid_out, counts)


document(
    __name__,
    counting="""
ceil_mode : bool
    Whether windows that reach over the end count.
count_include_pad : bool
    Whether the border counts in n.""",
    overriding="""
divisor_override : int, optional
    n for every window.""",
    unless_it_fits="""
%(unless_per_tensor)s
ArgumentError, OperationError
    If the window is not valid or does not fit.""",
    unless_pixels="""
%(unless_per_tensor)s
ArgumentError
    If the size is not valid.
ShapeError
    If `input` has another number of dimensions, or no pixels.""",
)
enclose(__name__)
