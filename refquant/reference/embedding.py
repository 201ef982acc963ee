r"""Tables of embeddings in 8, 4 or 2 bits, and sums of their rows.

A row of a packed table holds the integers of one embedding, the first in the lowest bits, and after
them its scale and bias: :math:`x = s q + b`. With 8 bits both are float32, with fewer float16, in
the order of bytes of little-endian machines.

See ``_kernels/embedding.pyx``.
"""

from typing import Any

import numpy as np

from refquant.engines.rules.float32 import fma

__all__ = [
    "all_below",
    "bounds_of_bags",
    "embedding_bag",
    "embedding_pack",
    "embedding_prepack",
    "embedding_prepack_rows",
    "embedding_unpack",
    "pack_bits",
    "row_ends",
    "unpack_bits",
]

# Type of scale and bias by the bits of an integer.
PARAMETER: dict[int, Any] = {8: np.dtype("<f4"), 4: np.dtype("<f2"), 2: np.dtype("<f2")}


def pack_bits(q, bits):
    """Put several integers into a byte, the first into the lowest bits.

    Parameters
    ----------
    q : ndarray of uint8, shape (n,)
        Integers below ``2**bits``.
    bits : int
        8, 4 or 2.

    Returns
    -------
    ndarray of uint8, shape (ceil(n * bits / 8),)
        The last byte is filled with zeros.
    """
    count = 8 // bits
    padded = np.zeros(-(-q.shape[0] // count) * count, np.uint8)
    padded[: q.shape[0]] = q
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return np.bitwise_or.reduce(padded.reshape(-1, count) << shifts, axis=1, dtype=np.uint8)


def unpack_bits(packed, bits, count):
    """Take integers out of bytes; undoes `pack_bits`.

    Parameters
    ----------
    packed : ndarray of uint8, shape (ceil(count * bits / 8),)
        The bytes.
    bits : int
        8, 4 or 2.
    count : int
        How many integers there are.

    Returns
    -------
    ndarray of uint8, shape (count,)
    """
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    q = (packed[:, None] >> shifts) & np.uint8(2**bits - 1)
    return q.reshape(-1)[:count].copy()


@np.errstate(all="ignore")
def embedding_pack(q, scales, biases, bits):
    """Put integers, scales and biases into the rows of a packed table.

    Parameters
    ----------
    q : ndarray of uint8, shape (rows, columns)
        Integers below ``2**bits``; the columns of a row fill whole bytes.
    scales, biases : ndarray of float32, shape (rows,)
        Real units of one step and the real number of the integer 0, for each row.
    bits : int
        8, 4 or 2.

    Returns
    -------
    ndarray of uint8, shape (rows, bytes)
    """
    rows = q.shape[0]
    parameters = np.stack([scales, biases], axis=1).astype(PARAMETER[bits])
    integers = pack_bits(q.reshape(-1), bits).reshape(rows, q.shape[1] * bits // 8)
    return np.concatenate([integers, parameters.view(np.uint8)], axis=1)


def row_ends(x):
    """Find the first of the smallest and of the largest numbers of each row.

    Parameters
    ----------
    x : ndarray of float32, shape (rows, columns)
        Real numbers, at least one a row.

    Returns
    -------
    ndarray of float32, shape (2, rows)
        Lower and upper ends; both are the first NaN of a row that has one.
    """
    places = np.arange(x.shape[0])
    return np.stack([x[places, x.argmin(axis=1)], x[places, x.argmax(axis=1)]])


@np.errstate(all="ignore")
def embedding_prepack(x, lower, upper, bits):
    r"""Quantize the rows of a table, each from its lower to its upper end.

    With 8 bits :math:`q = clip(round((x - l) \cdot 255 / (u - l + 10^{-8})))`; with fewer
    :math:`q = clip(round((x - b) / s))`, where the scale and :math:`b = l` are rounded to float16
    first. NaN becomes 0.

    Parameters
    ----------
    x : ndarray of float32, shape (rows, columns)
        Real numbers; the columns of a row fill whole bytes.
    lower, upper : ndarray of float32, shape (rows,)
        Ends of the range of each row.
    bits : int
        8, 4 or 2.

    Returns
    -------
    ndarray of uint8, shape (rows, bytes)
    """
    steps = np.float32(2**bits - 1)
    if bits == 8:
        extent = upper - lower
        bias, scale = lower, extent / steps
        factor = steps / (extent + np.float32(1e-8))
    else:
        bias = lower.astype(np.float16).astype(np.float32)
        extent = upper - bias
        scale = _half_scale(np.where(extent == 0, np.float32(1), extent / steps))
        factor = np.float32(1) / scale
    rounded = np.rint((x - bias[:, None]) * factor[:, None])
    q = np.where(rounded > 0, np.minimum(rounded, steps), np.float32(0))
    return embedding_pack(q.astype(np.uint8), scale, bias, bits)


def embedding_prepack_rows(x, bits):
    """Quantize the rows of a table, each between its own ends.

    Parameters
    ----------
    x : ndarray of float32, shape (rows, columns)
        Real numbers, at least one a row; the columns of a row fill whole bytes.
    bits : int
        8, 4 or 2.

    Returns
    -------
    packed : ndarray of uint8, shape (rows, bytes)
        By `embedding_prepack`.
    ends : ndarray of float32, shape (2, rows)
        By `row_ends`.
    """
    ends = row_ends(x)
    lower, upper = ends
    return embedding_prepack(x, lower, upper, bits), ends


def _half_scale(scale):
    """Round scales to float16; 1 where that or its reciprocal is of no use."""
    half = scale.astype(np.float16).astype(np.float32)
    return np.where((half == 0) | np.isinf(np.float32(1) / half), np.float32(1), half)


def _parts(packed, bits):
    """Take a packed table apart: integers, scales and biases."""
    tail = 2 * PARAMETER[bits].itemsize
    width = packed.shape[1] - tail
    columns = width * 8 // bits
    q = unpack_bits(packed[:, :width].reshape(-1), bits, packed.shape[0] * columns)
    parameters = np.ascontiguousarray(packed[:, width:]).view(PARAMETER[bits]).astype(np.float32)
    return q.reshape(packed.shape[0], columns), parameters[:, 0], parameters[:, 1]


@np.errstate(all="ignore")
def embedding_unpack(packed, bits):
    r"""Turn a packed table into real numbers, :math:`x = s q + b` in one rounding.

    Parameters
    ----------
    packed : ndarray of uint8, shape (rows, bytes)
        The packed table.
    bits : int
        8, 4 or 2.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
    """
    q, scale, bias = _parts(packed, bits)
    return fma(q.astype(np.float32), scale[:, None], bias[:, None])


def all_below(rows, count):
    """Tell whether all integers are rows of a table.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
        Integers.
    count : int
        How many rows there are.

    Returns
    -------
    bool
    """
    return bool(((rows >= 0) & (rows < count)).all())


def bounds_of_bags(offsets, count, include_last):
    """Put the end of the last bag behind the beginnings of bags, and check them.

    Parameters
    ----------
    offsets : ndarray of int64, shape (n,)
        Where each bag begins; not empty if the last is included.
    count : int
        How many indices there are: the end of the last bag.
    include_last : bool
        Whether the last offset is that end instead.

    Returns
    -------
    ndarray of int64, shape (bags + 1,), or None
        None if offsets fall, or lie outside 0 to `count`.
    """
    bounds = offsets.copy() if include_last else np.append(offsets, np.int64(count))
    falls = (bounds[1:] < bounds[:-1]).any()
    return None if bounds[0] < 0 or bounds[-1] > count or falls else bounds


@np.errstate(all="ignore")
def embedding_bag(packed, indices, bounds, weights, bits):
    r"""Add rows of a packed table, those of a bag in their order.

    .. math:: y \leftarrow fma(w s, q, y + w b)

    from zero on, for each row of the bag.

    Parameters
    ----------
    packed : ndarray of uint8, shape (rows, bytes)
        The packed table.
    indices : ndarray of int64, shape (n,)
        Rows; -1 stands for a row of zeros.
    bounds : ndarray of int64, shape (bags + 1,)
        Where each bag begins, and where the last one ends; never falling.
    weights : ndarray of float32, shape (n,), or None
        A factor for each index; None for 1.
    bits : int
        8, 4 or 2.

    Returns
    -------
    ndarray of float32, shape (bags, columns)
    """
    tail = 2 * PARAMETER[bits].itemsize
    y = np.zeros((bounds.shape[0] - 1, (packed.shape[1] - tail) * 8 // bits), np.float32)
    for bag in range(y.shape[0]):
        for place in range(bounds[bag], bounds[bag + 1]):
            if indices[place] < 0:
                continue
            q, scale, bias = _parts(packed[indices[place], None], bits)
            if weights is not None:
                scale, bias = scale * weights[place], bias * weights[place]
            y[bag] = fma(q[0].astype(np.float32), scale, y[bag] + bias)
    return y
