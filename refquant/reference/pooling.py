r"""Pooling of quantized images: the largest integer of every window, or their average.

An image is an array of shape (outer, height, width, inner): batch and channels are both `outer`
for a row-major image, and channels are `inner` for a channels-last one. A volume has its depth
before the height. The parameters of the result are those of the input: a window of equal pixels
keeps its value.

See ``_kernels/pooling.pyx``: `max_pool` is ``largest_of_line`` of ``_kernels/_maxima.pxd``, the
rules of averages are ``average_of_sum`` and, for neighbors, ``average_channels`` of
``_kernels/_averages.pxd``, and `sum_of_reals` is ``sum_columns`` of ``_kernels/_real_sums.pxd``.
"""

import numpy as np

from refquant.engines.rules.float_sums import sum_in_cascades
from refquant.reference.operands import split_at

__all__ = ["average_pool", "max_pool", "mean", "sum_of_reals"]


def max_pool(q, geometry, counts):
    r"""Find the largest integer of every window; the border is never chosen.

    .. math:: y_{ij} = \max_{u, v} q_{s_h i + d_h u - p_h,\; s_w j + d_w v - p_w}

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, height, width, inner)
        The image.
    geometry : Geometry
        Where windows lie, for rows and columns.
    counts : tuple of int
        Rows and columns of the output.

    Returns
    -------
    ndarray of the type of `q`, shape (outer, rows, columns, inner)
        A window outside the image gives the lowest integer of the type.
    """
    kernel, stride, padding, dilation = geometry
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
def average_pool(q, windows, divisors, output, vector_length, average):
    r"""Average the integers of every window.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, depth, height, width, inner)
        The volume; an image has depth 1.
    windows : Windows
        Where windows lie inside it.
    divisors : ndarray of int64, shape (len(planes), len(rows), len(columns))
        What each window counts as.
    output : Output
        Scale, zero point and range of image and result.
    vector_length : int
        How many leading elements of each inner run are rounded like vectors.
    average : Split
        How a sum becomes an average.

    Returns
    -------
    ndarray of the type of `q`, shape (outer, planes, rows, columns, inner)
    """
    result = np.empty((q.shape[0], *divisors.shape, q.shape[-1]), q.dtype)
    for place in np.ndindex(divisors.shape):
        ends = [along[i].tolist() for along, i in zip(windows, place, strict=True)]
        window = q[:, *(slice(*pair) for pair in ends)]
        total = window.sum(axis=(1, 2, 3), dtype=np.int64)
        sizes = tuple(last - first for first, last in ends)
        for channels, (rule,) in split_at(vector_length, average):
            averages = rule(total[:, channels], sizes, divisors[place], *output)
            result[:, *place, channels] = averages
    return result


@np.errstate(all="ignore")
def mean(q, output, average):
    r"""Average the integers of every row, which is a window of n by 1.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (rows, n)
        The integers; at least one in each row.
    output : Output
        Scale, zero point and range of integers and result.
    average : Rule
        How a sum becomes an average.

    Returns
    -------
    ndarray of the type of `q`, shape (rows,)
    """
    n = q.shape[1]
    total = q.sum(axis=1, dtype=np.int64)
    return np.asarray(average(total, (1, n, 1), n, *output)).astype(q.dtype)


@np.errstate(all="ignore")
def sum_of_reals(q, quantizer, dequantize):
    r"""Add up real numbers along the middle axis, float32 in cascades.

    Parameters
    ----------
    q : ndarray of uint8, int8 or int32, shape (outer, n, columns)
        The integers; at least two columns, which are neighbors in memory.
    quantizer : Quantizer
        Scale and zero point.
    dequantize : Rule
        How an integer becomes a real number.

    Returns
    -------
    ndarray of float32, shape (outer, columns)
    """
    return sum_in_cascades(dequantize(q, *quantizer), (1,))
