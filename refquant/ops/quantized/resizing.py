"""Resizing of quantized images; the parameters of the result are those of the input."""

import math
from numbers import Rational
from typing import Any

import numpy as np

from refquant import arguments, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.engines import Operands
from refquant.errors import ArgumentError, NotSupportedError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.floating.resizing import recomputed, target_sizes
from refquant.ops.quantized.average_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from refquant.ops.registered import operation
from refquant.reference.operands import Neighbors
from refquant.tensors import QuantizedTensor

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

# How many dimensions a tensor may have for a mode.
_DIMENSIONS = {"nearest": (4, 5), "nearest-exact": (4, 5), "bilinear": (4,), "area": (3, 4, 5)}


@operation("sizes")
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> QuantizedTensor:
    r"""Resize a quantized image to a size, or by a factor.

    Nearest pixels are copied. Bilinear mixing takes the integers themselves,

    .. math:: y = \mathrm{round}\big(z + (h_0 (w_0 A + w_1 B) + h_1 (w_0 C + w_1 D) - z)\big)

    with the four neighbors A to D and the shares h of their rows and w of their columns. The
    engine's record says how places and mixtures are rounded (steps ``resize_step``,
    ``resize_place``, ``resize_mix``). The mode 'area' is
    `refquant.nn.functional.adaptive_avg_pool2d`, or that of another number of dimensions.

    %(image_to_size)s
    %(how_to_mix)s
    recompute_scale_factor : bool, optional
        Whether places follow from the sizes that a factor led to, instead of from the factor.
    antialias : bool
        Not supported.

    %(like_input)s

    %(unless_per_tensor)s
    NotSupportedError
        If the mode is another.
    ShapeError
        If `input` has another number of dimensions, or a size is not positive.
    ArgumentError
        If not exactly one of `size` and `scale_factor` is given.

    Notes
    -----
    Source: ATen ``upsample_nearest2d`` and ``upsample_bilinear2d``; see
    `refquant.engines.rules.interpolate`.

    %(from_functional)s
    >>> x = refquant.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])
    >>> q = refquant.quantize_per_tensor(x, 1.0, 0, refquant.quint8)
    >>> F.interpolate(q, size=(3, 3), mode="bilinear", align_corners=True).int_repr()
    tensor([[[[ 0,  2,  4],
              [ 4,  6,  8],
              [ 8, 10, 12]]]], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("input", input)
    if not isinstance(mode, str) or mode not in _DIMENSIONS:
        raise NotSupportedError(
            f"{operation_name()} of a quantized tensor",
            argument="mode",
            expected="'nearest', 'nearest-exact', 'bilinear' or 'area'",
            got=arguments.describe(mode),
            hint="call .dequantize() first",
        )
    if arguments.flag("antialias", antialias):
        raise NotSupportedError(
            f"{operation_name()} of a quantized tensor",
            argument="antialias",
            expected="False",
            got=True,
            hint="call .dequantize() first",
        )
    if q.array.ndim not in _DIMENSIONS[mode]:
        known = " or ".join(map(str, _DIMENSIONS[mode]))
        raise ShapeError(
            argument="input",
            expected=f"of {known} dimensions (batch, channels, ...) for mode={mode!r}",
            got=f"shape {q.array.shape}",
        )
    if align_corners is not None:
        align_corners = arguments.flag("align_corners", align_corners)
    if mode != "bilinear" and align_corners is not None:
        raise ArgumentError(
            argument="align_corners",
            expected=f"left out for mode={mode!r}",
            got=arguments.describe(align_corners),
        )
    spatial = q.array.ndim - 2
    sizes = q.array.shape[2:]
    counts, factors = target_sizes(sizes, size, scale_factor)
    if recomputed(recompute_scale_factor, scale_factor):
        factors = (None,) * spatial
    arguments.shape("size", (*q.array.shape[:2], *counts))
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[spatial - 1](
            q, counts
        )
    if counts == sizes:
        return q.like(layout.dense_copy(q.array))
    image, restore = layout.image(q.array, spatial)
    operands = Operands(
        q.dtype, channels_last=layout.is_channels_last(q.array), volume=spatial == 3
    )
    rule = engines.current().rule
    steps = [
        rule("resize_step", operands)(n, c, f, bool(align_corners))
        for n, c, f in zip(sizes, counts, factors, strict=True)
    ]
    index = [_indices(c, step) for c, step in zip(counts, steps, strict=True)]
    if mode != "bilinear":
        places = [
            np.minimum(np.floor(_middles(i, step, mode)).astype(np.int64), n - 1)
            for i, step, n in zip(index, steps, sizes, strict=True)
        ]
        return q.like(restore(_copied(image, places)))
    place = np.multiply if align_corners else rule("resize_place", operands)
    rows, columns = (
        _neighbors(place(i, step), n) for i, step, n in zip(index, steps, sizes, strict=True)
    )
    mix = rule("resize_mix", operands)
    output = q.scale, q.zero_point, q.dtype.quant_min, q.dtype.quant_max
    vector_length = layout.vector_length(image.shape[3], mix.block)
    resized = kernels.resize_bilinear(image, rows, columns, output, vector_length, mix)
    return q.like(restore(resized))


def _middles(index: np.ndarray, step: Any, mode: str) -> np.ndarray:
    """Find where the pixels of the output begin, or, for 'nearest-exact', their middles are."""
    if mode == "nearest":
        return index * step
    if isinstance(step, Rational):
        return (2 * index + 1) * step / 2
    return (index + np.float32(0.5)) * step


def _copied(image: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """Copy the pixels of an image or a volume, whose planes are copied first."""
    if len(places) == 2:
        return kernels.resize_nearest(image, *places)
    outer, depth, *extents, inner = image.shape
    flat = np.arange(math.prod(extents))
    planes = image.reshape(outer, depth, flat.size, inner)
    taken = kernels.resize_nearest(planes, places[0], flat)
    pixels = kernels.resize_nearest(taken.reshape(-1, *extents, inner), *places[1:])
    return pixels.reshape(outer, len(places[0]), *pixels.shape[1:])


def _indices(count: int, step: Any) -> np.ndarray:
    """Count the pixels of the output in the arithmetic of the step."""
    if isinstance(step, Rational):  # Python's integers, which stay exact
        return np.arange(count).astype(object)
    return np.arange(count, dtype=np.float32)


def _neighbors(places: np.ndarray, size: int) -> Neighbors:
    """Find the two pixels beside every place, and the shares of both."""
    places = np.maximum(places, 0)
    first = np.minimum(places.astype(np.int64), size - 1)
    second = places - first.astype(places.dtype)
    shares = np.stack([1 - second, second], axis=1)
    return Neighbors(np.stack([first, np.minimum(first + 1, size - 1)], axis=1), shares)


@operation()
def upsample(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> QuantizedTensor:
    """Resize; another name of `interpolate`.

    %(image_to_size)s
    %(how_to_mix)s

    %(like_input)s

    %(two_by_two)s
    >>> F.upsample(x, scale_factor=2).shape
    refquant.Size([1, 1, 4, 4])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


@operation()
def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> QuantizedTensor:
    """Resize by nearest-neighbor interpolation; see `interpolate`.

    %(image_to_size)s

    %(like_input)s

    %(two_by_two)s
    >>> F.upsample_nearest(x, scale_factor=2).shape
    refquant.Size([1, 1, 4, 4])
    """
    return interpolate(input, size, scale_factor, "nearest")


@operation()
def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> QuantizedTensor:
    """Resize by bilinear interpolation with aligned corners; see `interpolate`.

    %(image_to_size)s

    %(like_input)s

    %(two_by_two)s
    >>> F.upsample_bilinear(x, scale_factor=2).shape
    refquant.Size([1, 1, 4, 4])
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


document(
    __name__,
    image_to_size=r"""
Parameters
----------
input : QuantizedTensor, shape (batch, channels, height, width)
    Quantized per tensor; for the nearest pixels also a volume.
size : int or tuple of int, optional
    Size of the output.
scale_factor : float or tuple of float, optional
    Instead of `size`: the output has :math:`\lfloor n f \rfloor` of n pixels.""",
    how_to_mix="""
mode : {'nearest', 'nearest-exact', 'bilinear', 'area'}
    What to take: the pixel where one of the output begins, or where its middle is, a mix, or
    an average.
align_corners : bool, optional
    For bilinear: whether the centers of the corner pixels stay in place, or the corners
    themselves (the default).""",
    two_by_two="""
%(from_functional)s
>>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 2, 2), 0.1, 0, refquant.quint8)""",
)
enclose(__name__)
