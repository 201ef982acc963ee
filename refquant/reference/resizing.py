r"""Resizing of quantized images: copy the nearest pixel, or mix the four neighbors.

An image is an array of shape (outer, height, width, inner), as in `refquant.reference.pooling`.
The parameters of the result are those of the input, so that integers are mixed and not real
numbers.

See ``_kernels/resizing.pyx``: the rules are ``_mix_channels`` there.
"""

import numpy as np

from refquant.engines.rules.float32 import clip, round_half_even
from refquant.reference.operands import split_at

__all__ = ["resize_bilinear", "resize_nearest", "sample_bilinear"]


def resize_nearest(q, rows, columns):
    r"""Copy pixels, :math:`y_{ij} = q_{r_i c_j}`.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, height, width, inner)
        The image.
    rows, columns : ndarray of int64
        Where every row and column of the output comes from.

    Returns
    -------
    ndarray of the type of `q`, shape (outer, len(rows), len(columns), inner)
    """
    result = np.empty((q.shape[0], len(rows), len(columns), q.shape[3]), q.dtype)
    result[:] = q[:, rows[:, None], columns]
    return result


@np.errstate(all="ignore")
def resize_bilinear(q, rows, columns, output, vector_length, mix):
    r"""Mix the four neighbors of every place, :math:`y = round(z + (mix - z))`.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, height, width, inner)
        The image.
    rows, columns : Neighbors
        The neighbors of every row and column of the output, and their shares.
    output : Output
        Scale, zero point and range of image and result; the scale does not count.
    vector_length : int
        How many leading elements of each inner run are rounded like vectors.
    mix : Split
        How the products and sums are rounded.

    Returns
    -------
    ndarray of the type of `q`, shape (outer, rows, columns, inner)
    """
    upper, lower = rows.indices[:, 0, None], rows.indices[:, 1, None]
    left, right = columns.indices[:, 0], columns.indices[:, 1]
    h = [rows.shares[:, k, None, None] for k in (0, 1)]
    w = [columns.shares[:, k, None] for k in (0, 1)]
    _, zero_point, *limits = output
    result = np.empty((q.shape[0], len(upper), len(left), q.shape[3]), q.dtype)
    for channels, (rule,) in split_at(vector_length, mix):
        x = q[..., channels].astype(np.float32)
        a, b, c, d = x[:, upper, left], x[:, upper, right], x[:, lower, left], x[:, lower, right]
        mixed = zero_point + (rule(a, b, c, d, h, w) - zero_point)
        result[..., channels] = clip(round_half_even(mixed), *limits)
    return result


@np.errstate(all="ignore")
def sample_bilinear(q, x, y, zero_point):
    r"""Mix the four neighbors of given places; outside the image stands the zero point.

    .. math:: v = ((w_{nw} A + w_{ne} B) + w_{sw} C) + w_{se} D

    The weights are products of the distances to the other side, rounded to float32, and so are
    all products and sums.

    Parameters
    ----------
    q : ndarray of uint8, shape (batch, channels, height, width)
        The images.
    x, y : ndarray of float32, shape (batch, count)
        Columns and rows of the places, fractions included.
    zero_point : int
        The integer that stands for real zero.

    Returns
    -------
    ndarray of uint8, shape (batch, channels, count)
        What is no number becomes 0.
    """
    height, width = q.shape[2:]
    left, top = (_whole(np.floor(places)) for places in (x, y))
    right, bottom = left + 1, top + 1
    edges = [side.astype(np.float32) for side in (left, right, top, bottom)]
    from_left, to_right, from_top, to_bottom = (
        x - edges[0],
        edges[1] - x,
        y - edges[2],
        edges[3] - y,
    )
    corners = (
        (top, left, to_right * to_bottom),
        (top, right, from_left * to_bottom),
        (bottom, left, to_right * from_top),
        (bottom, right, from_left * from_top),
    )
    mixed = np.zeros((*x.shape, q.shape[1]), np.float32)
    for row, column, weight in corners:
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        seen = np.full(mixed.shape, zero_point, np.float32)
        image, place = np.nonzero(inside)
        seen[inside] = q[image, :, row[image, place], column[image, place]]
        mixed = mixed + weight[..., None] * seen
    rounded = round_half_even(mixed)
    held = np.abs(rounded) < 2.0**31
    codes = np.where(held, rounded, 0).astype(np.int64).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(codes, 2, 1))


def _whole(places):
    """Convert to int64, as processors do: what does not fit becomes the smallest number."""
    fits = np.abs(places) < 2.0**63
    return np.where(fits, np.where(fits, places, 0).astype(np.int64), -(2**63))
