"""Channels in another order, and pixels in exchange for channels; for quantized tensors, too."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, ShapeError
from refquant.ops import layout
from refquant.ops.moved import movable, moved
from refquant.ops.rows import row
from refquant.tensors import Tensor


def _rearranged(x: Tensor, split: tuple[int, ...], order: tuple[int, ...], shape) -> Tensor:
    """Reshape, reorder the dimensions, and reshape again; row-major."""
    before = x.array.shape
    inverse = tuple(order.index(d) for d in range(len(order)))
    turned = x.array.reshape(split).transpose(order)
    between = turned.shape

    def backward(g):
        return g.reshape(between).transpose(inverse).reshape(before)

    return moved(x, np.ascontiguousarray(turned.reshape(shape)), backward)


def _factor(argument: str, value: Any) -> int:
    factor = arguments.integer(argument, value)
    if factor <= 0:
        raise ArgumentError(argument=argument, expected="greater than 0", got=factor)
    return factor


def _as_plain(x: Tensor, made: Tensor) -> Tensor:
    """Lay a plain result out as the operand is."""
    if x.is_quantized:
        return made
    return made.contiguous(memory_format=layout.format_of(x.array))


@row(
    "refquant nn.functional",
    groups="Parts into which the channels are cut; a divisor of their number.",
    returns="In the memory format of `input`.",
)
def channel_shuffle(input: Any, groups: int) -> Tensor:
    r"""Mix the channels of groups: channel k of group g becomes channel :math:`k \cdot groups + g`.

    Parameters
    ----------
    input : Tensor, shape (batch, channels, ...)
        Plain with at least one dimension more, or an image quantized per tensor.

    >>> refquant.channel_shuffle(refquant.arange(4).reshape(1, 4, 1, 1), 2).flatten()
    tensor([0, 2, 1, 3])
    """
    x = movable("input", input)
    groups = _factor("groups", groups)
    shape = x.array.shape
    if x.array.ndim < 3 or (x.is_quantized and x.array.ndim != 4):
        raise ShapeError(
            argument="input",
            expected="of 4 dimensions" if x.is_quantized else "of at least 3 dimensions",
            got=f"shape {shape}",
        )
    if shape[1] % groups:
        raise ArgumentError(
            argument="groups", expected=f"a divisor of the {shape[1]} channels", got=groups
        )
    split = (shape[0], groups, shape[1] // groups, *shape[2:])
    order = (0, 2, 1, *range(3, len(split)))
    made = _rearranged(x, split, order, shape)
    return made.contiguous(memory_format=layout.format_of(x.array))


@row(
    "refquant nn.functional",
    upscale_factor="How many times larger height and width become.",
    returns="Shape (..., channels / f**2, height * f, width * f); row-major if quantized.",
)
def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """Turn channels into pixels: an image with fewer channels and larger extents.

    Parameters
    ----------
    input : Tensor, shape (..., channels, height, width)
        Plain, or quantized per tensor; the square of the factor divides the channels.

    >>> refquant.pixel_shuffle(refquant.arange(4).reshape(1, 4, 1, 1), 2)
    tensor([[[[0, 1],
              [2, 3]]]])
    """
    x = movable("input", input)
    f = _factor("upscale_factor", upscale_factor)
    if x.array.ndim < 3 or x.array.shape[-3] % f**2:
        raise ShapeError(
            argument="input",
            expected=f"(..., channels, height, width) whose channels are a multiple of {f**2}",
            got=f"shape {x.array.shape}",
        )
    *lead, channels, height, width = x.array.shape
    n, inner = len(lead), channels // f**2
    split = (*lead, inner, f, f, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return _as_plain(x, _rearranged(x, split, order, (*lead, inner, height * f, width * f)))


@row(
    "refquant nn.functional",
    downscale_factor="How many times smaller height and width become.",
    returns="Shape (..., channels * f**2, height / f, width / f); row-major if quantized.",
)
def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """Turn pixels into channels; the inverse of `pixel_shuffle`.

    Parameters
    ----------
    input : Tensor, shape (..., channels, height, width)
        Plain, or quantized per tensor; the factor divides height and width.

    >>> refquant.pixel_unshuffle(refquant.arange(4).reshape(1, 1, 2, 2), 2).shape
    refquant.Size([1, 4, 1, 1])
    """
    x = movable("input", input)
    f = _factor("downscale_factor", downscale_factor)
    if x.array.ndim < 3 or x.array.shape[-1] % f or x.array.shape[-2] % f:
        raise ShapeError(
            argument="input",
            expected=f"(..., channels, height, width) with extents that {f} divides",
            got=f"shape {x.array.shape}",
        )
    *lead, channels, height, width = x.array.shape
    n = len(lead)
    split = (*lead, channels, height // f, f, width // f, f)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    shape = (*lead, channels * f**2, height // f, width // f)
    return _as_plain(x, _rearranged(x, split, order, shape))
