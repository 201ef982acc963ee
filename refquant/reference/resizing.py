r"""Resizing of quantized images: copy the nearest pixel, or mix the four neighbors.

An image is an array of shape (outer, height, width, inner), as in `refquant.reference.pooling`.
The parameters of the result are those of the input, so that integers are mixed and not real
numbers.

See ``_kernels/resizing.pyx``: the rules are ``_mix_channels`` there.
"""

import numpy as np

from refquant.engines.rules.float32 import clip, round_half_even
from refquant.reference.operands import split_at

__all__ = ["resize_bilinear", "resize_nearest"]


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
