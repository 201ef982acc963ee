"""Resizing of images: nearest neighbor and linear interpolation.

Both go dimension by dimension: an output coordinate becomes a place in the input, and the
elements beside that place are mixed.
"""

import math
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, NotSupportedError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.average_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from refquant.ops.floating.operands import float_operand
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable

_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


def _factor(value: Any) -> float:
    factor = arguments.real("scale_factor", value)
    if not math.isfinite(factor):
        raise ArgumentError(argument="scale_factor", expected="finite", got=factor)
    return factor


def target_sizes(sizes, size: Any, scale_factor: Any):
    r"""Compute the output sizes, and the scale factors (None where a size was given).

    Returns
    -------
    counts : tuple of int
        Output size of every spatial dimension, :math:`\lfloor n f \rfloor`.
    factors : tuple of float or None
    """
    ndim = len(sizes)
    if (size is None) is (scale_factor is None):
        raise ArgumentError(
            argument="size",
            expected="given, or `scale_factor`, but not both",
            got=f"size={arguments.describe(size)}, scale_factor={arguments.describe(scale_factor)}",
        )
    given = scale_factor if size is None else size
    values = tuple(given) if isinstance(given, tuple | list) else (given,) * ndim
    if len(values) != ndim:
        raise ArgumentError(
            argument="scale_factor" if size is None else "size",
            expected=f"a number or {ndim} numbers",
            got=arguments.describe(given),
        )
    factors: tuple[float | None, ...] = (None,) * ndim
    if size is None:
        factors = tuple(_factor(f) for f in values)
        reached = [n * f for n, f in zip(sizes, factors, strict=True)]
        if not all(map(math.isfinite, reached)):
            raise ArgumentError(
                argument="scale_factor",
                expected=f"finite times the sizes {tuple(sizes)}",
                got=arguments.describe(scale_factor),
            )
        counts = tuple(map(math.floor, reached))
    else:
        counts = tuple(checks.whole_number("size", v) for v in values)
    if min(counts) <= 0 or min(sizes) <= 0:
        raise ShapeError(
            argument="size",
            expected="sizes greater than 0 in and out",
            got=f"{tuple(sizes)} to {counts}",
        )
    return arguments.shape("size", counts), factors


def recomputed(recompute_scale_factor: Any, scale_factor: Any) -> bool:
    """Return whether places follow from sizes alone, or raise if there is no factor to leave."""
    if recompute_scale_factor is None:
        return False
    recompute = arguments.flag("recompute_scale_factor", recompute_scale_factor)
    if recompute and scale_factor is None:
        raise ArgumentError(
            argument="recompute_scale_factor", expected="left out without `scale_factor`", got=True
        )
    return recompute


def _step(size: int, count: int, factor: float | None, align_corners: bool, kind) -> np.floating:
    """Return the distance in the input for one step of the output.

    Places are counted in float32, for float64 input in float64 (`kind`).
    """
    if align_corners:
        return kind(size - 1) / kind(count - 1) if count > 1 else kind(0)
    with np.errstate(over="ignore"):
        return kind(1 / factor) if factor else kind(size) / kind(count)


def _nearest(size: int, count: int, factor: float | None, ndim: int, exact: bool) -> np.ndarray:
    if ndim == 2 and count in (size, 2 * size) and not exact:
        factor = None  # images that stay or double, PyTorch takes by their sizes
    step = _step(size, count, factor, False, np.float32)
    index = np.arange(count, dtype=np.float32)
    places = np.floor((index + np.float32(0.5) if exact else index) * step)
    return np.minimum(places.astype(np.int64), size - 1)


def _linear(size: int, count: int, factor: float | None, align_corners: bool, kind):
    """Return the two neighbors of every output coordinate and the weight of the second."""
    step = _step(size, count, factor, align_corners, kind)
    places = np.arange(count, dtype=kind)
    if align_corners:
        places = places * step
    else:
        places = np.maximum((places + kind(0.5)) * step - kind(0.5), kind(0))
    first = np.minimum(places.astype(np.int64), size - 1)
    return first, np.minimum(first + 1, size - 1), places - first.astype(kind)


def _along(values: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    return values.reshape([-1 if a == axis else 1 for a in range(ndim)])


def _scatter(g: np.ndarray, index: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Scatter-add entries along an axis to the places they came from."""
    scattered = np.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype)
    places: Any = (slice(None),) * axis + (index,)
    np.add.at(scattered, places, g)
    return scattered


def _resize(x: np.ndarray, axis: int, plan) -> np.ndarray:
    first, second, share = plan
    if share is None:
        return np.take(x, first, axis)
    w = _along(share.astype(x.dtype), axis, x.ndim)
    return np.take(x, first, axis) * (1 - w) + np.take(x, second, axis) * w


def _resize_back(g: np.ndarray, axis: int, plan, size: int) -> np.ndarray:
    first, second, share = plan
    if share is None:
        return _scatter(g, first, axis, size)
    w = _along(share.astype(g.dtype), axis, g.ndim)
    return _scatter(g * (1 - w), first, axis, size) + _scatter(g * w, second, axis, size)


@row("nn.functional", returns="In the memory format of `input`.")
@dispatched
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    r"""Resize to a size, or by a factor.

    Parameters
    ----------
    input : Tensor, shape (batch, channels, ...)
        Plain with 1 to 3 spatial dimensions, or quantized with 2 or 3.
    size : int or sequence of int, optional
        Spatial sizes of the output.
    scale_factor : float or sequence of float, optional
        Instead of `size`: the output has :math:`\lfloor n f \rfloor` of n pixels.
    mode : {'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'area'}
        What to take: the pixel at the place, or in the middle of it, a mix of those beside it, or
        the average, as of `adaptive_avg_pool2d`.
    align_corners : bool, optional
        For the linear modes: whether the centers of the corner pixels stay in place, or the
        corners themselves (the default).
    recompute_scale_factor : bool, optional
        Whether places follow from the sizes that a factor led to, instead of from the factor.
    antialias : bool
        Not supported.

    >>> F.interpolate(refquant.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    t = float_operand("input", input)
    x = t.array
    ndim = x.ndim - 2
    if not isinstance(mode, str) or mode not in ("nearest", "nearest-exact", "area", *_LINEAR):
        raise NotSupportedError(
            argument="mode",
            expected="'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear' or 'area'",
            got=arguments.describe(mode),
        )
    if arguments.flag("antialias", antialias):
        raise NotSupportedError(argument="antialias", expected="False", got=True)
    if not 1 <= ndim <= 3 or _LINEAR.get(mode, ndim) != ndim:
        raise ShapeError(
            argument="input",
            got=f"shape {x.shape}",
            expected=f"of {_LINEAR.get(mode, 2) + 2} dimensions for mode={mode!r}",
        )
    if align_corners is not None:
        align_corners = arguments.flag("align_corners", align_corners)
    if mode not in _LINEAR and align_corners is not None:
        raise ArgumentError(
            argument="align_corners",
            expected=f"left out for mode={mode!r}",
            got=align_corners,
        )
    counts, factors = target_sizes(x.shape[2:], size, scale_factor)
    if recomputed(recompute_scale_factor, scale_factor):
        factors = (None,) * ndim
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[ndim - 1](t, counts)
    shape, kind = x.shape, np.float64 if x.dtype == np.float64 else np.float32

    def plans():
        for axis, (n, c, f) in enumerate(zip(shape[2:], counts, factors, strict=True), 2):
            if mode in _LINEAR:
                yield axis, _linear(n, c, f, bool(align_corners), kind)
            else:
                yield axis, (_nearest(n, c, f, ndim, mode == "nearest-exact"), None, None)

    resized = x
    with np.errstate(all="ignore"):
        for axis, plan in plans():
            resized = _resize(resized, axis, plan)

    def backward(g):
        for axis, plan in reversed(list(plans())):
            g = _resize_back(g, axis, plan, shape[axis])
        return (g,)

    return differentiable(layout.to_format(resized, layout.format_of(x)), (t,), backward)


@row(
    "nn.functional",
    mode="``'nearest'`` or ``'bilinear'``.",
    align_corners="Whether corner pixels stay in place.",
)
def upsample(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Resize; another name of `interpolate`.

    >>> F.upsample(refquant.ones(1, 1, 2, 2), scale_factor=2).shape
    refquant.Size([1, 1, 4, 4])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


@row("nn.functional")
def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Resize by nearest-neighbor interpolation; see `interpolate`.

    >>> F.upsample_nearest(refquant.ones(1, 1, 2, 2), scale_factor=2).shape
    refquant.Size([1, 1, 4, 4])
    """
    return interpolate(input, size, scale_factor, "nearest")


@row("nn.functional")
def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Resize by bilinear interpolation with aligned corners; see `interpolate`.

    >>> F.upsample_bilinear(refquant.ones(1, 1, 2, 2), scale_factor=2).shape
    refquant.Size([1, 1, 4, 4])
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
