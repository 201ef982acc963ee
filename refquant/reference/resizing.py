r"""Resizing of quantized images: copy the nearest pixel, or mix the four neighbours.

An image is an array of shape (outer, height, width, inner), as in `refquant.reference.pooling`.
The parameters of the result are those of the input, so that integers are mixed and not real
numbers.
"""

import numpy as np

from refquant.engines.rules.float32 import round_half_even

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
def resize_bilinear(
    q,
    rows,
    row_shares,
    columns,
    column_shares,
    zero_point,
    quant_min,
    quant_max,
    body,
    rule,
    tail_rule,
):
    r"""Mix the four neighbours of every place, :math:`y = round(z + (mix - z))`.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, height, width, inner)
        The image.
    rows, columns : ndarray of int64, shape (count, 2)
        The two neighbours of every row and column of the output.
    row_shares, column_shares : ndarray of float32, shape (count, 2)
        How much of each.
    zero_point : int
        The integer that stands for real zero.
    quant_min, quant_max : int
        Range of the integers.
    body : int
        How many leading elements of each inner run follow `rule`; the others `tail_rule`.
    rule, tail_rule : Rule
        How the products and sums are rounded.

    Returns
    -------
    ndarray of the type of `q`, shape (outer, len(rows), len(columns), inner)
    """
    upper, lower = rows[:, 0, None], rows[:, 1, None]
    left, right = columns[:, 0], columns[:, 1]
    h = [row_shares[:, k, None, None] for k in (0, 1)]
    w = [column_shares[:, k, None] for k in (0, 1)]
    result = np.empty((q.shape[0], len(rows), len(columns), q.shape[3]), q.dtype)
    for part, mix in ((slice(0, body), rule), (slice(body, None), tail_rule)):
        x = q[..., part].astype(np.float32)
        a, b, c, d = x[:, upper, left], x[:, upper, right], x[:, lower, left], x[:, lower, right]
        mixed = zero_point + (mix(a, b, c, d, h, w) - zero_point)
        rounded = round_half_even(mixed).astype(np.float64)
        result[..., part] = np.clip(rounded, quant_min, quant_max).astype(np.int64)
    return result
