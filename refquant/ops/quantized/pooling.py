"""Pooling of quantized images; the parameters of the result are those of the input."""

from typing import Any

import numpy as np

from refquant import engines, kernels
from refquant._documentation import document
from refquant._operation import operation_name
from refquant.arguments import flag, switch
from refquant.engines import Operands
from refquant.engines.rules.average import AVERAGE_IN_FIXED_POINT
from refquant.errors import EngineError, NotSupportedError, ShapeError
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
from refquant.ops.registered import operation
from refquant.reference.operands import Geometry
from refquant.tensors import QuantizedTensor

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "max_pool2d"]


@operation("windows")
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> QuantizedTensor:
    """Find the largest integer of every window; the padding is never chosen.

    Because the affine map is monotone, that is the largest real number too, exactly.

    %(windows)s
    dilation : int or pair of int
        Step inside the window.
    ceil_mode : bool
        Whether windows that reach over the end count.
    return_indices : bool
        Not supported.

    %(like_input)s

    %(unless_per_tensor)s
    NotSupportedError
        If indices are asked for.
    ArgumentError, OperationError
        If the window is not valid or does not fit.

    Notes
    -----
    Source: ATen ``quantized_max_pool2d``. QNNPACK of PyTorch 2.13 repeats the pixels at the
    border instead of ignoring it, which shows with padding and dilation; that is not reproduced.

    %(pixels_0_to_15)s
    >>> F.max_pool2d(q, 2).int_repr()
    tensor([[[[ 5,  7],
              [13, 15]]]], dtype=refquant.uint8)
    """
    if switch("return_indices", return_indices):
        raise NotSupportedError(
            f"{operation_name()} of a quantized tensor",
            argument="return_indices",
            expected="False",
            got=True,
            hint="call .dequantize() first",
        )
    q = checks.quantized_per_tensor("input", input)
    kernel = per_dimension("kernel_size", kernel_size, 2, 1)
    stride = strides(stride, kernel)
    padding = per_dimension("padding", padding, 2, 0)
    dilation = per_dimension("dilation", dilation, 2, 1)
    image, restore = layout.image(q.array)
    sizes = image.shape[1:3]
    counts = pooled_sizes(sizes, kernel, stride, padding, dilation, ceil_mode)
    geometry = Geometry(kernel, stride, padding, dilation)
    return q.like(restore(kernels.max_pool(image, geometry, counts)))


def check_average(q: QuantizedTensor, count: int, rule: Any) -> None:
    """Raise if fixed point does not hold the multiplier of an average of `count` elements."""
    if rule is not AVERAGE_IN_FIXED_POINT:
        return
    with np.errstate(over="ignore"):
        total = np.float32(q.scale) * np.float32(count)
    if not np.isfinite(total):
        raise EngineError(
            f"{operation_name()}: engine {engines.current().name!r} averages in fixed point",
            argument="input",
            expected=f"of a scale that float32 holds {count}-fold",
            got=q.scale,
            hint="choose a smaller scale",
        )


def _average(q, image, restore, rows, columns, divisors, split) -> QuantizedTensor:
    check_average(q, int(np.abs(divisors).max(initial=1)), split.vector)
    output = q.scale, q.zero_point, q.dtype.quant_min, q.dtype.quant_max
    vector_length = layout.vector_length(image.shape[3], split.block)
    averages = kernels.average_pool(image, rows, columns, divisors, output, vector_length, split)
    return q.like(restore(averages))


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

    %(windows)s
    ceil_mode : bool
        Whether windows that reach over the end count.
    count_include_pad : bool
        Whether the border counts in n.
    divisor_override : int, optional
        n for every window.

    %(like_input)s

    %(unless_per_tensor)s
    ArgumentError, OperationError
        If the window is not valid or does not fit.

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
    kernel = per_dimension("kernel_size", kernel_size, 2, 1)
    stride = strides(stride, kernel)
    padding = per_dimension("padding", padding, 2, 0)
    divisor_override = divisor(divisor_override)
    ceil_mode = flag("ceil_mode", ceil_mode)
    count_include_pad = flag("count_include_pad", count_include_pad)
    image, restore = layout.image(q.array)
    sizes = image.shape[1:3]
    counts = pooled_sizes(sizes, kernel, stride, padding, (1, 1), ceil_mode)
    (heights, rows), (widths, columns) = (
        spans(*values) for values in zip(sizes, kernel, stride, padding, counts, strict=True)
    )
    if divisor_override is not None:
        divisors = np.full(counts, divisor_override, np.int64)
    elif count_include_pad:
        divisors = heights[:, None] * widths
    else:
        divisors = (rows[:, 1] - rows[:, 0])[:, None] * (columns[:, 1] - columns[:, 0])
    split = engines.current().rule(
        "average_pool",
        Operands(q.dtype, channels_last=layout.is_channels_last(q.array), rounded_up=ceil_mode),
    )
    return _average(q, image, restore, rows, columns, np.ascontiguousarray(divisors), split)


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

    %(unless_per_tensor)s
    ArgumentError
        If the size is not valid.
    ShapeError
        If `input` is not an image, or one without pixels.

    Notes
    -----
    Source: ATen ``adaptive_avg_pool2d_quantized_cpu``; see `refquant.engines.rules.average`.

    %(pixels_0_to_15)s
    >>> F.adaptive_avg_pool2d(q, 1).int_repr()
    tensor([[[[8]]]], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("input", input)
    image, restore = layout.image(q.array)
    sizes = image.shape[1:3]
    counts = adaptive_sizes(output_size, sizes)
    if min(sizes) == 0 and min(counts) > 0:
        raise ShapeError(
            argument="input", expected="with pixels to average", got=f"shape {q.array.shape}"
        )
    rows, columns = (adaptive_spans(n, c) for n, c in zip(sizes, counts, strict=True))
    divisors = (rows[:, 1] - rows[:, 0])[:, None] * (columns[:, 1] - columns[:, 0])
    divides = min(counts) > 0 and sizes[0] % counts[0] == 0 and sizes[1] % counts[1] == 0
    split = engines.current().rule(
        "adaptive_average_pool",
        Operands(q.dtype, channels_last=layout.is_channels_last(q.array), divides=divides),
    )
    return _average(q, image, restore, rows, columns, np.ascontiguousarray(divisors), split)


document(
    __name__,
    windows="""
%(image_per_tensor)s
kernel_size : int or pair of int
    Size of the window.
stride : int or pair of int, optional
    Step of the window; its size if left out.
padding : int or pair of int
    Width of the border, at most half of the window.""",
)
