r"""Pooling of quantized images: the largest integer of every window, or their average.

An image is an array of shape (outer, height, width, inner): batch and channels are both `outer`
for a row-major image, and channels are `inner` for a channels-last one. The parameters of the
result are those of the input: a window of equal pixels keeps its value.
"""

import numpy as np

__all__ = ["average_pool", "max_pool"]


def max_pool(q, kernel, stride, padding, dilation, counts):
    r"""Find the largest integer of every window; the border is never chosen.

    .. math:: y_{ij} = \max_{u, v} q_{s_h i + d_h u - p_h,\; s_w j + d_w v - p_w}

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, height, width, inner)
        The image.
    kernel, stride, padding, dilation : tuple of int
        Of the window, for rows and columns.
    counts : tuple of int
        Rows and columns of the output.

    Returns
    -------
    ndarray of the type of `q`, shape (outer, rows, columns, inner)
        A window outside the image gives the lowest integer of the type.
    """
    outer, height, width, inner = q.shape
    lowest = np.iinfo(q.dtype).min
    result = np.full((outer, *counts, inner), lowest, q.dtype)
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            rows = np.arange(counts[0]) * stride[0] - padding[0] + u * dilation[0]
            columns = np.arange(counts[1]) * stride[1] - padding[1] + v * dilation[1]
            i = np.flatnonzero((rows >= 0) & (rows < height))
            j = np.flatnonzero((columns >= 0) & (columns < width))
            seen = q[:, rows[i][:, None], columns[j]]
            result[:, i[:, None], j] = np.maximum(result[:, i[:, None], j], seen)
    return result


@np.errstate(all="ignore")
def average_pool(
    q, rows, columns, divisors, scale, zero_point, quant_min, quant_max, body, rule, tail_rule
):
    r"""Average the integers of every window.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, height, width, inner)
        The image.
    rows, columns : ndarray of int64, shape (count, 2)
        First row (column) of every window inside the image, and the one after the last.
    divisors : ndarray of int64, shape (len(rows), len(columns))
        What each window counts as.
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that stands for real zero.
    quant_min, quant_max : int
        Range of the integers.
    body : int
        How many leading elements of each inner run follow `rule`; the others `tail_rule`.
    rule, tail_rule : Rule
        How a sum becomes an average.

    Returns
    -------
    ndarray of the type of `q`, shape (outer, len(rows), len(columns), inner)
    """
    outer, _, _, inner = q.shape
    result = np.empty((outer, len(rows), len(columns), inner), q.dtype)
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            window = q[:, top:bottom, left:right]
            total = window.sum(axis=(1, 2), dtype=np.int64)
            sizes = (int(bottom - top), int(right - left))
            for part, average in ((slice(0, body), rule), (slice(body, None), tail_rule)):
                result[:, i, j, part] = average(
                    total[:, part], sizes, divisors[i, j], scale, zero_point, quant_min, quant_max
                )
    return result
