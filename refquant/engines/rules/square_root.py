"""Square roots as MKL computes them on processors with AVX-512, for PyTorch 1.4 and 2.13 alike.

MKL starts from the instruction ``vrsqrt14ps``, an approximation of the reciprocal square root, and
improves it by one step of Newton's method. About 7 of 1000 results are a unit in the last place
below the rounded square root. On other processors MKL rounds correctly.
"""

import numpy as np

from refquant.engines.rules.float32 import fma

__all__ = ["reciprocal_square_root", "square_root"]

F = np.float32

# For each of 64 pieces of 1 <= x < 4, the mantissa in its first place, in units of 2**-19, and how
# much it falls from one place to the next, in units of 2**-26.
_STARTS = np.array(
    [
        524265, 516257, 508613, 501298, 494286, 487559, 481101, 474897, 468922, 463169,
        457623, 452276, 447106, 442106, 437279, 432603, 428071, 423683, 419423, 415288,
        411277, 407379, 403592, 399907, 396319, 392827, 389430, 386110, 382879, 379734,
        376655, 373658, 370709, 365049, 359644, 354468, 349516, 344759, 340193, 335801,
        331581, 327515, 323589, 319805, 316149, 312618, 309201, 305899, 302695, 299587,
        296575, 293657, 290819, 288062, 285380, 282776, 280242, 277773, 275367, 273022,
        270741, 268509, 266336, 264214,
    ],
    np.int64,
)  # fmt: skip

_SLOPES = np.array(
    [
        1001, 955, 915, 877, 841, 807, 775, 747, 719, 693, 669, 647, 625, 603, 585, 567,
        549, 533, 517, 501, 487, 473, 461, 449, 437, 425, 415, 403, 393, 385, 375, 367, 707,
        675, 647, 619, 595, 571, 549, 527, 509, 491, 473, 457, 441, 427, 413, 401, 389, 377,
        365, 355, 345, 335, 325, 317, 309, 301, 293, 285, 279, 271, 265, 259,
    ],
    np.int64,
)  # fmt: skip


def reciprocal_square_root(x):
    r"""Approximate :math:`1 / \sqrt x` to 14 bits, as ``vrsqrt14ps`` does.

    With the fraction of x counted in 64 pieces of 1024 places,
    :math:`r = \lfloor (128 a_i - b_i k) / 2^9 \rfloor \cdot 2^{-17}` in place k of piece i, and
    1 for x = 1.

    Parameters
    ----------
    x : ndarray of float32
        At least 1, less than 4.

    Returns
    -------
    ndarray of float32
    """
    place = (x.view(np.int32).astype(np.int64) - 0x3F800000) >> 8
    piece, place = place >> 10, place & 1023
    r = ((_STARTS[piece] << 7) - _SLOPES[piece] * place) >> 9
    return np.where(x == 1, F(1), np.ldexp(r.astype(F), -17))


def square_root(x):
    r"""Square root of float32; other types are rounded correctly.

    For x = z 4^h with 1 <= z < 4, and r of `reciprocal_square_root`,

    .. math:: s = f32(z r), \quad \sqrt z = fma(fma(-s, s, z),\ r / 2,\ s)

    Parameters
    ----------
    x : ndarray of float32 or float64

    Returns
    -------
    ndarray, as `x`
        NaN below 0; zeros and infinity are their own square roots.
    """
    with np.errstate(all="ignore"):
        exact = np.sqrt(x)
        if x.dtype != np.float32:
            return exact
        fraction, exponent = np.frexp(np.where(np.isfinite(exact) & (x != 0), x, F(1)))
        half = (exponent - 1) >> 1
        z = np.ldexp(fraction, exponent - 2 * half)
        r = reciprocal_square_root(z)
        s = z * r
        root = np.ldexp(fma(fma(-s, s, z), F(0.5) * r, s), half)
        return np.where(np.isfinite(exact) & (x != 0), root, exact)
