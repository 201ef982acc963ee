"""Sampling of images at given places."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._operation import warn
from refquant.errors import DtypeError, NotSupportedError, ShapeError
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import float_operand
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable

PADDING_MODES = ("zeros", "border", "reflection")


def grid_options(mode: Any, padding_mode: Any, align_corners: Any) -> tuple[str, str, bool]:
    """Return the options of sampling, or raise; PyTorch's numbers of modes are names here."""
    if type(mode) is int and 0 <= mode <= 1:
        mode = ("bilinear", "nearest")[mode]
    if type(padding_mode) is int and 0 <= padding_mode <= 2:
        padding_mode = PADDING_MODES[padding_mode]
    for name, value, known in (
        ("mode", mode, ("bilinear", "nearest")),
        ("padding_mode", padding_mode, PADDING_MODES),
    ):
        if not isinstance(value, str) or value not in known:
            raise NotSupportedError(
                argument=name,
                expected=" or ".join(map(repr, known)),
                got=arguments.describe(value),
            )
    if align_corners is None:
        warn("align_corners is False unless given, which is not how PyTorch 1.2 sampled")
        align_corners = False
    return mode, padding_mode, arguments.flag("align_corners", align_corners)


def check_grid(image: np.ndarray, grid: Any) -> Tensor:
    """Return the places to sample an image at, or raise."""
    places = float_operand("grid", grid)
    if image.ndim != 4 or 0 in image.shape[1:]:
        raise ShapeError(
            argument="input",
            expected="an image (batch, channels, height, width) with pixels",
            got=f"shape {image.shape}",
        )
    if places.array.ndim != 4 or places.array.shape[3] != 2 or len(image) != len(places.array):
        raise ShapeError(
            argument="grid",
            expected=f"of shape ({len(image)}, height, width, 2)",
            got=f"shape {places.array.shape}",
        )
    return places


def coordinates(
    places: np.ndarray, size: int, padding_mode: str, align_corners: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Turn places from -1 to 1 into pixels along one dimension, and find the slope of that.

    Every operation is rounded to the dtype of the places. What lies outside is brought inside, or
    stays; NaN is brought to the last pixel.
    """
    kind = places.dtype.type
    one, last = kind(1), kind(size - 1)
    if align_corners:
        x, factor = (places + one) / kind(2) * last, (size - 1) / 2
    else:
        x, factor = ((places + one) * kind(size) - one) / kind(2), size / 2
    slope = np.full(x.shape, factor, kind)
    if padding_mode == "zeros":
        return x, slope
    if padding_mode == "reflection":
        low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
        x, turned = _reflected(x, kind(low), kind(span))
        slope = slope * turned
    slope = np.where((x > 0) & (x < last), slope, kind(0))
    x = np.where(x < 0, kind(0), x)
    return np.where(x < last, x, last), slope


def _reflected(x: np.ndarray, low: Any, span: Any) -> tuple[np.ndarray, np.ndarray]:
    """Reflect at both ends of a span; also return 1 or -1, which way it goes."""
    if span <= 0:
        return np.zeros_like(x), np.zeros_like(x)
    away = np.abs(x - low)
    rest, turns = np.fmod(away, span), np.floor(away / span)
    odd = np.where(turns < 2.0**31, turns, 0) % 2 == 1  # larger ones do not fit int32
    sign = np.where((x < low) != odd, -1, 1).astype(x.dtype)
    return np.where(odd, (span - rest) + low, rest + low), sign


@row(
    "nn.functional",
    mode="What to take: a mix of the four pixels beside a place, or the nearest.",
    padding_mode="What lies outside: zeros, the last pixel, or the image reflected.",
    align_corners="Whether -1 and 1 are the middles of the corner pixels, or their corners.",
    grid="Where to sample: columns and rows, -1 to 1 from end to end.",
    returns="Of shape (batch, channels, height, width) of the grid, row-major.",
)
@dispatched
def grid_sample(
    input: Any,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Sample an image at given places.

    Parameters
    ----------
    input : Tensor, shape (batch, channels, height, width)
        Plain, or quint8 quantized per tensor, which is mixed alone.

    >>> x = refquant.tensor([[[[0.0, 1.0]]]])
    >>> F.grid_sample(x, refquant.zeros(1, 1, 1, 2), align_corners=False).item()
    0.5
    """
    t = float_operand("input", input)
    mode, padding_mode, align_corners = grid_options(mode, padding_mode, align_corners)
    g = check_grid(t.array, grid)
    x, places = t.array, g.array
    if x.dtype != places.dtype:
        raise DtypeError(
            argument="grid", expected=f"a {t.dtype} tensor", got=arguments.describe(grid)
        )
    height, width = x.shape[2:]
    with np.errstate(all="ignore"):
        columns, column_slope = coordinates(places[..., 0], width, padding_mode, align_corners)
        rows, row_slope = coordinates(places[..., 1], height, padding_mode, align_corners)
        if mode == "nearest":
            corners = [(np.rint(rows), np.rint(columns), None, None, None)]
        else:
            corners = _corners(rows, columns)
    batch = np.arange(len(x))[:, None, None]
    taps = [
        (batch, *_clipped(i, j, height, width), w, down, across)
        for i, j, w, down, across in corners
    ]
    result = np.zeros((*places.shape[:3], x.shape[1]), x.dtype)
    for image, i, j, inside, w, _, _ in taps:
        weight = inside if w is None else np.where(inside, w, 0)
        result += weight[..., None].astype(x.dtype) * x[image, :, i, j]

    def backward(g):
        g = np.moveaxis(g, 1, 3)
        gradient = np.zeros((x.shape[0], *x.shape[2:], x.shape[1]), x.dtype)
        moved = np.zeros(places.shape, places.dtype)
        for image, i, j, inside, w, down, across in taps:
            weight = inside if w is None else np.where(inside, w, 0)
            np.add.at(gradient, (image, i, j), weight[..., None].astype(x.dtype) * g)
            if w is not None:
                along = np.where(inside, (x[image, :, i, j] * g).sum(axis=3), 0)
                moved[..., 0] += along * across * column_slope
                moved[..., 1] += along * down * row_slope
        return np.moveaxis(gradient, 3, 1), moved

    return differentiable(np.ascontiguousarray(np.moveaxis(result, 3, 1)), (t, g), backward)


@row(
    interpolation_mode="0, bilinear, or 1, nearest.",
    padding_mode="0, zeros, 1, the last pixel, or 2, the image reflected.",
    align_corners="Whether -1 and 1 are the middles of the corner pixels, or their corners.",
    grid="Where to sample: columns and rows, -1 to 1 from end to end.",
    returns="Of shape (batch, channels, height, width) of the grid, row-major.",
    at="refquant",
)
def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Sample an image at given places; see `refquant.nn.functional.grid_sample`.

    Parameters
    ----------
    input : Tensor, shape (batch, channels, height, width)
        Plain, or quint8 quantized per tensor, which is mixed alone.

    >>> x = refquant.tensor([[[[0.0, 1.0]]]])
    >>> refquant.grid_sampler_2d(x, refquant.zeros(1, 1, 1, 2), 0, 0, False).item()
    0.5
    """
    modes: Any = interpolation_mode, padding_mode
    return grid_sample(input, grid, *modes, align_corners)


def _corners(rows: np.ndarray, columns: np.ndarray) -> list[tuple]:
    """List the four pixels beside places: row, column, weight, and its slopes along both."""
    top, left = np.floor(rows), np.floor(columns)
    bottom, right = top + 1, left + 1
    up, down, back, on = bottom - rows, rows - top, right - columns, columns - left
    return [
        (top, left, back * up, -back, -up),
        (top, right, on * up, -on, up),
        (bottom, left, back * down, back, -down),
        (bottom, right, on * down, on, down),
    ]


def _clipped(i: np.ndarray, j: np.ndarray, height: int, width: int) -> tuple:
    """Bring rows and columns inside the image, and tell which were."""
    inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
    return (
        np.where(inside, i, 0).astype(np.int64),
        np.where(inside, j, 0).astype(np.int64),
        inside,
    )
